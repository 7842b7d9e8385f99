package metrics

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	dto "github.com/prometheus/client_model/go"

	"github.com/meshstorm/meshstorm/cluster"
)

// Edge is who calls whom.
type Edge struct {
	From    string // the calling workload, as istio-ingressgateway; "unknown" for who has no proxy
	Service string // the Service that was called
	To      string // the workload that was to answer; "unknown" where none could be found
}

// Reading is what the proxies had counted of a namespace's edges at a time.
type Reading struct {
	At time.Time
	// Notes name the proxies that did not answer; what they counted is missing.
	Notes   []string
	proxies map[string]map[Edge]counts
}

// Seen is what went over an edge between two readings.
type Seen struct {
	Requests float64
	Errors   float64 // answers 5xx, and requests without an answer
	buckets  map[string]float64
}

// Quantile is the time within which that share (0–1) of the requests was
// answered, in milliseconds; NaN without requests.
func (s Seen) Quantile(q float64) float64 { return counts{Buckets: s.buckets}.quantile(q) }

// Add adds what was seen at another time.
func (s *Seen) Add(other Seen) {
	sum := counts{Requests: s.Requests, Errors: s.Errors, Buckets: s.buckets}
	sum.add(counts{Requests: other.Requests, Errors: other.Errors, Buckets: other.buckets})
	s.Requests, s.Errors, s.buckets = sum.Requests, sum.Errors, sum.Buckets
}

// Edges reads the counters of the gateways, whose pods have these labels, and of
// all sidecars in the namespace. Errors wrap ErrUnavailable.
func Edges(ctx context.Context, c *cluster.Client, gateways []map[string]string, namespace string) (*Reading, error) {
	s := &counters{client: c, gateways: gateways}
	pods, err := s.pods(ctx, namespace)
	if err != nil {
		return nil, err
	}
	r := &Reading{At: time.Now(), proxies: map[string]map[Edge]counts{}}
	var mu sync.Mutex
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(scrapesAtOnce)
	for i := range pods {
		pod := &pods[i]
		group.Go(func() error {
			text, err := s.scrape(each, pod)
			var all map[Edge]counts
			if err == nil {
				all, err = parseBy(bytes.NewReader(text), func(m *dto.Metric) (Edge, map[string]string, bool) { return edgeOf(m, namespace) })
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.Notes = append(r.Notes, fmt.Sprintf("the proxy of pod %s/%s does not tell its counters: %v", pod.Namespace, pod.Name, err))
				return ctx.Err()
			}
			r.proxies[identity(pod)] = all
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(r.Notes)
	return r, nil
}

// edgeOf tells which edge a series counts, if it is one of the namespace's and
// no other proxy counts it already.
func edgeOf(m *dto.Metric, namespace string) (Edge, map[string]string, bool) {
	labels := labelsOf(m)
	if labels["destination_service_namespace"] != namespace && labels["destination_workload_namespace"] != namespace {
		return Edge{}, nil, false
	}
	e, ok := edgeBy(labels)
	return e, labels, ok
}

// edgeBy is the edge that labels name, if this reporter's word counts: that of
// the sender, or of the receiver where the sender has no proxy.
func edgeBy(labels map[string]string) (Edge, bool) {
	e := Edge{From: cmp.Or(labels["source_workload"], "unknown"), Service: labels["destination_service_name"], To: cmp.Or(labels["destination_workload"], "unknown")}
	if strings.TrimSpace(e.Service) == "" {
		return Edge{}, false
	}
	switch labels["reporter"] {
	case bySender:
		return e, true
	case byReceiver:
		return e, e.From == "unknown"
	}
	return Edge{}, false
}

// Since is what went over each edge since an earlier reading. A proxy that the
// earlier one did not have began in between, if it is not the first reading.
func (r *Reading) Since(old *Reading) map[Edge]Seen {
	all := map[Edge]Seen{}
	for proxy, edges := range r.proxies {
		for e, c := range edges {
			d := c.since(old.proxies[proxy][e])
			sum := all[e]
			sum.Add(Seen{d.Requests, d.Errors, d.Buckets})
			all[e] = sum
		}
	}
	return all
}
