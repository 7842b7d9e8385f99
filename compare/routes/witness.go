package routes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/space"
)

// request is the witness as the evaluator takes it.
func (c *comparison) request(w space.Witness) route.Request {
	scheme := w.Values[space.Scheme]
	if scheme == "" {
		if scheme = c.options.Scheme; scheme == "" {
			scheme = "http"
		}
	}
	authority, ok := w.Values[space.Authority]
	if !ok {
		authority = "shop.example"
	}
	finest := uint64(0)
	bare := space.Witness{Values: map[space.Field]string{}}
	r := route.Request{Scheme: scheme, Authority: authority}
	for f, v := range w.Values {
		kind, of, _ := strings.Cut(string(f), ":")
		switch {
		case f == space.Scheme || f == space.Authority:
		case kind == "random":
			m, err := strconv.ParseUint(of, 10, 64)
			n, err2 := strconv.ParseUint(v, 10, 64)
			// Of several, the number that the finest one gives.
			if err == nil && err2 == nil && m > finest {
				finest, r.Random = m, n
			}
		default:
			bare.Values[f] = v
		}
	}
	method, target, headers := bare.Request()
	r.Method, r.Path = method, target
	for _, h := range headers {
		r.Headers = append(r.Headers, route.Header{Name: h.Name, Value: h.Value})
	}
	if scheme == "https" {
		r.TLS = &route.TLS{}
	}
	for _, a := range w.Atoms {
		if a == atomPresented || a == atomValidated {
			if r.TLS == nil {
				r.TLS = &route.TLS{}
			}
			r.TLS.Presented = true
			r.TLS.Validated = r.TLS.Validated || a == atomValidated
		}
	}
	return r
}

// try asks both sides about a request of the piece.
func (w *walk) try(p *pair, key [2]int, piece space.Box) {
	witness, ok := piece.Witness()
	if !ok {
		return
	}
	request := w.request(witness)
	w.result.Counts.Asked++
	gotA, whyA := w.before.ask(w.a, &request)
	gotB, whyB := w.after.ask(w.b, &request)
	wantA, wantB := w.a.rules[key[0]], w.b.rules[key[1]]
	if gotA == wantA && gotB == wantB && whyA+whyB == "" {
		w.confirm(p, wantA, wantB, request)
		return
	}
	if p.found != nil {
		return
	}
	p.request = &witness
	switch reason := doubts(witness, piece); {
	case whyA+whyB != "":
		p.doubt = whyA
		if p.doubt == "" {
			p.doubt = whyB
		}
	case reason != "":
		p.doubt = reason
	default:
		p.doubt = "the evaluation of the request disagrees with the computation"
		w.result.Disagreements = append(w.result.Disagreements, fmt.Sprintf("%s: expected %s and %s, but it is taken by %s and %s",
			words(request), wantA, wantB, gotA, gotB))
	}
}

// confirm keeps the shortest request that is known to be treated differently.
func (w *walk) confirm(p *pair, a, b *rule, request route.Request) {
	changed := changes(a.treatment(), b.treatment())
	if len(changed) == 1 && changed[0].What == Rewrite && w.sameEffect(a, b, &request) {
		if p.doubt == "" {
			p.doubt = "rewrites are written differently; the requests that were tried come out the same"
		}
		return
	}
	size := len(request.Path) + len(request.Authority) + len(request.Method)
	for _, h := range request.Headers {
		size += len(h.Name) + len(h.Value)
	}
	if p.found == nil || size < p.size {
		p.found, p.size = &Difference{Request: request, Before: a.end(), After: b.end(), Changes: changed}, size
	}
}

// sameEffect tells whether both sides send the same path and host upstream.
func (w *walk) sameEffect(a, b *rule, r *route.Request) bool {
	if a.route == nil || b.route == nil {
		return false
	}
	x, y := w.before.Config.Effect(w.before.Config.Decide(r), r), w.after.Config.Effect(w.after.Config.Decide(r), r)
	return x.Path == y.Path && x.Authority == y.Authority && len(x.Unsupported)+len(y.Unsupported) == 0
}

// ask gives the rule that takes a request, and why that is not known.
func (s *side) ask(h *host, r *route.Request) (got *rule, unsupported string) {
	if s.Config == nil {
		return h.rules[len(h.rules)-1], ""
	}
	d := s.Config.Decide(r)
	at := s.host(d.VirtualHost)
	at.prepare()
	switch {
	case d.TLSRedirect:
		return at.rules[0], ""
	case d.Route == nil:
		return at.rules[len(at.rules)-1], d.Unsupported
	}
	got = s.routes[d.Route]
	// What cannot be told of the action does not matter here, only what cannot
	// be told of the conditions.
	if d.Unsupported != "" && s.conditional(d.Route) {
		return got, d.Unsupported
	}
	return got, ""
}

// conditional tells whether a route has conditions that nobody can evaluate.
func (s *side) conditional(r *route.Route) bool {
	return slices.ContainsFunc(s.routes[r].boxes(), func(b space.Box) bool { return len(b.Atoms()) > 0 })
}

// doubts say why a request may not be what its piece stands for.
func doubts(w space.Witness, piece space.Box) string {
	if len(w.Atoms) > 0 {
		return "it depends on conditions that are no sets of requests: " + strings.Join(w.Atoms, "; ")
	}
	if host := w.Values[space.Authority]; host != lowerASCII(host) {
		return "it depends on upper-case letters in a host name"
	}
	if !piece.Exactly() {
		return "an expression is too large to compute with"
	}
	randoms := 0
	var raw, cookies bool
	for f := range w.Values {
		if strings.HasPrefix(string(f), "random:") {
			randoms++
		}
		raw = raw || f == space.Header("cookie")
		cookies = cookies || strings.HasPrefix(string(f), "cookie:")
	}
	switch {
	case randoms > 1:
		return "it depends on several fractions of one random number"
	case raw && cookies:
		return "it depends on a cookie and on the whole header cookie"
	}
	return ""
}

func (r *rule) String() string {
	switch {
	case r == nil:
		return "no known route"
	case r.tls:
		return "the redirect to https"
	case r.route == nil:
		return "no route"
	case r.route.Name != "":
		return fmt.Sprintf("route %q", r.route.Name)
	}
	return fmt.Sprintf("route %d of %s", r.route.Index+1, r.host.of.Name)
}

func words(r route.Request) string {
	out := r.Method + " " + r.Scheme + "://" + r.Authority + r.Path
	for _, h := range r.Headers {
		out += fmt.Sprintf(" -H '%s: %s'", h.Name, h.Value)
	}
	return out
}
