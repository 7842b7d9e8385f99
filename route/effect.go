package route

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// Effect works out what is done to a request that was decided as d by this
// configuration. Headers that the proxy adds for other reasons than the route
// (x-request-id, x-envoy-expected-rq-timeout-ms, traces) are not among the
// headers it gives.
func (c *Config) Effect(d Decision, r *Request) Effect {
	e := newEvaluation(c, d, r)
	switch {
	case d.TLSRedirect:
		e.out.Redirect = tlsRedirect(e.request)
	case d.Unsupported != "":
		e.unsupported(d.Unsupported)
	case d.Route != nil:
		e.run()
	}
	return *e.out
}

// ResponseHeaders gives the response headers that the client gets when the
// upstream sends these. For a redirect or a direct response upstream stands for
// the headers that the proxy makes itself; Location is added. Headers that
// filters add, such as those of CORS, are not part of a route's own changes, and
// pseudo headers, which no route can change, are not given.
func (c *Config) ResponseHeaders(d Decision, r *Request, upstream []Header) []Header {
	e := newEvaluation(c, d, r)
	h := &fieldMap{}
	for _, f := range upstream {
		h.add(f.Name, f.Value)
	}
	if d.TLSRedirect {
		h.set("location", tlsRedirect(e.request).Location)
		return h.headers()
	}
	if d.Route == nil || d.Unsupported != "" {
		return h.headers()
	}
	e.run()
	if e.out.Redirect != nil {
		h.set("location", e.out.Redirect.Location)
	}
	if own := e.ownLocation(); own != "" {
		h.set("location", own)
	}
	f := e.formatter("")
	f.response = h
	for _, l := range e.levels() {
		l.response.apply(h, f, func(string) {})
	}
	if e.d.VirtualHost.Proto.GetIncludeAttemptCountInResponse() && d.Route.Proto.GetRoute() != nil {
		h.set("x-envoy-attempt-count", "1")
	}
	return h.headers()
}

// evaluation is one request on its way through a route.
type evaluation struct {
	c       *Config
	d       Decision
	v       view
	request *fieldMap // as changed so far
	out     *Effect
}

func newEvaluation(c *Config, d Decision, r *Request) *evaluation {
	e := &evaluation{c: c, d: d, v: c.view(r), out: &Effect{}}
	e.request = requestFields(&e.v)
	return e
}

func (e *evaluation) unsupported(text string) {
	into := &e.out.Unsupported
	if strings.HasPrefix(text, notShownPrefix) {
		into = &e.out.NotShown
	}
	if text != "" && !slices.Contains(*into, text) {
		*into = append(*into, text)
	}
}

func (e *evaluation) formatter(where string) *formatter {
	return &formatter{
		request: e.request, protocol: e.v.r.Protocol, remote: e.v.r.Remote, route: e.d.Route.Name, cluster: e.d.Cluster,
		virtual: e.out.VirtualCluster, where: where, unsupported: e.unsupported,
	}
}

// levels are the levels of header changes in the order they are made: the
// weighted cluster's, which come before any other (ClusterWeight), and then the
// others from the most specific to the least, or the other way round
// (RouteConfiguration.most_specific_header_mutations_wins).
func (e *evaluation) levels() []*level {
	own := []*level{&e.d.Route.effects.level, &e.d.VirtualHost.effects.level, e.c.effects}
	if e.c.proto.GetMostSpecificHeaderMutationsWins() {
		slices.Reverse(own)
	}
	if w := e.weighted(); w != nil {
		own = slices.Insert(own, 0, w)
	}
	return own
}

func (e *evaluation) weighted() *level {
	if all := e.d.Route.effects.weighted; 0 <= e.d.Weighted && e.d.Weighted < len(all) {
		return &all[e.d.Weighted]
	}
	return nil
}

func (e *evaluation) weightedProto() *routev3.WeightedCluster_ClusterWeight {
	if e.weighted() == nil {
		return nil
	}
	return e.d.Route.Proto.GetRoute().GetWeightedClusters().GetClusters()[e.d.Weighted]
}

func (e *evaluation) run() {
	rt := e.d.Route
	e.out.VirtualCluster = e.virtualCluster()
	e.notes(e.c.proto, e.d.VirtualHost.Proto, rt.Proto)
	noteFields(rt.Proto.GetMatch().ProtoReflect(), func(text string) {
		// What is unsupported there was told by the decision, if it mattered.
		if strings.HasPrefix(text, notShownPrefix) {
			e.unsupported(text)
		}
	})
	e.decorator()
	e.filters()
	switch {
	case rt.Proto.GetRedirect() != nil:
		e.out.Redirect = e.redirect(rt.Proto.GetRedirect())
	case rt.Proto.GetDirectResponse() != nil:
		e.out.Direct = e.direct(rt.Proto.GetDirectResponse())
	case rt.Proto.GetRoute() != nil:
		e.forward(rt.Proto.GetRoute())
	}
	e.responseChanges()
}

// forward changes the request in Envoy's order: header changes, host, path.
func (e *evaluation) forward(a *routev3.RouteAction) {
	if e.d.VirtualHost.Proto.GetIncludeRequestAttemptCount() {
		e.request.set("x-envoy-attempt-count", "1")
	}
	change := func(text string) { e.out.HeaderChanges = append(e.out.HeaderChanges, "request: "+text) }
	for i, l := range e.levels() {
		l.request.apply(e.request, e.formatter(""), change)
		if host := e.weightedProto().GetHostRewriteLiteral(); i == 0 && host != "" {
			e.request.set(":authority", host)
		}
	}
	e.rewriteHost(a)
	e.rewritePath()
	e.out.Path, _ = e.request.first(":path")
	e.out.Authority, _ = e.request.first(":authority")
	e.out.RequestHeaders = e.request.headers()
	e.timeouts(a)
	e.retries(a)
	e.mirrors()
	e.out.Hash = hashWords(a.GetHashPolicy())
	e.upstream(a)
	if w := e.weightedProto(); w != nil {
		e.notes(w)
	}
}

// responseChanges are told in words, since nobody knows what the upstream
// sends.
func (e *evaluation) responseChanges() {
	if own := e.ownLocation(); own != "" {
		e.out.HeaderChanges = append(e.out.HeaderChanges, "response: set location: "+own)
	}
	f := e.formatter("")
	f.keep = "RESP"
	for _, l := range e.levels() {
		l.response.words(f, func(text string) { e.out.HeaderChanges = append(e.out.HeaderChanges, "response: "+text) })
	}
	if e.d.VirtualHost.Proto.GetIncludeAttemptCountInResponse() && e.d.Route.Proto.GetRoute() != nil {
		e.out.HeaderChanges = append(e.out.HeaderChanges, "response: set x-envoy-attempt-count: the number of tries")
	}
}

func (e *evaluation) decorator() {
	e.out.Operation = e.d.Route.Proto.GetDecorator().GetOperation()
}

// notes tells what the given parts of the configuration set and nobody
// evaluates.
func (e *evaluation) notes(all ...proto.Message) {
	for _, m := range all {
		noteFields(m.ProtoReflect(), e.unsupported)
	}
}
