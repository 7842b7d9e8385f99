package metrics

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Interval is what went over the edges of a namespace in some time.
type Interval struct {
	At      time.Time // its end
	Seconds float64
	Edges   map[Edge]Seen
}

// KnowsIstio tells whether a Prometheus scrapes Istio's proxies at all: without
// their series an empty answer would be taken for no traffic. The error wraps
// ErrUnavailable.
func KnowsIstio(ctx context.Context, s Source) (bool, error) {
	p, ok := s.(*prometheus)
	if !ok {
		return false, nil
	}
	found, err := p.query(ctx, "count({__name__=~\""+requestsTotal+"|istio_build\"})")
	return len(found) > 0, err
}

// History is what Prometheus knows of a namespace's edges in the span until now,
// step by step, the oldest first. Each step has the rate of the four steps until
// its end, as Prometheus needs two scrapes for one. Errors wrap ErrUnavailable;
// other sources know no history.
func History(ctx context.Context, s Source, namespace string, span, step time.Duration) ([]Interval, error) {
	p, ok := s.(*prometheus)
	if !ok {
		return nil, fmt.Errorf("%w: %s know no history", ErrUnavailable, s.Name())
	}
	edge := "reporter,source_workload,destination_service_name,destination_workload"
	counted, err := p.queryRange(ctx, byEdge(requestsTotal, edge+",response_code,grpc_response_status", namespace, step), span, step)
	if err != nil {
		return nil, err
	}
	slow, err := p.queryRange(ctx, byEdge(requestDurations+"_bucket", edge+",le", namespace, step), span, step)
	if err != nil {
		return nil, err
	}
	h := &history{step: step.Seconds(), at: map[int64]*Interval{}}
	for _, s := range counted {
		h.count(s)
	}
	h.durations(slow)
	all := make([]Interval, 0, len(h.at))
	for _, i := range h.at {
		all = append(all, *i)
	}
	slices.SortFunc(all, func(a, b Interval) int { return a.At.Compare(b.At) })
	return all, nil
}

// byEdge sums up what a counter grows by per second. A request within a
// namespace, or into it, stands in one of the two selectors or in both.
func byEdge(metric, labels, namespace string, step time.Duration) string {
	window := int(4 * step.Seconds())
	rate := func(label string) string {
		return fmt.Sprintf("rate(%s{%s=%q}[%ds])", metric, label, namespace, max(window, 1))
	}
	return fmt.Sprintf("sum by (%s) (%s or %s)", labels, rate("destination_service_namespace"), rate("destination_workload_namespace"))
}

type history struct {
	step float64
	at   map[int64]*Interval // by Unix seconds
}

func (h *history) interval(t float64) *Interval {
	key := int64(math.Round(t))
	if h.at[key] == nil {
		h.at[key] = &Interval{At: time.Unix(key, 0), Seconds: h.step, Edges: map[Edge]Seen{}}
	}
	return h.at[key]
}

func (h *history) count(s timeline) {
	e, ok := edgeBy(s.labels)
	if !ok {
		return
	}
	for _, v := range s.values {
		i := h.interval(v.at)
		seen := i.Edges[e]
		n := v.value * h.step
		seen.Requests += n
		if failed(s.labels["response_code"], s.labels["grpc_response_status"]) {
			seen.Errors += n
		}
		i.Edges[e] = seen
	}
}

// durations turns the sums up to each bound into what fell between two.
func (h *history) durations(all []timeline) {
	type key struct {
		e        Edge
		reporter string
	}
	grouped := map[key][]timeline{}
	for _, s := range all {
		if e, ok := edgeBy(s.labels); ok {
			k := key{e, s.labels["reporter"]}
			grouped[k] = append(grouped[k], s)
		}
	}
	for k, list := range grouped {
		slices.SortFunc(list, func(a, b timeline) int { return cmp.Compare(a.bound(), b.bound()) })
		below := map[float64]float64{}
		for _, s := range list {
			for _, v := range s.values {
				n := max(0, v.value-below[v.at]) * h.step
				below[v.at] = max(v.value, below[v.at])
				if n > 0 {
					i := h.interval(v.at)
					seen := i.Edges[k.e]
					seen.Add(Seen{buckets: map[string]float64{s.labels["le"]: n}})
					i.Edges[k.e] = seen
				}
			}
		}
	}
}

// timeline is one of a range query's.
type timeline struct {
	labels map[string]string
	values []value
}

type value struct{ at, value float64 }

// bound is a bucket's.
func (s timeline) bound() float64 {
	le, err := strconv.ParseFloat(s.labels["le"], 64)
	if err != nil {
		return math.Inf(1)
	}
	return le
}

// queryRange asks for the span until now
// (prometheus.io/docs/prometheus/latest/querying/api, range queries).
func (p *prometheus) queryRange(ctx context.Context, expr string, span, step time.Duration) ([]timeline, error) {
	end := p.now().Truncate(step)
	stamp := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	form := url.Values{
		"query": {expr}, "timeout": {"10s"}, "start": {stamp(end.Add(-span))}, "end": {stamp(end)}, "step": {stamp(time.Unix(0, 0).Add(step))},
	}
	return results(ctx, p, "api/v1/query_range", form, "matrix", func(r result) (timeline, error) {
		one := timeline{labels: r.Metric}
		for _, v := range r.Values {
			read, err := v.read()
			if err != nil {
				return one, err
			}
			if !math.IsNaN(read.value) && !math.IsInf(read.value, 0) {
				one.values = append(one.values, read)
			}
		}
		return one, nil
	})
}
