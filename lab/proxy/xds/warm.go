package xds

import (
	"fmt"
	"maps"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// warmth is the outcome of one look at the store.
type warmth struct {
	snapshot *Snapshot // nil where nothing changed, or where the first one is not complete
	cold     []string  // what is held back, and for what
	next     time.Time // when to look again without news; zero for never
}

// warm puts what is ready into use. A cluster or listener that is not ready
// keeps its former version, or stays out; so does a route configuration that
// leads to a cluster which is not ready.
func (s *store) warm(now time.Time) warmth {
	w := &warmth{}
	var next [kinds]map[string]*resource
	next[clusters] = s.choose(w, now, clusters, s.ready)
	kept := s.retire(now, next[clusters])
	routed := s.choose(w, now, routes, func(w *warmth, now time.Time, r *resource) string { return s.reachable(r, next[clusters]) })
	next[listeners] = s.choose(w, now, listeners, func(w *warmth, now time.Time, r *resource) string {
		if text := s.ready(w, now, r); text != "" {
			return text
		}
		for _, n := range r.needs {
			if n.kind == routes && routed[n.name] == nil && s.accepted[routes][n.name] != nil {
				return "route configuration " + n.name
			}
		}
		return s.reachable(r, next[clusters])
	})
	next[routes] = needed(routes, routed, next[listeners])
	s.drop(w, kept, next)
	for _, k := range []kind{endpoints, secrets, filters} {
		next[k] = needed(k, s.accepted[k], next[clusters], next[listeners])
	}
	slices.Sort(w.cold)
	if s.last == nil && (!s.answered[clusters] || !s.answered[listeners] || len(w.cold) > 0) {
		return *w
	}
	s.put(w, next)
	return *w
}

// choose gives each resource of a kind in its newest version if blocked has
// nothing against it, else in that which is in use.
func (s *store) choose(w *warmth, now time.Time, k kind, blocked func(*warmth, time.Time, *resource) string) map[string]*resource {
	out := make(map[string]*resource, len(s.accepted[k]))
	for name, r := range s.accepted[k] {
		text := ""
		if s.use[k][name] != r {
			text = blocked(w, now, r)
		}
		if text == "" {
			out[name] = r
			continue
		}
		w.cold = append(w.cold, fmt.Sprintf("%s %s waits for %s", traitsOf[k].noun, name, text))
		if old := s.use[k][name]; old != nil {
			out[name] = old
		}
	}
	return out
}

// ready tells what a resource has to wait for; "" for nothing. It gives up when
// the initial fetch timeout has passed.
func (s *store) ready(w *warmth, now time.Time, r *resource) string {
	text := ""
	for _, n := range r.needs {
		if n.optional || s.accepted[n.kind][n.name] != nil || s.absent[n.kind][n.name] {
			delete(s.waiting, n.key)
			continue
		}
		on := s.waiting[n.key]
		if on == nil {
			on = &wait{until: now.Add(min(n.timeout, 24*time.Hour))}
			if n.timeout <= 0 {
				// Istio sends 0, with which Envoy waits for ever; a listener that
				// never appears is harder to understand than one without routes.
				on.until = now.Add(s.timeout)
			}
			s.waiting[n.key] = on
		}
		if !now.Before(on.until) {
			if !on.gaveUp {
				s.log.Warn("initial fetch timed out, going on without", "type", traitsOf[n.kind].noun, "name", n.name)
			}
			on.gaveUp = true
			continue
		}
		w.at(on.until)
		text = traitsOf[n.kind].noun + " " + n.name
	}
	return text
}

// reachable tells which cluster that r leads to is still being warmed; one that
// istiod has not sent at all is none of them.
func (s *store) reachable(r *resource, ready map[string]*resource) string {
	for _, name := range r.uses {
		if s.accepted[clusters][name] != nil && ready[name] == nil {
			return "cluster " + name
		}
	}
	return ""
}

// retire adds clusters that were removed a short time ago, and gives their names.
func (s *store) retire(now time.Time, next map[string]*resource) map[string]time.Time {
	kept := map[string]time.Time{}
	for name, r := range s.use[clusters] {
		if s.accepted[clusters][name] != nil {
			delete(s.retiring, name)
			continue
		}
		until, ok := s.retiring[name]
		if !ok {
			until = now.Add(retirement)
			s.retiring[name] = until
		}
		if now.Before(until) {
			next[name], kept[name] = r, until
		}
	}
	return kept
}

// drop takes removed clusters away that no route or listener leads to.
func (s *store) drop(w *warmth, kept map[string]time.Time, next [kinds]map[string]*resource) {
	if len(kept) > 0 {
		for _, k := range []kind{routes, listeners} {
			for _, r := range next[k] {
				for _, name := range r.uses {
					if until, ok := kept[name]; ok {
						w.at(until)
						delete(kept, name)
					}
				}
			}
		}
	}
	for name := range kept {
		delete(next[clusters], name)
	}
	for name := range s.retiring {
		if next[clusters][name] == nil {
			delete(s.retiring, name)
		}
	}
}

// needed gives those of all that the users need.
func needed(k kind, all map[string]*resource, users ...map[string]*resource) map[string]*resource {
	out := map[string]*resource{}
	for _, from := range users {
		for _, r := range from {
			for _, n := range r.needs {
				if n.kind == k && all[n.name] != nil {
					out[n.name] = all[n.name]
				}
			}
		}
	}
	return out
}

func (w *warmth) at(t time.Time) {
	if w.next.IsZero() || t.Before(w.next) {
		w.next = t
	}
}

// put makes a snapshot of what is in use now, if that has changed.
func (s *store) put(w *warmth, next [kinds]map[string]*resource) {
	same := s.last != nil
	for k := range kinds {
		same = same && maps.Equal(next[k], s.use[k])
	}
	if same {
		return
	}
	s.use = next
	s.count++
	s.last = &Snapshot{
		Number:    s.count,
		Listeners: messages[*listenerv3.Listener](next[listeners]),
		Routes:    messages[*routev3.RouteConfiguration](next[routes]),
		Clusters:  messages[*clusterv3.Cluster](next[clusters]),
		Endpoints: map[string]*endpointv3.ClusterLoadAssignment{},
		Secrets:   messages[*tlsv3.Secret](next[secrets]),
		Filters:   messages[*corev3.TypedExtensionConfig](next[filters]),
	}
	for name, r := range next[clusters] {
		for _, n := range r.needs {
			if have := next[endpoints][n.name]; n.kind == endpoints && have != nil {
				s.last.Endpoints[name] = have.message.(*endpointv3.ClusterLoadAssignment)
			}
		}
	}
	w.snapshot = s.last
}

func messages[M proto.Message](resources map[string]*resource) map[string]M {
	out := make(map[string]M, len(resources))
	for name, r := range resources {
		out[name] = r.message.(M)
	}
	return out
}
