package live

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/overview"
)

const (
	sampleEvery = 3 * time.Second
	// kept is how far back samples go, and lately what shares and times are of.
	kept                    = 15 * time.Minute
	lately                  = time.Minute
	byProxies, byPrometheus = "proxies", "prometheus"
	// idle is how long a place is measured on though nobody looks.
	idle = 2 * time.Minute
)

// Traffic is what went over the edges of a namespace.
type Traffic struct {
	Measured   string        `json:"measured" enum:"proxies,prometheus" doc:"What was asked: the proxies' own counters, or a Prometheus that scrapes them."`
	Prometheus string        `json:"prometheus,omitempty" doc:"Which Prometheus."`
	Since      time.Time     `json:"since"`
	Notes      []string      `json:"notes" doc:"What is missing, and why."`
	Step       float64       `json:"step" doc:"Seconds between two points of a series."`
	Edges      []TrafficEdge `json:"edges"`
}

// TrafficEdge is who calls whom, over the last minute.
type TrafficEdge struct {
	From      string         `json:"from" doc:"A workload; unknown for who has no proxy." example:"istio-ingressgateway"`
	To        string         `json:"to" doc:"A workload."`
	Service   string         `json:"service"`
	Namespace string         `json:"namespace"`
	Wished    *int           `json:"wished,omitempty" doc:"Percent, by the routes."`
	Real      *float64       `json:"real,omitempty" doc:"Percent of what the same caller sent to the service."`
	Requests  float64        `json:"requests"`
	Rate      float64        `json:"rate" doc:"Per second."`
	ErrorRate float64        `json:"errorRate" doc:"0-1."`
	P50       *float64       `json:"p50,omitempty" doc:"Milliseconds."`
	P95       *float64       `json:"p95,omitempty" doc:"Milliseconds."`
	Series    []TrafficPoint `json:"series" doc:"Of the last 15 minutes, the oldest first."`
}

// TrafficPoint is one sample of an edge.
type TrafficPoint struct {
	T      int64    `json:"t" doc:"Unix seconds."`
	Rate   float64  `json:"rate"`
	Errors float64  `json:"errors" doc:"Per second."`
	P95    *float64 `json:"p95,omitempty"`
}

// Traffic hands what goes over a place's edges to show, every few seconds, until
// ctx ends or show fails.
func (l *Clusters) Traffic(ctx context.Context, p Place, show func(Traffic) error) error {
	t, err := l.Find(ctx, p.Context)
	if err != nil {
		return err
	}
	p.Context = t.Name
	return l.traffic.follow(ctx, p, show)
}

// TrafficNow is what is known at the moment; where nobody looked before it takes
// some seconds, until something was seen or could have been.
func (l *Clusters) TrafficNow(ctx context.Context, p Place) (Traffic, error) {
	var now Traffic
	enough, seen := errors.New("enough"), 0
	err := l.Traffic(ctx, p, func(t Traffic) error {
		now = t
		if seen++; len(t.Edges) > 0 || len(t.Notes) > 0 || seen > 1 {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return now, err
}

// measure reads until nobody is left.
func (l *Clusters) measure(ctx context.Context, p Place, tell func(Traffic)) {
	m := &measuring{place: p, since: time.Now()}
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		t := m.next(ctx, l)
		if ctx.Err() != nil {
			return
		}
		tell(t)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// measuring is what is known of one place.
type measuring struct {
	place   Place
	since   time.Time
	client  *cluster.Client
	last    *metrics.Reading
	samples []metrics.Interval        // of the proxies' counters
	wished  map[string]map[string]int // service, workload
	looked  time.Time
	asked   prometheus
}

func (m *measuring) next(ctx context.Context, l *Clusters) Traffic {
	out := Traffic{Measured: byProxies, Since: m.since, Notes: []string{}, Step: sampleEvery.Seconds(), Edges: []TrafficEdge{}}
	if err := m.connect(ctx, l); err != nil {
		out.Notes = append(out.Notes, err.Error())
		return m.edges(out, m.samples)
	}
	found, note := m.asked.edges(ctx, l, m.client, m.place.Namespace)
	if note != "" {
		out.Notes = append(out.Notes, note)
	}
	if found != nil {
		out.Measured, out.Prometheus, out.Step = byPrometheus, m.asked.name, prometheusStep.Seconds()
		if len(found) > 0 {
			out.Since = found[0].At
		}
		return m.edges(out, found)
	}
	reading, err := m.read(ctx)
	if err != nil {
		m.client, m.last = nil, nil // who asks next begins anew
		out.Notes = append(out.Notes, err.Error())
		return m.edges(out, m.samples)
	}
	out.Notes = append(out.Notes, reading.Notes...)
	if m.last != nil {
		m.samples = append(m.samples, metrics.Interval{At: reading.At, Seconds: reading.At.Sub(m.last.At).Seconds(), Edges: reading.Since(m.last)})
	}
	m.last = reading
	m.samples = slices.DeleteFunc(m.samples, func(s metrics.Interval) bool { return reading.At.Sub(s.At) > kept })
	return m.edges(out, m.samples)
}

// connect finds the cluster, and now and then what the routes wish.
func (m *measuring) connect(ctx context.Context, l *Clusters) error {
	if m.client == nil {
		c, _, err := l.Client(ctx, m.place.Context, m.place.Namespace)
		if err != nil {
			return err
		}
		m.client = c
	}
	if time.Since(m.looked) > 5*sampleEvery || m.wished == nil {
		m.looked = time.Now()
		if o, err := overview.Read(ctx, m.client, overview.Options{}); err == nil {
			m.wished = wishes(o)
		}
	}
	return nil
}

func (m *measuring) read(ctx context.Context) (*metrics.Reading, error) {
	gateways, err := metrics.GatewaySelectors(ctx, m.client)
	if err != nil {
		return nil, err
	}
	return metrics.Edges(ctx, m.client, gateways, m.place.Namespace)
}

// wishes are the weights of the routes, by service and workload.
func wishes(o *overview.Overview) map[string]map[string]int {
	all := map[string]map[string]int{}
	for _, s := range o.Services {
		for _, w := range s.Workloads {
			i := slices.IndexFunc(s.Tracks, func(t overview.Track) bool { return t.Subset == w.Track })
			if i < 0 || s.Tracks[i].Wished == nil {
				continue
			}
			if all[s.Name] == nil {
				all[s.Name] = map[string]int{}
			}
			all[s.Name][w.Name] = *s.Tracks[i].Wished
		}
	}
	return all
}

// edges adds what the samples say.
func (m *measuring) edges(out Traffic, samples []metrics.Interval) Traffic {
	sums, seconds := map[metrics.Edge]metrics.Seen{}, 0.0
	series := map[metrics.Edge][]TrafficPoint{}
	var newest time.Time
	if n := len(samples); n > 0 {
		newest = samples[n-1].At
	}
	for _, s := range samples {
		recent := newest.Sub(s.At) < lately
		if recent {
			seconds += s.Seconds
		}
		for e, seen := range s.Edges {
			if recent {
				sum := sums[e]
				sum.Add(seen)
				sums[e] = sum
			}
			series[e] = append(series[e], TrafficPoint{s.At.Unix(), seen.Requests / s.Seconds, seen.Errors / s.Seconds, number(seen.Quantile(0.95))})
		}
	}
	type callerOf struct{ from, service string }
	totals := map[callerOf]float64{}
	for e, sum := range sums {
		totals[callerOf{e.From, e.Service}] += sum.Requests
	}
	for e := range maps.Keys(series) {
		sum := sums[e]
		edge := TrafficEdge{From: e.From, To: e.To, Service: e.Service, Namespace: m.place.Namespace, Requests: sum.Requests, Series: series[e]}
		if w, ok := m.wished[e.Service][e.To]; ok {
			edge.Wished = &w
		}
		if sum.Requests > 0 {
			edge.Rate, edge.ErrorRate = sum.Requests/seconds, sum.Errors/sum.Requests
			edge.P50, edge.P95 = number(sum.Quantile(0.5)), number(sum.Quantile(0.95))
			edge.Real = number(100 * sum.Requests / totals[callerOf{e.From, e.Service}])
		}
		out.Edges = append(out.Edges, edge)
	}
	slices.SortFunc(out.Edges, func(a, b TrafficEdge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Service, b.Service), cmp.Compare(a.To, b.To))
	})
	return out
}

// number leaves out what is none.
func number(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}
