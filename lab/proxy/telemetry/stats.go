package telemetry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"istio.io/api/envoy/extensions/stats"

	udpav1 "github.com/cncf/xds/go/udpa/type/v1"
	xdsv3 "github.com/cncf/xds/go/xds/type/v3"
	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// Stats is one istio.stats filter. Filters of one proxy count into the same
// series where their configuration makes the same labels.
type Stats struct {
	t            *Telemetry
	hostFallback bool
	interval     time.Duration
	shapes       [metricCount]shape

	mu     sync.RWMutex
	series map[key]*series
}

// maxSeries bounds the label sets of one filter; what comes after is counted
// with an unknown service and peer.
const maxSeries = 10_000

// shape is how the filter reports one metric.
type shape struct {
	drop   bool
	remove []string
}

// Stats compiles an istio.stats filter: a stats.PluginConfig, alone, in an Any
// or in a TypedStruct. Dimensions (CEL expressions) and own definitions are not
// evaluated: they are logged once and told by the table of fields.
func (t *Telemetry) Stats(config proto.Message) (*Stats, error) {
	c, err := pluginConfig(config)
	if err != nil {
		return nil, fmt.Errorf("istio.stats: %w", err)
	}
	s := &Stats{
		t: t, hostFallback: !c.GetDisableHostHeaderFallback(), interval: 15 * time.Second,
		series: map[key]*series{},
	}
	if d := c.GetTcpReportingDuration().AsDuration(); d > 0 {
		s.interval = d
	}
	for _, m := range c.GetMetrics() {
		s.override(m)
	}
	for _, d := range c.GetDefinitions() {
		t.unsupported("istio.stats metric definition " + d.GetName())
	}
	if c.GetReporter() != stats.Reporter_UNSPECIFIED {
		t.unsupported("istio.stats reporter " + c.GetReporter().String())
	}
	return s, nil
}

func (s *Stats) override(m *stats.MetricConfig) {
	name := strings.TrimPrefix(m.GetName(), "istio_")
	metric := slices.Index(metricNames[:], name)
	if name != "" && metric < 0 {
		s.t.unsupported("istio.stats override of the metric " + m.GetName())
		return
	}
	for tag, expression := range m.GetDimensions() {
		s.t.unsupported("istio.stats dimension " + tag + " = " + expression)
	}
	for i := range s.shapes {
		if name != "" && i != metric {
			continue
		}
		s.shapes[i].drop = s.shapes[i].drop || m.GetDrop()
		s.shapes[i].remove = append(s.shapes[i].remove, m.GetTagsToRemove()...)
	}
}

func pluginConfig(m proto.Message) (*stats.PluginConfig, error) {
	c := &stats.PluginConfig{}
	switch m := m.(type) {
	case nil:
		return c, nil
	case *stats.PluginConfig:
		return m, nil
	case *anypb.Any:
		inner, err := m.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		return pluginConfig(inner)
	case *udpav1.TypedStruct:
		return c, fromStruct(m.GetTypeUrl(), m.GetValue(), c)
	case *xdsv3.TypedStruct:
		return c, fromStruct(m.GetTypeUrl(), m.GetValue(), c)
	}
	return nil, fmt.Errorf("%s is not its configuration", proto.MessageName(m))
}

func fromStruct(url string, value proto.Message, c *stats.PluginConfig) error {
	if !strings.HasSuffix(url, "stats.PluginConfig") {
		return fmt.Errorf("%s is not its configuration", url)
	}
	data, err := protojson.Marshal(value)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(data, c)
}

// of gives the series of a record, made at its first request.
func (s *Stats) of(r *flow.Record) *series {
	k := keyOf(r, s.hostFallback)
	s.mu.RLock()
	found := s.series[k]
	s.mu.RUnlock()
	if found != nil {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.series) >= maxSeries { // clients can invent Host headers and peers without end
		k.service, k.peer = service{}, remoteWorkload(nil)
	}
	if found = s.series[k]; found == nil {
		found = s.t.metrics.series(k.labels(s.t.local), s.shapes)
		s.series[k] = found
	}
	return found
}

// Observe counts a finished request, or a whole TCP connection that was not
// given to Open. A nil Stats counts nothing.
func (s *Stats) Observe(r *flow.Record) {
	if s == nil {
		return
	}
	if r.TCP {
		s.Open(r, nil).Close(r)
		return
	}
	one := s.of(r)
	one.add(requestsTotal, 1)
	one.observe(requestDuration, float64(r.Duration)/float64(time.Millisecond))
	one.observe(requestBytes, float64(r.BytesReceived))
	one.observe(responseBytes, float64(r.BytesSent))
}

// ObserveMessages counts the gRPC messages of a request, both directions.
func (s *Stats) ObserveMessages(r *flow.Record, request, response uint64) {
	if s == nil || request+response == 0 {
		return
	}
	one := s.of(r)
	one.add(requestMessages, float64(request))
	one.add(responseMessages, float64(response))
}

// Connection is a TCP connection that is being counted.
type Connection struct {
	series   *series
	progress func() (received, sent int64)
	timer    *time.Timer

	mu             sync.Mutex
	received, sent int64
	closed         bool
}

// Open counts a TCP connection from now on: call it once the upstream is known
// or has failed. Every tcp_reporting_duration the bytes that progress gives
// (received from and sent to downstream, so far) are added; nil adds them when
// the connection closes.
func (s *Stats) Open(r *flow.Record, progress func() (received, sent int64)) *Connection {
	if s == nil {
		return nil
	}
	c := &Connection{series: s.of(r), progress: progress}
	c.series.add(connectionsOpened, 1)
	if progress != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timer = time.AfterFunc(s.interval, func() { c.report(s.interval) })
	}
	return c
}

func (c *Connection) report(again time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.count(c.progress())
	c.timer.Reset(again)
}

func (c *Connection) count(received, sent int64) {
	c.series.add(receivedBytes, float64(max(received-c.received, 0)))
	c.series.add(sentBytes, float64(max(sent-c.sent, 0)))
	c.received, c.sent = received, sent
}

// Close counts the rest of the bytes (r.BytesReceived, r.BytesSent) and the
// connection as closed.
func (c *Connection) Close(r *flow.Record) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.count(r.BytesReceived, r.BytesSent)
	c.series.add(connectionsClosed, 1)
}

// decimal is a number as a label; "" where it is negative.
func decimal(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}
