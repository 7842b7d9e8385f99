package telemetry

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// The metrics of Istio's stats filter (Istio docs, "Istio Standard Metrics").
const (
	requestsTotal = iota
	requestDuration
	requestBytes
	responseBytes
	requestMessages
	responseMessages
	connectionsOpened
	connectionsClosed
	sentBytes
	receivedBytes
	metricCount
)

var metricNames = [metricCount]string{
	"requests_total", "request_duration_milliseconds", "request_bytes", "response_bytes",
	"request_messages_total", "response_messages_total",
	"tcp_connections_opened_total", "tcp_connections_closed_total", "tcp_sent_bytes_total", "tcp_received_bytes_total",
}

var metricHelp = [metricCount]string{
	"Requests that the proxy handled.", "Time from the request's first to the response's last byte, in milliseconds.",
	"Sizes of request bodies, in bytes.", "Sizes of response bodies, in bytes.",
	"gRPC messages from clients.", "gRPC messages from servers.",
	"TCP connections that were opened.", "TCP connections that were closed.",
	"Bytes sent downstream over TCP.", "Bytes received from downstream over TCP.",
}

// defaultBuckets are Envoy's default histogram buckets.
var defaultBuckets = []float64{
	0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}

// bucketsAnnotation replaces the buckets: {"istiocustom": [1, 10, 100]}.
const bucketsAnnotation = "sidecar.istio.io/statsHistogramBuckets"

// metrics are all series of a proxy. It is a collector that describes nothing
// beforehand, since filters may remove labels and so differ in their labels'
// names.
type metrics struct {
	registry *prometheus.Registry
	buckets  []float64

	mu    sync.RWMutex
	one   map[string]prometheus.Metric // by metric and labels
	order []prometheus.Metric
}

func newMetrics(t *Telemetry) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), one: map[string]prometheus.Metric{}, buckets: defaultBuckets}
	if text := t.o.Spec.Annotations[bucketsAnnotation]; text != "" {
		own := map[string][]float64{}
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			t.o.Log.Error("the pod's annotation is not read", "annotation", bucketsAnnotation, "error", err)
		}
		for prefix, buckets := range own {
			if strings.HasPrefix("istiocustom", prefix) && len(buckets) > 0 && slices.IsSorted(buckets) {
				m.buckets = buckets
			}
		}
	}
	m.registry.MustRegister(m)
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "istio_build", Help: "Version of the mesh's configuration that the proxy speaks.",
		ConstLabels: prometheus.Labels{"component": "proxy", "tag": or(t.o.Node.GetMetadata().GetFields()["ISTIO_VERSION"].GetStringValue(), unknown)}})
	build.Set(1)
	m.registry.MustRegister(build, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "envoy_server_uptime", Help: "Seconds since the proxy started."},
		func() float64 { return float64(int64(t.o.Now().Sub(t.started).Seconds())) }))
	return m
}

// Describe is empty: see metrics.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives all series.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.RLock()
	all := m.order
	m.mu.RUnlock()
	for _, one := range all {
		to <- one
	}
}

// series are the metrics of one set of labels; nil where the filter drops the
// metric.
type series struct {
	mu       sync.Mutex
	home     *metrics
	labels   []label
	shapes   [metricCount]shape
	counters [metricCount]prometheus.Counter
	observed [metricCount]prometheus.Histogram
}

// series makes the series of a kind of traffic; those of them that never count
// are never shown.
func (m *metrics) series(labels []label, shapes [metricCount]shape) *series {
	s := &series{home: m, labels: labels, shapes: shapes}
	tcp := false
	for _, l := range labels {
		tcp = tcp || l.name == "request_protocol" && l.value == "tcp"
	}
	for i := range metricCount {
		isTCP := i >= connectionsOpened
		isMessages := i == requestMessages || i == responseMessages
		if isTCP != tcp || isMessages {
			continue // made when they first count
		}
		s.make(i)
	}
	return s
}

func (s *series) make(metric int) {
	if s.shapes[metric].drop {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(s.labels), func(l label) bool { return slices.Contains(s.shapes[metric].remove, l.name) })
	if metric == requestMessages || metric == responseMessages {
		kept = slices.DeleteFunc(kept, func(l label) bool { return l.name == "response_code" || l.name == "grpc_response_status" })
	}
	slices.SortFunc(kept, func(a, b label) int { return cmp.Compare(a.name, b.name) })
	switch made := s.home.get(metric, kept).(type) {
	case prometheus.Histogram:
		s.observed[metric] = made
	case prometheus.Counter:
		s.counters[metric] = made
	}
}

func (m *metrics) get(metric int, labels []label) prometheus.Metric {
	var id strings.Builder
	id.WriteString(metricNames[metric])
	constant := prometheus.Labels{}
	for _, l := range labels {
		id.WriteString("\x00" + l.name + "\x00" + l.value)
		constant[l.name] = strings.ToValidUTF8(l.value, "\uFFFD")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.one[id.String()]; found != nil {
		return found
	}
	var made prometheus.Metric
	switch name := "istio_" + metricNames[metric]; metric {
	case requestDuration, requestBytes, responseBytes:
		made = prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: metricHelp[metric], ConstLabels: constant, Buckets: m.buckets})
	default:
		made = prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: metricHelp[metric], ConstLabels: constant})
	}
	m.one[id.String()] = made
	m.order = append(m.order, made)
	return made
}

func (s *series) add(metric int, n float64) {
	if metric == requestMessages || metric == responseMessages {
		s.mu.Lock()
		if s.counters[metric] == nil {
			s.make(metric)
		}
		s.mu.Unlock()
	}
	if c := s.counters[metric]; c != nil {
		c.Add(n)
	}
}

func (s *series) observe(metric int, n float64) {
	if h := s.observed[metric]; h != nil {
		h.Observe(n)
	}
}
