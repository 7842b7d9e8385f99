package kubelet

import (
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// summary answers /stats/summary.
func (s *server) summary(w http.ResponseWriter, _ *http.Request) {
	now := metav1.NewTime(s.k.o.Now())
	sum := statsv1alpha1.Summary{Node: statsv1alpha1.NodeStats{NodeName: s.k.o.NodeName}}
	var cpu, memory uint64
	for _, c := range s.k.Stats() {
		nanos, bytes := uint64(c.CPUSeconds*1e9), c.MemoryBytes
		cpu, memory = cpu+nanos, memory+bytes
		at := len(sum.Pods) - 1
		if at < 0 || sum.Pods[at].PodRef.UID != c.UID {
			sum.Pods = append(sum.Pods, statsv1alpha1.PodStats{PodRef: statsv1alpha1.PodReference{Name: c.Pod, Namespace: c.Namespace, UID: c.UID}})
			at++
		}
		sum.Pods[at].Containers = append(sum.Pods[at].Containers, statsv1alpha1.ContainerStats{
			Name: c.Container, StartTime: metav1.NewTime(c.Started),
			CPU:    &statsv1alpha1.CPUStats{Time: now, UsageCoreNanoSeconds: &nanos},
			Memory: &statsv1alpha1.MemoryStats{Time: now, WorkingSetBytes: &bytes},
		})
	}
	sum.Node.CPU = &statsv1alpha1.CPUStats{Time: now, UsageCoreNanoSeconds: &cpu}
	sum.Node.Memory = &statsv1alpha1.MemoryStats{Time: now, WorkingSetBytes: &memory}
	answerJSON(w, sum)
}

// metrics answers /metrics/resource in Prometheus' text format.
func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	all := s.k.Stats()
	fmt.Fprintln(w, "# TYPE container_cpu_usage_seconds_total counter")
	for _, c := range all {
		fmt.Fprintf(w, "container_cpu_usage_seconds_total{container=%q,namespace=%q,pod=%q} %g\n", c.Container, c.Namespace, c.Pod, c.CPUSeconds)
	}
	fmt.Fprintln(w, "# TYPE container_memory_working_set_bytes gauge")
	for _, c := range all {
		fmt.Fprintf(w, "container_memory_working_set_bytes{container=%q,namespace=%q,pod=%q} %d\n", c.Container, c.Namespace, c.Pod, c.MemoryBytes)
	}
}
