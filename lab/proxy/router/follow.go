package router

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// redirectPolicy is RouteAction.internal_redirect_policy: redirects of the
// upstream that the proxy follows itself.
type redirectPolicy struct {
	most        int
	codes       []uint32
	crossScheme bool
	copy        []string
	refuse      bool // a predicate that the proxy does not have refuses all
}

func newRedirectPolicy(a *routev3.RouteAction) *redirectPolicy {
	m := a.GetInternalRedirectPolicy()
	if m == nil {
		return nil
	}
	p := &redirectPolicy{most: 1, codes: []uint32{http.StatusFound}, crossScheme: m.GetAllowCrossSchemeRedirect(), refuse: len(m.GetPredicates()) > 0}
	if m.GetMaxInternalRedirects() != nil {
		p.most = int(m.GetMaxInternalRedirects().GetValue())
	}
	if codes := m.GetRedirectResponseCodes(); len(codes) > 0 {
		p.codes = codes
	}
	for _, name := range m.GetResponseHeadersToCopy() {
		p.copy = append(p.copy, http.CanonicalHeaderKey(name))
	}
	return p
}

// follow makes the request that a redirect asks for, if the policy allows it and
// there is a route (docs: "HTTP connection management", internal redirects).
func (x *exchange) follow(resp *http.Response) bool {
	p := x.plan.follow
	if p.refuse || !slices.Contains(p.codes, uint32(resp.StatusCode)) || x.redirects >= p.most {
		return false
	}
	if x.upload != nil && (!x.upload.complete() || !x.upload.again()) {
		return false
	}
	to, err := url.Parse(first(resp.Header, "Location"))
	if err != nil || to.Path == "" && to.Host == "" {
		return false
	}
	scheme := strings.ToLower(to.Scheme)
	if scheme == "" {
		scheme = x.rec.Scheme
	}
	own := "http"
	if x.rec.Downstream.TLS != nil {
		own = "https"
	}
	if scheme != "http" && scheme != "https" || scheme != own && !p.crossScheme {
		return false
	}
	authority := x.authority
	if to.Host != "" {
		authority = to.Host
	}
	return x.goTo(p, resp, scheme, authority, to)
}

func (x *exchange) goTo(p *redirectPolicy, resp *http.Response, scheme, authority string, to *url.URL) bool {
	old, plan, host, path, before := x.decision, x.plan, x.authority, x.path, x.ask
	from := x.rec.Scheme
	x.authority, x.path, x.rec.Scheme = authority, to.RequestURI(), scheme
	x.decide()
	if x.decision.Route == nil || x.plan == nil || x.decision.Unsupported != "" {
		x.decision, x.plan, x.authority, x.path, x.rec.Scheme, x.ask = old, plan, host, path, from, before
		return false
	}
	x.redirects++
	h := http.Header{}
	for name, values := range x.in {
		h[name] = values
	}
	h["X-Envoy-Original-Url"] = []string{from + "://" + host + path}
	h["X-Forwarded-Proto"] = schemeValue(scheme)
	delete(h, "X-Envoy-Original-Path")
	delete(h, "X-Envoy-Original-Host")
	for _, name := range p.copy {
		if v, ok := resp.Header[name]; ok {
			h[name] = v
		} else {
			delete(h, name)
		}
	}
	x.in = h
	if resp.StatusCode == http.StatusSeeOther && x.req.Method != http.MethodGet && x.req.Method != http.MethodHead {
		x.req.Method = http.MethodGet
		x.upload = nil
		delete(h, "Content-Length")
		delete(h, "Content-Type")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	x.fullAsk()
	return true
}
