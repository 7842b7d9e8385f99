// Package server owns the listeners: it binds what a snapshot's listeners say,
// finds the filter chain for each connection, ends TLS, and hands HTTP
// connections to a router and others to the TCP proxy. A new snapshot replaces
// chains without closing connections that still flow.
//
// There is no iptables. A sidecar binds POD:15001 for outbound connections that
// carry their destination in a PROXY v2 header, and each of the pod's own ports
// as virtualInbound with that original destination.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Options say for which pod the listeners are.
type Options struct {
	Spec *pod.Spec
	// Gateway is a proxy whose listeners are bound to ports of the pod; otherwise
	// it is a sidecar, between the pod's application and everybody else.
	Gateway   bool
	Clusters  *upstream.Clusters
	Telemetry *telemetry.Telemetry
	Log       *slog.Logger     // nothing by default
	Now       func() time.Time // time.Now by default
	Random    func() uint64    // math/rand/v2 by default

	// Node is what add_user_agent tells of this proxy; may be nil.
	Node *corev3.Node
	// Ports are the pod's container ports, as ISTIO_META_POD_PORTS lists them.
	// A sidecar owns them from the start.
	Ports []int
	// Drain is how long connections of a chain that was replaced may go on:
	// proxyConfig.drainDuration, 45 s by default.
	Drain time.Duration
	// TerminationDrain is how long Run waits for what still flows when its
	// context ends: proxyConfig.terminationDrainDuration, 5 s by default.
	TerminationDrain time.Duration
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	if o.Drain == 0 {
		o.Drain = 45 * time.Second
	}
	if o.TerminationDrain == 0 {
		o.TerminationDrain = 5 * time.Second
	}
	return o
}

// Server holds the listeners of one proxy.
type Server struct {
	o       Options
	base    context.Context // of all connections; ends after draining
	stop    context.CancelFunc
	ids     atomic.Uint64
	secrets *secrets

	mu        sync.Mutex // of Update
	snapshot  *xds.Snapshot
	sockets   map[string]*socket // by address bound
	retry     *time.Timer
	chains    map[*chain]bool // in use or draining
	draining  bool
	listeners atomic.Pointer[listenerSet]
}

// New gives a server without listeners.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), sockets: map[string]*socket{}, chains: map[*chain]bool{}}
	s.base, s.stop = context.WithCancel(context.Background())
	s.secrets = newSecrets(o.Spec, s.o.Now)
	s.listeners.Store(&listenerSet{byName: map[string]*listener{}})
	return s
}

// Update makes a snapshot the one that new connections see. A listener that is
// faulty keeps what it was; the error names each fault. Listeners and chains
// that did not change are not touched; connections of chains that are gone
// drain. Routes change for live connections at once.
func (s *Server) Update(snap *xds.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets.update(snap.Secrets)
	old := s.listeners.Load()
	next := &listenerSet{byName: map[string]*listener{}}
	var faults []error
	for _, name := range sortedNames(snap.Listeners) {
		l, err := s.listenerFor(old.byName[name], snap.Listeners[name], snap)
		if err != nil {
			faults = append(faults, fmt.Errorf("listener %s: %w", name, err))
			if l = old.byName[name]; l == nil {
				continue
			}
		}
		next.byName[name] = l
	}
	next.index()
	s.snapshot = snap
	s.setRoutes(next, snap)
	s.listeners.Store(next)
	faults = append(faults, s.bind(next, snap)...)
	s.retire(next)
	return errors.Join(faults...)
}

// setRoutes gives every manager the routes it names.
func (s *Server) setRoutes(set *listenerSet, snap *xds.Snapshot) {
	compiled := map[string]*routes{}
	for _, l := range set.byName {
		for _, c := range l.allChains() {
			if m := c.manager; m != nil {
				m.takeRoutes(snap, compiled)
			}
		}
	}
}

// retire drains the chains that no listener has any more.
func (s *Server) retire(set *listenerSet) {
	live := map[*chain]bool{}
	for _, l := range set.byName {
		for _, c := range l.allChains() {
			live[c] = true
			s.chains[c] = true
		}
	}
	for c := range s.chains {
		if live[c] {
			continue
		}
		delete(s.chains, c)
		c.drain(s.o.Drain)
	}
}

// Run waits until ctx ends, then drains: it accepts no more from others, lets
// what flows go on for the termination drain duration, tells clients to close,
// and closes what is left. Outbound connections of the pod itself are accepted
// until the end, since the application is being stopped at the same time.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	s.draining = true
	if s.retry != nil {
		s.retry.Stop()
	}
	for address, k := range s.sockets {
		if !k.outbound {
			_ = k.close()
			delete(s.sockets, address)
		}
	}
	chains := make([]*chain, 0, len(s.chains))
	for c := range s.chains {
		chains = append(chains, c)
	}
	s.mu.Unlock()
	for _, c := range chains {
		c.drain(s.o.TerminationDrain)
	}
	s.awaitQuiet(chains)
	s.mu.Lock()
	for _, k := range s.sockets {
		_ = k.close()
	}
	s.sockets = map[string]*socket{}
	s.mu.Unlock()
	s.stop()
	for _, c := range chains {
		c.closeAll()
	}
	s.o.Clusters.Close()
	return nil
}

// awaitQuiet waits until nothing flows, at most the termination drain duration.
// Connections that are open without a request count for a second only: their
// clients may be sending one just now.
func (s *Server) awaitQuiet(chains []*chain) {
	start := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		busy, open := 0, 0
		for _, c := range chains {
			b, o := c.load()
			busy, open = busy+b, open+o
		}
		passed := time.Since(start)
		if open == 0 || busy == 0 && passed >= time.Second || passed >= s.o.TerminationDrain {
			return
		}
	}
}

// Ready tells whether a snapshot was applied and all that it asks for is bound.
func (s *Server) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot != nil && s.retry == nil && !s.draining
}

// Unsupported names what the current listeners ask for and this lab refuses,
// sorted.
func (s *Server) Unsupported() []string {
	var out []string
	for _, l := range s.listeners.Load().byName {
		out = append(out, l.unsupported()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
