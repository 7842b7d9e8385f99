// Package metricsapi serves metrics.k8s.io for the lab's one node: what
// `kubectl top` shows and the horizontal pod autoscaler counts. It takes what
// the kubelet measures of each container's process and gives rates between two
// readings, as metrics-server does.
package metricsapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Sample is one container at one moment.
type Sample struct {
	Namespace, Pod, Container string
	Labels                    map[string]string // of the pod
	CPU                       time.Duration     // used since the container started
	Memory                    int64             // bytes
}

// Options are what the server asks and where it listens.
type Options struct {
	Read   func() []Sample
	Node   string       // the node's name
	Listen net.Listener // plain; TLS is put on top
	TLS    *tls.Config
	Now    func() time.Time
	// Every is the time between readings; 15 s where 0, as metrics-server's.
	Every time.Duration
}

type server struct {
	o        Options
	mu       sync.Mutex
	at       time.Time
	window   time.Duration
	before   map[key]Sample
	current  []usage
	nodeCPU  time.Duration
	nodeSize int64
}

type key struct{ namespace, pod, container string }

type usage struct {
	Sample
	cores time.Duration // CPU time per second of the window
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, o Options) error {
	if o.Every == 0 {
		o.Every = 15 * time.Second
	}
	s := &server{o: o, before: map[key]Sample{}}
	s.read()
	go s.watch(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1", s.resources)
	mux.HandleFunc("GET /apis/metrics.k8s.io", s.group)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/nodes", s.nodes)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/nodes/{name}", s.nodes)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/pods", s.pods)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", s.pods)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}", s.pods)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	h := &http.Server{Handler: mux, TLSConfig: o.TLS, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = h.Close()
	}()
	if err := h.ServeTLS(o.Listen, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) watch(ctx context.Context) {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.read()
		}
	}
}

// read takes a reading. A container that was not there before has its CPU time
// since then counted over the whole window, never more than it can have used.
func (s *server) read() {
	samples, now := s.o.Read(), s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	window := now.Sub(s.at)
	if s.at.IsZero() || window <= 0 {
		window = s.o.Every
	}
	before := make(map[key]Sample, len(samples))
	s.current, s.nodeCPU, s.nodeSize = s.current[:0:0], 0, 0
	for _, sample := range samples {
		k := key{sample.Namespace, sample.Pod, sample.Container}
		used := sample.CPU
		if last, ok := s.before[k]; ok && last.CPU <= sample.CPU {
			used -= last.CPU
		}
		u := usage{Sample: sample, cores: time.Duration(float64(used) / window.Seconds())}
		s.current = append(s.current, u)
		s.nodeCPU += u.cores
		s.nodeSize += sample.Memory
		before[k] = sample
	}
	s.before, s.at, s.window = before, now, window
}

func list(cores time.Duration, memory int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(cores), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
	}
}

func (s *server) nodes(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := metricsv1.NodeMetrics{
		TypeMeta:   metav1.TypeMeta{Kind: "NodeMetrics", APIVersion: "metrics.k8s.io/v1beta1"},
		ObjectMeta: metav1.ObjectMeta{Name: s.o.Node}, Timestamp: metav1.NewTime(s.at),
		Window: metav1.Duration{Duration: s.window}, Usage: list(s.nodeCPU, s.nodeSize),
	}
	if name := r.PathValue("name"); name != "" {
		if name != s.o.Node {
			notFound(w, "nodes", name)
			return
		}
		answer(w, http.StatusOK, node)
		return
	}
	answer(w, http.StatusOK, metricsv1.NodeMetricsList{
		TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: "metrics.k8s.io/v1beta1"},
		Items:    []metricsv1.NodeMetrics{node},
	})
}

func (s *server) pods(w http.ResponseWriter, r *http.Request) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		answer(w, http.StatusBadRequest, metav1.Status{Status: metav1.StatusFailure, Code: 400, Message: err.Error(), Reason: metav1.StatusReasonBadRequest})
		return
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	found := s.podMetrics(func(u *usage) bool {
		return (namespace == "" || u.Namespace == namespace) && (name == "" || u.Pod == name) && selector.Matches(labels.Set(u.Labels))
	})
	if name == "" {
		answer(w, http.StatusOK, metricsv1.PodMetricsList{
			TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: "metrics.k8s.io/v1beta1"}, Items: found,
		})
		return
	}
	if len(found) == 0 {
		notFound(w, "pods", name)
		return
	}
	answer(w, http.StatusOK, found[0])
}

func (s *server) podMetrics(wanted func(*usage) bool) []metricsv1.PodMetrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []metricsv1.PodMetrics{}
	at := map[key]int{}
	for i := range s.current {
		u := &s.current[i]
		if !wanted(u) {
			continue
		}
		k := key{namespace: u.Namespace, pod: u.Pod}
		n, ok := at[k]
		if !ok {
			n = len(found)
			at[k] = n
			found = append(found, metricsv1.PodMetrics{
				TypeMeta:   metav1.TypeMeta{Kind: "PodMetrics", APIVersion: "metrics.k8s.io/v1beta1"},
				ObjectMeta: metav1.ObjectMeta{Namespace: u.Namespace, Name: u.Pod, Labels: u.Labels},
				Timestamp:  metav1.NewTime(s.at), Window: metav1.Duration{Duration: s.window},
			})
		}
		found[n].Containers = append(found[n].Containers, metricsv1.ContainerMetrics{Name: u.Container, Usage: list(u.cores, u.Memory)})
	}
	return found
}

func (s *server) resources(w http.ResponseWriter, _ *http.Request) {
	verbs := metav1.Verbs{"get", "list"}
	answer(w, http.StatusOK, metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: "metrics.k8s.io/v1beta1",
		APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	})
}

func (s *server) group(w http.ResponseWriter, _ *http.Request) {
	version := metav1.GroupVersionForDiscovery{GroupVersion: "metrics.k8s.io/v1beta1", Version: "v1beta1"}
	answer(w, http.StatusOK, metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: "metrics.k8s.io",
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	})
}

func notFound(w http.ResponseWriter, resource, name string) {
	answer(w, http.StatusNotFound, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: 404,
		Reason: metav1.StatusReasonNotFound, Message: strings.Join([]string{resource, ".metrics.k8s.io \"", name, "\" not found"}, ""),
	})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
