package metrics

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Names of Istio's standard metrics
// (istio.io/latest/docs/reference/config/metrics).
const (
	requestsTotal    = "istio_requests_total"
	requestDurations = "istio_request_duration_milliseconds"
)

// counts are what one proxy has counted for one workload. Buckets hold what fell
// into each, not the sums of all below, and leave empty ones out: that keeps a
// Mark small.
type counts struct {
	Requests float64            `json:"r"`
	Errors   float64            `json:"e,omitempty"`
	Buckets  map[string]float64 `json:"b,omitempty"` // by upper bound in milliseconds, "+Inf" for the last
}

// since gives what was counted after an earlier reading; a counter that went back
// began anew.
func (c counts) since(old counts) counts {
	if c.Requests < old.Requests {
		return c
	}
	now := counts{Requests: c.Requests - old.Requests, Errors: max(0, c.Errors-old.Errors), Buckets: map[string]float64{}}
	for le, n := range c.Buckets {
		if n -= old.Buckets[le]; n > 0 {
			now.Buckets[le] = n
		}
	}
	return now
}

func (c *counts) add(other counts) {
	c.Requests += other.Requests
	c.Errors += other.Errors
	if c.Buckets == nil {
		c.Buckets = map[string]float64{}
	}
	for le, n := range other.Buckets {
		c.Buckets[le] += n
	}
}

// quantile interpolates within a bucket, as Prometheus' histogram_quantile does:
// what fell into the last is taken for the largest bound. NaN without requests.
func (c counts) quantile(q float64) float64 {
	type bucket struct{ upper, n float64 }
	var all []bucket
	total := 0.0
	for le, n := range c.Buckets {
		if upper, err := strconv.ParseFloat(le, 64); err == nil {
			all = append(all, bucket{upper, n})
			total += n
		}
	}
	if total == 0 {
		return math.NaN()
	}
	slices.SortFunc(all, func(a, b bucket) int { return cmp.Compare(a.upper, b.upper) })
	rank, seen := q*total, 0.0
	for _, b := range all {
		if seen+b.n < rank {
			seen += b.n
			continue
		}
		lower := lowerBound(b.upper)
		if math.IsInf(b.upper, 1) {
			return lower
		}
		return lower + (b.upper-lower)*(rank-seen)/b.n
	}
	return all[len(all)-1].upper
}

// bounds are Envoy's default ones for times, in milliseconds
// (envoyproxy/envoy, source/common/stats/histogram_impl.cc).
var bounds = []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000}

func lowerBound(upper float64) float64 {
	lower := 0.0
	for _, b := range bounds {
		if b < upper {
			lower = b
		}
	}
	return lower
}

func (c counts) traffic(seconds float64) Traffic {
	return Traffic{Requests: c.Requests, Errors: c.Errors, P95: c.quantile(0.95), Duration: seconds}
}

// parse reads a proxy's exposition and gives its counts for the target's
// workloads. A request is counted where it is sent; those whose sender has no
// proxy are counted where they arrive.
func parse(r io.Reader, t Target) (map[string]counts, error) { return parseBy(r, t.takes) }

// parseBy gives the counts of the series that takes wants, by its key.
func parseBy[K comparable](r io.Reader, takes func(*dto.Metric) (K, map[string]string, bool)) (map[K]counts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("%w: read the proxy's counters: %w", ErrUnavailable, err)
	}
	all := map[K]counts{}
	for _, m := range families[requestsTotal].GetMetric() {
		workload, labels, ours := takes(m)
		if !ours {
			continue
		}
		c := all[workload]
		n := m.GetCounter().GetValue()
		if m.Counter == nil {
			n = m.GetUntyped().GetValue()
		}
		if math.IsNaN(n) || n < 0 {
			continue
		}
		c.Requests += n
		if failed(labels["response_code"], labels["grpc_response_status"]) {
			c.Errors += n
		}
		all[workload] = c
	}
	for _, m := range families[requestDurations].GetMetric() {
		if workload, _, ours := takes(m); ours {
			c := all[workload]
			c.add(counts{Buckets: histogram(m.GetHistogram())})
			all[workload] = c
		}
	}
	return all, nil
}

func histogram(h *dto.Histogram) map[string]float64 {
	buckets, below := map[string]float64{}, uint64(0)
	sorted := slices.SortedFunc(slices.Values(h.GetBucket()), func(a, b *dto.Bucket) int { return cmp.Compare(a.GetUpperBound(), b.GetUpperBound()) })
	for _, b := range sorted {
		if n := b.GetCumulativeCount(); n > below {
			buckets[strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)] = float64(n - below)
			below = n
		}
	}
	return buckets
}

// takes reports whether a series counts requests to one of the workloads, and
// not what another proxy counts already.
func (t Target) takes(m *dto.Metric) (workload string, labels map[string]string, ours bool) {
	labels = labelsOf(m)
	workload = labels["destination_workload"]
	if labels["destination_workload_namespace"] != t.Namespace || !slices.Contains(t.Workloads, workload) {
		return "", nil, false
	}
	switch labels["reporter"] {
	case "source":
		return workload, labels, true
	case "destination":
		return workload, labels, labels["source_workload"] == "unknown" || labels["source_workload"] == ""
	}
	return "", nil, false
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// failed: answers 5xx, requests without an answer, and gRPC statuses but OK.
func failed(code, grpc string) bool {
	return strings.HasPrefix(code, "5") && len(code) == 3 || code == "0" || grpc != "" && grpc != "0"
}
