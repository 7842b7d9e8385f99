package router

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/route"
)

// exchange is one request on its way.
type exchange struct {
	r   *Router
	t   *table
	w   http.ResponseWriter
	req *http.Request
	in  http.Header // the request's headers, changed in place
	rec flow.Record

	ask       route.Request // as the route sees it
	headers   [16]route.Header
	decision  route.Decision
	plan      *plan
	path      string // with the query, changed by what comes before the route
	authority string
	forwarded string // x-forwarded-proto
	edge      bool   // the client is outside and this is the first trusted proxy
	internal  bool
	upgrade   string // the protocol that the client wants to upgrade to, lower-case
	operation string // the decorator's name, for the response

	cors      *corsMatch
	peerAsked bool // the client sent its metadata
	setCookie []string
	limit     uint64 // of the response, in bytes per second
	release   []func()

	ctx                             context.Context // ends with the client and with the timeouts
	cancel                          context.CancelCauseFunc
	timers                          timers
	upload                          *upload
	messages                        [2]messageCounter // gRPC messages of request and response
	started                         bool              // the response's head is written
	aborted                         bool              // the connection has to break off
	routed                          bool              // the route's own changes hold for answers, too
	sent                            time.Time         // when the request was sent upstream as a whole
	sentNano                        atomic.Int64      // when the client's whole request had come
	answering                       atomic.Bool       // the response began: per-try timeouts are over
	redirects                       int               // internal redirects so far
	host                            *upstream.Host
	suppress, expected, altResponse bool // of the router and the request
}

func (x *exchange) serve() {
	x.ctx = x.req.Context()
	if !x.begin() {
		return
	}
	x.t = x.r.table.Load()
	if x.t == nil {
		x.rec.Flags.Add(flow.NoRoute)
		x.reply(reply{status: http.StatusNotFound, details: "route_not_found"})
		return
	}
	x.decide()
	if !x.upgradable() {
		return
	}
	x.watchStream()
	for _, f := range x.r.chain {
		if f.request(x) {
			return
		}
	}
}

// decide finds the route for the request as it is now.
func (x *exchange) decide() {
	x.ask = route.Request{
		Method: x.req.Method, Scheme: x.rec.Scheme, Authority: x.authority, Path: x.path, Headers: x.headers[:0],
		Random: x.r.o.Random(), Internal: x.internal, Protocol: x.rec.Protocol,
	}
	if x.t.asksHeaders {
		x.ask.Headers = appendHeaders(x.ask.Headers, x.in)
	} else {
		x.ask.Headers = append(x.ask.Headers, route.Header{Name: "x-forwarded-proto", Value: x.forwarded})
	}
	if tls := x.rec.Downstream.TLS; tls != nil {
		x.ask.TLS = &route.TLS{Presented: len(tls.PeerCertificates) > 0, Validated: len(tls.VerifiedChains) > 0}
	}
	x.decision = x.t.config.Decide(&x.ask)
	x.plan = nil
	if x.decision.Route != nil {
		x.plan = x.planOf(x.decision.Route)
		x.rec.RouteName = x.decision.Route.Name
	}
}

// fullAsk is the request with all its headers, for effects.
func (x *exchange) fullAsk() *route.Request {
	x.ask.Headers = appendHeaders(x.headers[:0], x.in)
	if x.ask.Remote == "" && x.rec.Downstream.Remote.IsValid() {
		x.ask.Remote = x.rec.Downstream.Remote.String()
	}
	return &x.ask
}

func appendHeaders(to []route.Header, from http.Header) []route.Header {
	for name, values := range from {
		for _, v := range values {
			to = append(to, route.Header{Name: name, Value: v})
		}
	}
	return to
}

// finish writes the record and gives it to who asks for it.
func (x *exchange) finish() {
	for _, f := range x.release {
		f()
	}
	x.timers.stop()
	if x.cancel != nil {
		x.cancel(nil)
	}
	r := &x.rec
	r.Duration = x.r.o.Now().Sub(r.Start)
	r.RequestHeaders = x.in
	if len(r.Flags) > 1 {
		slices.SortStableFunc(r.Flags, func(a, b string) int { return slices.Index(flagOrder, a) - slices.Index(flagOrder, b) })
	}
	if x.upload != nil {
		r.BytesReceived = x.upload.count.Load()
		if r.Attempts > 0 {
			r.UpstreamWritten += r.BytesReceived
		}
	}
	if r.GRPC && r.GRPCStatus < 0 {
		r.GRPCStatus = grpcStatusOf(r.ResponseTrailers, r.ResponseHeaders)
	}
	for _, s := range x.r.stats {
		s.Observe(r)
		if x.r.counts && r.GRPC {
			s.ObserveMessages(r, x.messages[0].n.Load(), x.messages[1].n.Load())
		}
	}
	x.r.log.Log(r)
	if x.aborted {
		panic(http.ErrAbortHandler)
	}
}

// flagOrder is the order in which Envoy lists response flags.
var flagOrder = []string{
	flow.NoHealthyUpstream, flow.UpstreamTimeout, flow.LocalReset, flow.UpstreamReset, flow.UpstreamFailure,
	flow.UpstreamTermination, flow.UpstreamOverflow, flow.NoRoute, flow.DelayInjected, flow.FaultInjected,
	flow.DownstreamTermination, flow.RetryLimit, flow.StreamIdleTimeout, flow.DownstreamProtocolError, flow.MaxDuration,
	flow.DurationTimeout, flow.UpstreamProtocolError, flow.NoCluster, flow.OverloadManager, flow.DNSFailure,
}

func grpcStatusOf(all ...http.Header) int {
	for _, h := range all {
		if v := h["Grpc-Status"]; len(v) > 0 {
			if n, err := strconv.Atoi(v[0]); err == nil {
				return n
			}
		}
	}
	return -1
}

// isGRPC tells whether a content type is gRPC's (Envoy:
// Grpc::Common::hasGrpcContentType).
func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// gone tells whether the client has left, and notes it.
func (x *exchange) gone() bool {
	if x.req.Context().Err() == nil {
		return false
	}
	x.rec.Flags.Add(flow.DownstreamTermination)
	x.rec.Details = "downstream_remote_disconnect"
	x.aborted = true
	return true
}
