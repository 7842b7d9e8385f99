// Package telemetry is what the proxy tells about the traffic: Envoy's access
// log, Istio's metrics and the peer metadata they need, and the admin, metrics
// and probe ports of a sidecar (15000, 15020, 15021, 15090).
package telemetry

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// Options is what telemetry needs to know of its proxy.
type Options struct {
	Node *corev3.Node // its metadata name the workload
	Spec *pod.Spec
	Out  io.Writer                // access log; os.Stdout unless set
	Err  io.Writer                // access log of /dev/stderr; os.Stderr unless set
	Log  *slog.Logger             // slog.Default unless set
	Now  func() time.Time         // time.Now unless set
	Env  func(name string) string // os.Getenv unless set
	// Random decides which records a sampling access log filter takes;
	// math/rand unless set.
	Random func() uint64
}

// Telemetry holds what all access logs and metrics of one proxy share.
type Telemetry struct {
	o       Options
	gateway bool
	started time.Time
	local   workload
	metrics *metrics
	peers   *Peers

	mu    sync.Mutex
	sinks map[string]*sink // by path
	said  map[string]bool  // what is not supported, logged once
}

// New makes the telemetry of a proxy. Close it to have the access log written
// to its end.
func New(o Options) *Telemetry {
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Err == nil {
		o.Err = os.Stderr
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	if o.Spec == nil {
		o.Spec = &pod.Spec{}
	}
	t := &Telemetry{o: o, sinks: map[string]*sink{}, said: map[string]bool{}, started: o.Now()}
	t.gateway = strings.HasPrefix(o.Node.GetId(), "router~")
	t.local = localWorkload(o.Node)
	t.metrics = newMetrics(t)
	t.peers = newPeers(o.Node)
	return t
}

// Peers is how the proxy tells the other side who it is, and learns the same.
func (t *Telemetry) Peers() *Peers { return t.peers }

// Close writes what access logs still hold. Records logged later are lost.
func (t *Telemetry) Close() error {
	t.mu.Lock()
	sinks := t.sinks
	t.sinks = map[string]*sink{}
	t.mu.Unlock()
	var first error
	for _, s := range sinks {
		if err := s.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// unsupported logs once, by name, what this proxy does not do.
func (t *Telemetry) unsupported(text string) {
	t.mu.Lock()
	said := t.said[text]
	t.said[text] = true
	t.mu.Unlock()
	if !said {
		t.o.Log.Warn("not supported by the lab's proxy", "what", text)
	}
}
