package kubelet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// leastGrace is what a process gets between SIGTERM and SIGKILL even when hooks
// took all of the grace period: the kubelet's minimum.
const leastGrace = 2 * time.Second

// ending is a pod on its way out.
type ending struct {
	hooks bool
	over  context.Context // done when the grace period is over
	stop  context.CancelFunc
	timer *time.Timer
	at    time.Time // when the timer fires
}

func (k *Kubelet) newEnding(grace time.Duration, hooks bool) *ending {
	e := &ending{hooks: hooks, at: k.o.Now().Add(grace)}
	e.over, e.stop = context.WithCancel(context.Background())
	e.timer = time.AfterFunc(grace, e.stop)
	return e
}

// end stops all containers of the pod. When it is ending already, a shorter
// grace period counts.
func (w *worker) end(p *corev1.Pod, grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	if e := w.ending; e != nil {
		if at := w.k.o.Now().Add(grace); at.Before(e.at) {
			e.at = at
			e.timer.Reset(grace)
		}
		return
	}
	w.ending = w.k.newEnding(grace, true)
	go w.stopAll(p, w.ending)
}

// stopAll ends the containers: hooks run at once and side by side; a sidecar
// gets its signal after the main containers and the sidecars that came after it
// ended (Kubernetes, "Pod termination with sidecar containers").
func (w *worker) stopAll(p *corev1.Pod, e *ending) {
	defer e.stop()
	var all sync.WaitGroup
	w.mu.Lock()
	reversed := slices.Clone(w.containers)
	w.mu.Unlock()
	slices.Reverse(reversed)
	var mains sync.WaitGroup
	for _, c := range reversed {
		if c.role == mainContainer {
			all.Add(1)
			mains.Add(1)
			go func() { defer all.Done(); defer mains.Done(); w.stop(p, c, e, nil) }()
		}
	}
	turn := make(chan struct{})
	go func(first chan struct{}) { mains.Wait(); close(first) }(turn)
	for _, c := range reversed {
		if c.role == mainContainer {
			continue
		}
		mine, next := turn, make(chan struct{})
		turn = next
		all.Add(1)
		go func() { defer all.Done(); defer close(next); w.stop(p, c, e, mine); e.wait(mine) }()
	}
	all.Wait()
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.poke()
}

// wait waits for a turn, at most until the grace period is over.
func (e *ending) wait(turn <-chan struct{}) {
	select {
	case <-turn:
	case <-e.over.Done():
	}
}

// stop ends one container: preStop, its turn, SIGTERM, the grace period,
// SIGKILL. It returns when the process is gone.
func (w *worker) stop(p *corev1.Pod, c *container, e *ending, turn <-chan struct{}) {
	w.mu.Lock()
	proc := c.proc
	if proc == nil || !proc.running() {
		w.mu.Unlock()
		return
	}
	c.killing = true
	w.mu.Unlock()
	spec := containerSpec(p, c.name)
	if e.hooks {
		w.k.event(p, c.name, corev1.EventTypeNormal, "Killing", "Stopping container "+c.name)
		w.preStop(p, spec, e, proc)
	}
	if turn != nil {
		select {
		case <-turn:
		case <-e.over.Done():
		case <-proc.done:
		}
	}
	w.terminate(spec, proc, e)
	w.exited(c, proc) // before the pod counts as stopped
}

func (w *worker) preStop(p *corev1.Pod, spec *corev1.Container, e *ending, proc *process) {
	if spec == nil || spec.Lifecycle == nil || spec.Lifecycle.PreStop == nil {
		return
	}
	if err := w.hook(e.over, spec, spec.Lifecycle.PreStop, proc.done); err != nil && proc.running() {
		w.k.event(p, spec.Name, corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed: "+err.Error())
	}
}

func (w *worker) terminate(spec *corev1.Container, proc *process, e *ending) {
	proc.send(stopSignal(spec))
	sent := time.NewTimer(leastGrace)
	defer sent.Stop()
	select {
	case <-proc.done:
		return
	case <-e.over.Done():
	}
	select {
	case <-proc.done:
		return
	case <-sent.C:
	}
	proc.send(syscall.SIGKILL)
	<-proc.done
}

// stopSignal is SIGTERM unless the container's lifecycle names another.
func stopSignal(spec *corev1.Container) syscall.Signal {
	if spec == nil || spec.Lifecycle == nil || spec.Lifecycle.StopSignal == nil {
		return syscall.SIGTERM
	}
	switch *spec.Lifecycle.StopSignal {
	case corev1.SIGINT:
		return syscall.SIGINT
	case corev1.SIGQUIT:
		return syscall.SIGQUIT
	case corev1.SIGHUP:
		return syscall.SIGHUP
	case corev1.SIGKILL:
		return syscall.SIGKILL
	case corev1.SIGUSR1:
		return syscall.SIGUSR1
	case corev1.SIGUSR2:
		return syscall.SIGUSR2
	}
	return syscall.SIGTERM
}

// kill ends one container of a pod that goes on; it will be started again if
// the pod's policy says so.
func (w *worker) kill(p *corev1.Pod, c *container, grace time.Duration, why string) {
	w.mu.Lock()
	proc := c.proc
	if proc == nil || c.killing || w.ending != nil {
		w.mu.Unlock()
		return
	}
	c.killing = true
	w.mu.Unlock()
	w.k.event(p, c.name, corev1.EventTypeNormal, "Killing", why)
	e := w.k.newEnding(grace, true)
	defer e.stop()
	spec := containerSpec(p, c.name)
	w.preStop(p, spec, e, proc)
	w.terminate(spec, proc, e)
}

// shutdown ends the processes because the lab ends: without hooks or a word to
// the API, for the pod is to run again when the lab does.
func (w *worker) shutdown(limit time.Duration) {
	w.mu.Lock()
	e := w.ending
	p := w.pod
	if e == nil && !w.stopped {
		e = w.k.newEnding(limit, false)
		w.ending = e
		w.mu.Unlock()
		w.stopAll(p, e)
		return
	}
	if e != nil {
		e.timer.Reset(limit)
	}
	w.mu.Unlock()
	for _, c := range w.containers {
		w.mu.Lock()
		proc := c.proc
		w.mu.Unlock()
		if proc != nil {
			<-proc.done
		}
	}
}

// unknownCommand is what a hook or probe gets that wants a program which the lab
// does not have.
func unknownCommand(command []string) error {
	return fmt.Errorf("the lab runs no commands in containers: %q; it knows pilot-agent wait and pilot-agent request only", command)
}
