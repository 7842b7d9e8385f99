package simulate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// question is a request that has been understood.
type question struct {
	asked  answer.Request
	target istio.Target
	proxy  route.Request
}

// methods are those of RFC 9110 and RFC 5789; others stand as they are written.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// understand reads a request. URLs may be written as people type them: with
// Korean letters, and without a scheme.
func understand(r answer.Request) (*question, error) {
	q := &question{asked: r}
	if q.asked.Method == "" {
		q.asked.Method = http.MethodGet
	}
	if upper := strings.ToUpper(q.asked.Method); slices.Contains(methods, upper) {
		q.asked.Method = upper // people write "get"; a client sends GET
	}
	if strings.ContainsAny(q.asked.Method, " \t/:") {
		return nil, fmt.Errorf("%q is no HTTP method; write METHOD URL, such as GET http://shop.example/orders", r.Method)
	}
	if q.asked.From == "" {
		q.asked.From = fromGateway
	}
	u, err := parseURL(r.URL)
	if err != nil {
		return nil, err
	}
	q.asked.URL = u.String()
	q.target = istio.Target{Scheme: u.Scheme, Host: u.Hostname(), Port: 80}
	if u.Scheme == "https" {
		q.target.Port = 443
	}
	authority := u.Host
	if p := u.Port(); p != "" {
		port, err := strconv.Atoi(p)
		if err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("%s: port %s is no port; expected 1 to 65535", r.URL, p)
		}
		if port == q.target.Port { // clients leave out the scheme's own port
			authority = strings.TrimSuffix(authority, ":"+p)
		}
		q.target.Port = port
	}
	q.proxy = route.Request{
		Method: q.asked.Method, Scheme: u.Scheme, Authority: authority, Path: u.RequestURI(),
	}
	if r.Random != nil {
		q.proxy.Random = *r.Random
	}
	if u.Scheme == "https" {
		q.proxy.TLS = &route.TLS{}
	}
	for _, h := range r.Headers {
		name := strings.ToLower(h.Name)
		if name == "host" || name == ":authority" {
			q.proxy.Authority = h.Value
			continue
		}
		q.proxy.Headers = append(q.proxy.Headers, route.Header{Name: name, Value: h.Value})
	}
	return q, nil
}

func parseURL(text string) (*url.URL, error) {
	if strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("%s: the host is missing; it decides which virtual host answers: write http://HOST%s", text, text)
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL: %w", text, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s: scheme %q; expected http or https", text, u.Scheme)
	case u.Host == "":
		return nil, fmt.Errorf("%s: the host is missing; write http://HOST/PATH", text)
	}
	u.Fragment, u.User = "", nil
	u.RawQuery = escapeQuery(u.RawQuery)
	host, err := asciiHost(u)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no host name: %w", text, u.Hostname(), err)
	}
	u.Host = host
	return u, nil
}

// asciiHost is the host as clients send it: names outside ASCII in Punycode
// (RFC 5891).
func asciiHost(u *url.URL) (string, error) {
	name := u.Hostname()
	if !strings.ContainsFunc(name, outsideASCII) {
		return u.Host, nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return "", err
	}
	if p := u.Port(); p != "" {
		ascii += ":" + p
	}
	return ascii, nil
}

// escapeQuery escapes what clients do not send as it is: letters outside ASCII
// and spaces. What is written as an escape stays one.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c > unicode.MaxASCII || c == ' ' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func outsideASCII(r rune) bool { return r > unicode.MaxASCII }

// Ask follows one request. The error is for questions that cannot be asked: a
// URL that is none, a service that is not there.
func (m *Mesh) Ask(ctx context.Context, r answer.Request) (*answer.Answer, error) {
	q, err := understand(r)
	if err != nil {
		return nil, err
	}
	at, err := m.proxyFor(ctx, q)
	if err != nil {
		return nil, err
	}
	return m.follow(at, q)
}

// place is where a request enters: a proxy, and the routes that answer there.
type place struct {
	proxy  istio.Proxy // the one that was asked; config may be that of one like it
	config *istio.Config
	entry  istio.Entry
	routes *route.Config // nil where entry.Routes is
}

func (m *Mesh) enter(ctx context.Context, p istio.Proxy, t istio.Target) (*place, error) {
	c, err := m.Config(ctx, p)
	if err != nil {
		return nil, err
	}
	at := &place{proxy: p, config: c, entry: c.Entry(t)}
	if at.entry.Routes != nil {
		if at.routes, err = m.compile(at.entry.Routes); err != nil {
			return nil, fmt.Errorf("the routes of %s %s/%s: %w", p.Kind, p.Namespace, p.Name, err)
		}
	}
	return at, nil
}

// follow gives the answer of one proxy.
func (m *Mesh) follow(at *place, q *question) (*answer.Answer, error) {
	p := at.proxy
	a := &answer.Answer{
		APIVersion: answer.APIVersion,
		Request:    q.asked,
		Proxy:      answer.Proxy{Kind: p.Kind, Name: p.Name, Namespace: p.Namespace, Labels: p.Labels},
		// Lists are lists in JSON also where they are empty.
		Rules: []answer.Rule{}, Destinations: []answer.Destination{}, Mirrors: []answer.Mirror{}, Headers: []string{},
	}
	if at.entry.Listener != nil {
		a.Listener = at.entry.Listener.GetName()
	}
	if at.routes == nil {
		noHTTP(a, at.entry)
		return a, nil
	}
	var d route.Decision
	if q.asked.Brief {
		d = at.routes.Decide(&q.proxy)
	} else {
		var verdicts []route.Verdict
		d, verdicts = at.routes.Explain(&q.proxy)
		a.Rules = m.rules(at, verdicts)
	}
	if d.VirtualHost != nil {
		a.VHost = d.VirtualHost.Name
	}
	if d.Route != nil {
		a.Winner = m.winner(at, d.Route)
		a.RouteKey = key(at.config.Origins[d.Route.Proto])
	}
	if d.Unsupported != "" {
		a.Outcome, a.Reason = answer.OutcomeUnsupported, claims(d.Unsupported)
		a.Unsupport = []string{a.Reason}
		return a, nil
	}
	if d.VirtualHost == nil {
		a.Outcome, a.Status, a.Flag = answer.OutcomeNotFound, http.StatusNotFound, answer.FlagNoRoute
		a.Reason = fmt.Sprintf("no virtual host has the domain %s; it knows %s", q.proxy.Authority, domains(at.routes))
		return a, nil
	}
	effect := at.routes.Effect(d, &q.proxy)
	a.Effect, a.Returns = &effect, at.routes.ResponseHeaders(d, &q.proxy, nil)
	switch {
	case effect.Redirect != nil:
		a.Outcome, a.Status = answer.OutcomeRedirect, effect.Redirect.Code
		a.Redirect = &answer.Redirect{Location: effect.Redirect.Location, Code: effect.Redirect.Code}
		if d.TLSRedirect {
			a.Rules, a.Reason = []answer.Rule{}, "the Gateway's server has httpsRedirect, which answers before any rule is tried"
		}
	case d.Route == nil:
		a.Outcome, a.Status, a.Flag = answer.OutcomeNotFound, http.StatusNotFound, answer.FlagNoRoute
		a.Reason = untaken(d.VirtualHost)
	case effect.Direct != nil:
		a.Outcome, a.Status = answer.OutcomeDirect, effect.Direct.Status
		a.Direct = &answer.Direct{Status: effect.Direct.Status, Body: effect.Direct.Body}
		if d.VirtualHost.Name == blockAll {
			a.Reason = "the proxy knows no service with this host and port (or a Sidecar hides it), and the outbound traffic policy REGISTRY_ONLY lets nothing else out"
		}
	default:
		a.Outcome = answer.OutcomeRoute
		m.destinations(a, at, d, q)
	}
	m.describe(a, at, d, &effect, q)
	if filters := m.otherFilters(at.entry); len(filters) > 0 {
		a.Unsupport = append(a.Unsupport, unseen(filters))
	}
	return a, nil
}

// claims says in Istio's words what Envoy calls metadata of its JWT filter.
func claims(unsupported string) string {
	const filter = "(envoy.filters.http.jwt_authn)"
	return strings.Replace(unsupported, filter, filter+": the rule asks for claims of a JWT (@request.auth.claims), and no token is verified here", 1)
}

// blockAll is the virtual host of sidecars that let nothing unknown out.
const blockAll = "block_all"

func untaken(h *route.VirtualHost) string {
	if name, port, ok := strings.Cut(h.Name, ":"); ok && name == "blackhole" {
		return fmt.Sprintf("a Gateway opens port %s here, but no VirtualService or HTTPRoute is bound to it", port)
	}
	switch len(h.Routes) {
	case 0:
		return fmt.Sprintf("virtual host %s has no routes", h.Name)
	case 1:
		return fmt.Sprintf("the only route of virtual host %s does not take it", h.Name)
	}
	return fmt.Sprintf("none of the %d routes of virtual host %s takes it", len(h.Routes), h.Name)
}

// noHTTP is the answer where no routes are asked: the connection is closed, or
// goes on as something else than HTTP.
func noHTTP(a *answer.Answer, e istio.Entry) {
	a.Outcome, a.Flag, a.Reason, a.Closed = answer.OutcomeNotFound, answer.FlagNoRoute, e.Why, true
	if e.Cluster != "" {
		a.Outcome, a.Flag, a.Closed = answer.OutcomeUnsupported, "", false
		a.Reason = "unsupported: no HTTP is looked at: " + e.Why
		a.Unsupport = []string{a.Reason}
	}
}

// domains names some of the domains that there are.
func domains(c *route.Config) string {
	var names []string
	for _, h := range c.VirtualHosts() {
		for _, d := range h.Domains {
			if len(names) == 8 {
				return strings.Join(names, ", ") + " and others"
			}
			names = append(names, d)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
