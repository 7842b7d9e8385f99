package router

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/route"
)

// faultPolicy is a compiled HTTPFault.
type faultPolicy struct {
	m       *faultv3.HTTPFault
	headers *headerMatch
}

func newFault(m *faultv3.HTTPFault) (*faultPolicy, error) {
	if m.GetDelay() == nil && m.GetAbort() == nil && m.GetResponseRateLimit() == nil {
		return nil, nil
	}
	headers, err := newHeaderMatch(m.GetHeaders())
	return &faultPolicy{m: m, headers: headers}, err
}

// faultFilter is envoy.filters.http.fault.
type faultFilter struct {
	passing
	name     string
	disabled bool
	own      *faultPolicy // of the filter itself; routes have their own
	active   atomic.Int64
}

func newFaultFilter(f *hcmv3.HttpFilter, config *anypb.Any) (httpFilter, error) {
	m := &faultv3.HTTPFault{}
	if err := config.UnmarshalTo(m); err != nil {
		return nil, err
	}
	if err := m.ValidateAll(); err != nil {
		return nil, err
	}
	own, err := newFault(m)
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return &faultFilter{name: f.GetName(), disabled: f.GetDisabled(), own: own}, nil
}

// policy gives the fault that holds for the route.
func (f *faultFilter) policy(x *exchange) *faultPolicy {
	if x.plan != nil {
		if o := x.plan.override(f.name, x.decision.Weighted); o != nil {
			switch {
			case o.disabled:
				return nil
			case o.config:
				return o.fault
			}
			return f.own
		}
	}
	if f.disabled {
		return nil
	}
	return f.own
}

func (f *faultFilter) request(x *exchange) bool {
	p := f.policy(x)
	if p == nil || !p.concerns(x) {
		return false
	}
	if limit := p.m.GetMaxActiveFaults(); limit != nil && f.active.Load() >= int64(limit.GetValue()) {
		return false
	}
	if d := p.delay(x); d > 0 {
		f.active.Add(1)
		x.rec.Flags.Add(flow.DelayInjected)
		ok := sleep(x.ctx, d)
		f.active.Add(-1)
		if !ok {
			x.ended()
			return true
		}
	}
	if status, code, ok := p.abort(x); ok {
		x.rec.Flags.Add(flow.FaultInjected)
		x.reply(reply{status: status, body: "fault filter abort", details: "fault_filter_abort", grpc: code})
		return true
	}
	if l := p.limit(x); l > 0 {
		x.limit = l
		f.active.Add(1)
		x.release = append(x.release, func() { f.active.Add(-1) })
	}
	return false
}

func (p *faultPolicy) concerns(x *exchange) bool {
	if c := p.m.GetUpstreamCluster(); c != "" && c != x.decision.Cluster {
		return false
	}
	if p.headers != nil {
		r := route.Request{Method: x.req.Method, Scheme: x.rec.Scheme, Authority: x.authority, Headers: appendHeaders(nil, x.in)}
		if !p.headers.request(&r) {
			return false
		}
	}
	if nodes := p.m.GetDownstreamNodes(); len(nodes) > 0 {
		return slices.Contains(nodes, first(x.in, "X-Envoy-Downstream-Service-Node"))
	}
	return true
}

// delay gives how long the request has to wait; 0 for not at all.
func (p *faultPolicy) delay(x *exchange) time.Duration {
	d := p.m.GetDelay()
	switch {
	case d == nil:
		return 0
	case d.GetHeaderDelay() != nil:
		n, ok := number(x, "X-Envoy-Fault-Delay-Request")
		if ok && capped(x, d.GetPercentage(), "X-Envoy-Fault-Delay-Request-Percentage").take(x.r.o.Random) {
			return time.Duration(n) * time.Millisecond
		}
		return 0
	case newFraction(d.GetPercentage()).take(x.r.o.Random):
		return d.GetFixedDelay().AsDuration()
	}
	return 0
}

// abort gives the status to answer with; code is the gRPC status, nil for what
// follows from the HTTP status.
func (p *faultPolicy) abort(x *exchange) (status int, code *int, ok bool) {
	a := p.m.GetAbort()
	grpc := func(n int) *int { return &n }
	share := newFraction(a.GetPercentage())
	switch kind := a.GetErrorType().(type) {
	case *faultv3.FaultAbort_HttpStatus:
		status = int(kind.HttpStatus)
	case *faultv3.FaultAbort_GrpcStatus:
		status, code = statusOfGRPC(int(kind.GrpcStatus)), grpc(int(kind.GrpcStatus))
	case *faultv3.FaultAbort_HeaderAbort_:
		share = capped(x, a.GetPercentage(), "X-Envoy-Fault-Abort-Request-Percentage")
		if n, has := number(x, "X-Envoy-Fault-Abort-Request"); has && n >= 200 && n < 600 {
			status = int(n)
		} else if n, has := number(x, "X-Envoy-Fault-Abort-Grpc-Request"); has && n <= 16 {
			status, code = statusOfGRPC(int(n)), grpc(int(n))
		}
	}
	return status, code, status != 0 && share.take(x.r.o.Random)
}

// limit is the most bytes of the response in a second; 0 for no limit.
func (p *faultPolicy) limit(x *exchange) uint64 {
	l := p.m.GetResponseRateLimit()
	kib, share := uint64(0), newFraction(l.GetPercentage())
	if l.GetHeaderLimit() != nil {
		kib, _ = number(x, "X-Envoy-Fault-Throughput-Response")
		share = capped(x, l.GetPercentage(), "X-Envoy-Fault-Throughput-Response-Percentage")
	} else {
		kib = l.GetFixedLimit().GetLimitKbps()
	}
	if kib == 0 || !share.take(x.r.o.Random) {
		return 0
	}
	return kib << 10
}

func number(x *exchange, header string) (uint64, bool) {
	text := first(x.in, header)
	if text == "" {
		return 0, false // no error to allocate
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return n, err == nil
}

// capped is a percentage whose numerator a header may lower (docs: "Fault
// Injection", "Controlling fault injection via HTTP headers").
func capped(x *exchange, p *typev3.FractionalPercent, header string) fraction {
	f := newFraction(p)
	if n, ok := number(x, header); ok {
		f.numerator = min(f.numerator, n)
	}
	return f
}

// sleep waits; false means that the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
