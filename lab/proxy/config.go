package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// podPorts reads ISTIO_META_POD_PORTS, in which the injector lists the container
// ports of the whole pod.
func podPorts(text string, log *slog.Logger) []int {
	var list []struct {
		Port     int    `json:"containerPort"`
		Protocol string `json:"protocol"`
	}
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		log.Warn("ISTIO_META_POD_PORTS cannot be read", "error", err)
		return nil
	}
	var ports []int
	for _, p := range list {
		if p.Protocol == "" || p.Protocol == "TCP" {
			ports = append(ports, p.Port)
		}
	}
	return ports
}

// lacks is what istiod sent and the proxy does not evaluate.
type lacks struct {
	table *fields.Table
	log   *slog.Logger

	mu     sync.Mutex
	known  map[proto.Message][]string // by resource of the newest snapshot
	logged map[string]bool
}

func newLacks(t *fields.Table, log *slog.Logger) *lacks {
	return &lacks{table: t, log: log, known: map[proto.Message][]string{}, logged: map[string]bool{}}
}

// look walks the resources that the snapshot before did not have.
func (l *lacks) look(s *xds.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := map[proto.Message][]string{}
	see(l, now, s.Listeners)
	see(l, now, s.Routes)
	see(l, now, s.Clusters)
	see(l, now, s.Endpoints)
	see(l, now, s.Secrets)
	see(l, now, s.Filters)
	l.known = now
}

func see[M proto.Message](l *lacks, now map[proto.Message][]string, all map[string]M) {
	for _, m := range all {
		texts, ok := l.known[m]
		if !ok {
			texts = l.table.Unsupported(m)
			for _, text := range texts {
				l.note(text)
			}
		}
		now[m] = texts
	}
}

func (l *lacks) logOnce(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(text)
}

func (l *lacks) note(text string) {
	if !l.logged[text] {
		l.logged[text] = true
		l.log.Warn("not supported: " + strings.TrimPrefix(text, "unsupported: "))
	}
}

func (l *lacks) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	set := map[string]bool{}
	for _, texts := range l.known {
		for _, t := range texts {
			set[t] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// latest is the newest snapshot, for the admin port.
type latest struct{ snapshot atomic.Pointer[xds.Snapshot] }

func (l *latest) set(s *xds.Snapshot) { l.snapshot.Store(s) }

// dump gives every resource by kind and name. Secrets are named, not shown.
func (l *latest) dump() map[string]any {
	s := l.snapshot.Load()
	if s == nil {
		return map[string]any{}
	}
	return map[string]any{"listeners": s.Listeners, "routes": s.Routes, "clusters": s.Clusters, "endpoints": s.Endpoints,
		"secrets": slices.Sorted(maps.Keys(s.Secrets)), "filters": s.Filters}
}

func (l *latest) listeners(w io.Writer) {
	s := l.snapshot.Load()
	if s == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Listeners)) {
		a := s.Listeners[name].GetAddress().GetSocketAddress()
		_, _ = fmt.Fprintf(w, "%s::%s:%d\n", name, a.GetAddress(), a.GetPortValue())
	}
}

func (l *latest) clusters(w io.Writer) {
	s := l.snapshot.Load()
	if s == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Clusters)) {
		for _, locality := range s.Endpoints[name].GetEndpoints() {
			for _, e := range locality.GetLbEndpoints() {
				a := e.GetEndpoint().GetAddress().GetSocketAddress()
				_, _ = fmt.Fprintf(w, "%s::%s:%d::health_flags::%s\n", name, a.GetAddress(), a.GetPortValue(), e.GetHealthStatus())
			}
		}
	}
}
