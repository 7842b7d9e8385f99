package router

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/route"
)

// forwarding is envoy.filters.http.router.
type forwarding struct {
	passing
	suppress bool // suppress_envoy_headers
	expected bool // respect_expected_rq_timeout
}

func newForwarding(config *anypb.Any) (httpFilter, error) {
	m := &routerv3.Router{}
	if err := config.UnmarshalTo(m); err != nil {
		return nil, err
	}
	return &forwarding{suppress: m.GetSuppressEnvoyHeaders(), expected: m.GetRespectExpectedRqTimeout()}, nil
}

func (f *forwarding) request(x *exchange) bool {
	x.suppress, x.expected = f.suppress, f.expected
	x.decorate()
	for x.routeOnce() {
	}
	return true
}

// routeOnce sends the request where its route says. True means that the
// upstream sent it elsewhere, and that it goes on from there.
func (x *exchange) routeOnce() (again bool) {
	d := &x.decision
	switch {
	case d.TLSRedirect:
		effect := x.t.config.Effect(*d, x.fullAsk())
		x.redirected(effect.Redirect)
		return false
	case d.Unsupported != "":
		x.reply(reply{status: 503, body: d.Unsupported, details: "unsupported_route"})
		return false
	case d.Route == nil || x.plan == nil:
		x.rec.Flags.Add(flow.NoRoute)
		x.reply(reply{status: http.StatusNotFound, details: "route_not_found"})
		return false
	case x.plan.action == nil:
		x.direct()
		return false
	}
	x.routed = true
	x.rec.Cluster = d.Cluster
	cluster, ok := x.r.o.Clusters.Get(d.Cluster)
	if !ok {
		x.rec.Flags.Add(flow.NoCluster)
		x.reply(reply{status: x.plan.notFound, details: "cluster_not_found"})
		return false
	}
	x.rec.ClusterMetadata = cluster.Metadata()
	return x.forward(cluster)
}

func (x *exchange) redirected(to *route.Redirect) {
	x.reply(reply{status: to.Code, details: "direct_response", header: func(h http.Header) { h["Location"] = []string{to.Location} }})
}

// direct answers with the route's redirect or response.
func (x *exchange) direct() {
	effect := x.t.config.Effect(x.decision, x.fullAsk())
	x.routed = true
	switch {
	case effect.Redirect != nil:
		x.redirected(effect.Redirect)
	case effect.Direct != nil:
		a := reply{status: effect.Direct.Status, body: effect.Direct.Body, kind: effect.Direct.ContentType, details: "direct_response"}
		if a.status == http.StatusCreated || a.status/100 == 3 {
			own := x.rec.Scheme + "://" + x.authority + x.path
			a.header = func(h http.Header) { h["Location"] = []string{own} }
		}
		x.reply(a)
	default:
		x.reply(reply{status: 503, body: "the route has an action that the lab's proxy does not know", details: "unsupported_route"})
	}
}

// forward sends the request to the cluster.
func (x *exchange) forward(c *upstream.Cluster) (again bool) {
	choice := upstream.Choice{HighPriority: x.plan.high, OriginalDestination: x.rec.Downstream.Local}
	if len(x.plan.hash) > 0 {
		choice.Hash, choice.HasHash = x.hash()
	}
	retry := x.retryPolicy()
	limits := x.limits(retry)
	x.altResponse = limits.altResponse
	mirrors := x.rewrite()
	if x.upload != nil && (retry != nil || len(mirrors) > 0 || x.plan.follow != nil) {
		x.upload.retain(x.plan.buffer)
	}
	if len(mirrors) > 0 {
		x.mirror(mirrors)
	}
	if x.timers.idle != nil && x.upload != nil {
		x.upload.touch = x.timers.active
	}
	if limits.whole > 0 {
		x.cancellable()
		start := func() { x.endAfter(limits.whole, routeTimeout) }
		if x.upload == nil {
			start()
		} else {
			x.upload.onEnd(start)
		}
	}
	if x.req.Method == http.MethodConnect && x.tunnels() {
		x.tunnel(c, choice)
		return false
	}
	f := &forwarded{x: x, cluster: c, choice: choice, retry: retry, limits: limits}
	resp := f.tries() //nolint:bodyclose // whoever takes it closes it
	if resp == nil {
		return false
	}
	if len(mirrors) == 0 && x.upload != nil && x.plan.follow == nil {
		x.upload.forget()
	}
	return x.respond(resp)
}

// rewrite makes the route's changes to the request and gives its mirrors.
func (x *exchange) rewrite() []route.Mirror {
	p := x.plan
	if p.countRequest {
		x.in["X-Envoy-Attempt-Count"] = oneValue
	}
	if p.answers {
		x.fullAsk()
		x.ask.Headers = slices.Clone(x.ask.Headers)
	}
	if !p.changes && !p.mirrors {
		x.rewritePlain()
		return nil
	}
	effect := x.t.config.Effect(x.decision, x.fullAsk())
	if p.changes {
		x.in = make(http.Header, len(effect.RequestHeaders))
		replaceHeaders(x.in, effect.RequestHeaders)
		x.path, x.authority = effect.Path, effect.Authority
	} else {
		x.rewritePlain()
	}
	return effect.Mirrors
}

var oneValue = []string{"1"}

// rewritePlain makes the changes that need no evaluation: headers of fixed
// text, a literal host and a prefix of the path.
func (x *exchange) rewritePlain() {
	p := x.plan
	applyAll(p.up, x.decision.Weighted, x.in)
	if p.host != "" && x.authority != p.host {
		if x.authority != "" {
			x.in["X-Envoy-Original-Host"] = []string{x.authority}
		}
		x.authority = p.host
	}
	if p.prefix != "" && p.matched <= len(x.path) {
		x.in["X-Envoy-Original-Path"] = []string{x.path}
		x.path = p.prefix + x.path[p.matched:]
	}
}

// forwarded is the tries of one request.
type forwarded struct {
	x       *exchange
	cluster *upstream.Cluster
	choice  upstream.Choice
	retry   *retryPolicy
	limits  limits

	tried   []*upstream.Host
	release func() // of the retry that is under way
	retries int
	last    *timeout // the per-try timeout that ended the last try
}

// tries sends the request until there is a response to give to the client; nil
// means that the client was answered.
func (f *forwarded) tries() *http.Response {
	x := f.x
	x.release = append(x.release, func() {
		if f.release != nil {
			f.release()
		}
	})
	for {
		host, err := f.cluster.Pick(f.choice)
		if err != nil {
			x.rec.Flags.Add(flow.NoHealthyUpstream)
			x.reply(reply{status: 503, body: "no healthy upstream", details: "no_healthy_upstream"})
			return nil
		}
		resp, err := f.try(host)
		if err != nil && x.over(err) {
			return nil
		}
		if f.again(resp, err) {
			if resp != nil {
				_ = resp.Body.Close()
			}
			if x.pause(x.wait(f.retry, f.retries-1, headersOf(resp))) {
				continue
			}
			x.ended()
			return nil
		}
		if err != nil {
			f.fail(err)
			return nil
		}
		return resp
	}
}

func headersOf(resp *http.Response) http.Header {
	if resp == nil {
		return nil
	}
	return resp.Header
}

// over answers requests that ended for another reason than the upstream.
func (x *exchange) over(error) bool {
	if x.req.Context().Err() == nil && x.upload != nil && x.upload.failed() != nil {
		x.rec.Flags.Add(flow.DownstreamTermination)
		x.rec.Details = "downstream_remote_disconnect"
		x.aborted = true
		return true
	}
	if x.ctx.Err() == nil {
		return false
	}
	x.ended()
	return true
}

// again decides whether another try is made, and prepares it.
func (f *forwarded) again(resp *http.Response, err error) bool {
	x, p := f.x, f.retry
	if p == nil || x.upgrade != "" && resp != nil && resp.StatusCode == http.StatusSwitchingProtocols {
		return false
	}
	if f.release != nil {
		f.release()
		f.release = nil
	}
	if err != nil && !p.failed(err) || err == nil && !p.answered(resp.StatusCode, resp.Header) {
		return false
	}
	if f.retries >= int(p.retries) {
		x.rec.Flags.Add(flow.RetryLimit)
		return false
	}
	if x.upload != nil && !x.upload.again() {
		return false
	}
	release, ok := f.cluster.RetryFor(x.plan.high)
	if !ok {
		x.rec.Flags.Add(flow.UpstreamOverflow)
		return false
	}
	f.release = release
	f.retries++
	if p.avoid {
		f.choice.Avoid = func(h *upstream.Host) bool { return slices.Contains(f.tried, h) }
		f.choice.Tries = p.hostTries
	}
	return true
}

// fail answers after a try without a response, in Envoy's words.
func (f *forwarded) fail(err error) {
	x := f.x
	if f.last != nil {
		x.timedOut(f.last)
		return
	}
	reason := upstream.ResetReason(err)
	if reason == "" {
		reason = "connection termination"
	}
	x.rec.Flags.Add(flagOf(err))
	x.rec.FailureReason = upstream.TransportFailure(err)
	details, body := reason, "reset reason: "+reason
	if x.rec.FailureReason != "" {
		details += "|" + x.rec.FailureReason
		body += ", transport failure reason: " + x.rec.FailureReason
	}
	if f.retries > 0 {
		body = "retried and the latest " + body
	}
	a := reply{
		status:  503,
		body:    "upstream connect error or disconnect/reset before headers. " + body,
		details: "upstream_reset_before_response_started{" + strings.ReplaceAll(details, " ", "_") + "}",
	}
	if errors.Is(err, upstream.ErrOverflow) && !x.suppress {
		a.header = func(h http.Header) { h["X-Envoy-Overloaded"] = trueValue }
	}
	x.reply(a)
}

// flagOf is the response flag for a failure (Envoy:
// Router::Filter::streamResetReasonToResponseFlag).
func flagOf(err error) string {
	switch {
	case errors.Is(err, upstream.ErrOverflow):
		return flow.UpstreamOverflow
	case errors.Is(err, upstream.ErrConnect), errors.Is(err, upstream.ErrTLS):
		return flow.UpstreamFailure
	case errors.Is(err, upstream.ErrStreamReset):
		return flow.UpstreamReset
	case errors.Is(err, upstream.ErrProtocol):
		return flow.UpstreamProtocolError
	}
	return flow.UpstreamTermination
}

// outgoing is the request as it is sent to a host.
func (x *exchange) outgoing(host *upstream.Host) *http.Request {
	authority := x.authority
	if x.plan.auto && host.Hostname() != "" {
		authority = host.Hostname()
	}
	target := &url.URL{Opaque: x.path}
	if strings.HasPrefix(x.path, "//") { // an opaque target would lose its host
		if u, err := url.ParseRequestURI("http://h" + x.path); err == nil {
			target = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
		}
	}
	out := &http.Request{
		Method: x.req.Method, URL: target, Host: authority, Header: x.in,
		Proto: x.req.Proto, ProtoMajor: x.req.ProtoMajor, ProtoMinor: x.req.ProtoMinor,
	}
	if x.upload != nil {
		out.Body = x.upload.reader()
		out.ContentLength = x.req.ContentLength
		if out.ContentLength == 0 {
			out.ContentLength = -1
		}
		out.Trailer = x.req.Trailer
	}
	return out
}

func (x *exchange) now() time.Time { return x.r.o.Now() }
