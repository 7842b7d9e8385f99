package telemetry

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// Stats is one istio.stats filter.
type Stats struct{ t *Telemetry }

type metrics struct{}

func newMetrics(*Telemetry) *metrics { return &metrics{} }

type workload struct{}

func localWorkload(*corev3.Node) workload { return workload{} }

// Stats compiles an istio.stats filter (stats.PluginConfig, also as an Any or
// TypedStruct).
func (t *Telemetry) Stats(config proto.Message) (*Stats, error) { return &Stats{t: t}, nil }

// Observe counts a finished request, or a whole TCP connection that was not
// given to Open. A nil Stats counts nothing.
func (s *Stats) Observe(r *flow.Record) {}

// ObserveMessages counts the gRPC messages of a request, both directions.
func (s *Stats) ObserveMessages(r *flow.Record, request, response uint64) {}

// Connection is a TCP connection that is being counted.
type Connection struct{}

// Open counts a TCP connection from now on: call it once the upstream is known
// or has failed. Every tcp_reporting_duration the bytes that progress gives
// (received from and sent to downstream, so far) are added.
func (s *Stats) Open(r *flow.Record, progress func() (received, sent int64)) *Connection {
	return &Connection{}
}

// Close counts the rest of the bytes (r.BytesReceived, r.BytesSent) and the
// connection as closed.
func (c *Connection) Close(r *flow.Record) {}
