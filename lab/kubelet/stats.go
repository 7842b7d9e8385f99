package kubelet

import (
	"cmp"
	"slices"
	"time"
)

// ContainerStats is what one container's process uses.
type ContainerStats struct {
	Namespace, Pod, UID, Container string

	Image       string
	PID         int
	Started     time.Time
	Ready       bool
	CPUSeconds  float64 // since the start, user and system
	MemoryBytes uint64  // proportional set size where the system tells it, else resident
}

// Stats reads the use of all containers that run now, sorted by namespace, pod
// and container.
func (k *Kubelet) Stats() []ContainerStats {
	var all []ContainerStats
	for _, w := range k.allWorkers() {
		all = append(all, w.stats()...)
	}
	slices.SortFunc(all, func(a, b ContainerStats) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	return all
}

func (w *worker) stats() []ContainerStats {
	w.mu.Lock()
	var all []ContainerStats
	for _, c := range w.containers {
		if c.running() && c.proc.running() {
			all = append(all, ContainerStats{
				Namespace: w.pod.Namespace, Pod: w.pod.Name, UID: string(w.uid), Container: c.name,
				Image: c.image, PID: c.proc.pid(), Started: c.proc.started, Ready: c.ready,
			})
		}
	}
	w.mu.Unlock()
	out := all[:0]
	for _, s := range all {
		cpu, memory, err := use(s.PID)
		if err != nil { // it just ended
			continue
		}
		s.CPUSeconds, s.MemoryBytes = cpu, memory
		out = append(out, s)
	}
	return out
}
