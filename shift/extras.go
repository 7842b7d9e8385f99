package shift

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Errors of rules that cannot be laid before another.
var (
	errCookie = errors.New("it matches the cookie header already, and Istio matches a header once, so clients cannot be kept on a side here; leave out --sticky, or take the cookie match out of the rule")
	errHeader = errors.New("it matches the testers' header already; choose another header")
	errOwn    = errors.New("a destination of it adds a cookie to answers already, and that field holds one only; leave out --sticky")
	errMirror = errors.New("it mirrors to another destination already, in a field that holds one only; use `mirrors` there")
)

// extras makes the rules that stand before a weighted rule, and puts the cookie
// and an unsafe mirror into the rule itself.
func (o *overlay) extras(r rule, host string) ([]rule, error) {
	var before []rule
	plain := r.clone()
	if t := o.state.Testers; t != nil {
		testers, err := plain.only(RuleTesters, host, t.Subset, strings.ToLower(t.Header), map[string]any{"exact": t.Value}, errHeader)
		if err != nil {
			return nil, err
		}
		before = append(before, testers)
	}
	if s := o.state.Sticky; s != nil && !s.Off && o.gateway {
		sticky, err := plain.sticky(host, s)
		if err != nil {
			return nil, err
		}
		before = append(before, sticky...)
		if err := r.setCookie(s, host, o.namespace); err != nil {
			return nil, err
		}
	}
	m := o.state.Mirror
	switch {
	case m == nil:
	case m.Unsafe:
		if err := r.mirror(host, m); err != nil {
			return nil, err
		}
	default:
		if reads := r.clone(); reads.readsOnly() {
			reads["name"] = RuleMirror + r.name()
			if err := reads.mirror(host, m); err != nil {
				return nil, err
			}
			before = append(before, reads)
		}
	}
	return before, nil
}

// only is a copy that takes the requests with a header and sends them to one
// subset. Every match block of the rule is carried along.
func (r rule) only(prefix, host, subset, header string, match map[string]any, taken error) (rule, error) {
	out := r.clone()
	out["name"] = prefix + r.name()
	blocks := out.matches()
	for _, block := range blocks {
		headers, _ := block["headers"].(map[string]any)
		if headers == nil {
			headers = map[string]any{}
			block["headers"] = headers
		}
		for name := range headers {
			if strings.EqualFold(name, header) {
				return nil, taken
			}
		}
		headers[header] = match
	}
	out.setMatches(blocks)
	to := out.targets()[0].clone()
	for _, t := range out.targets() {
		if t.host() == host {
			to = t.clone()
			break
		}
	}
	to.destination()["subset"] = subset
	delete(to, "weight")
	delete(to, "headers")
	out.setTargets([]target{to})
	for _, field := range []string{"mirror", "mirrors", "mirrorPercentage", "mirrorPercent"} {
		delete(out, field)
	}
	return out, nil
}

func (r rule) sticky(host string, s *Sticky) ([]rule, error) {
	var both []rule
	for _, side := range []struct{ prefix, subset string }{{RuleStickyCanary, s.Canary}, {RuleStickyStable, s.Stable}} {
		// Envoy matches the whole header, in which cookies stand in any order.
		expr := `^(.*?;\s*)?` + regexp.QuoteMeta(s.Cookie) + "=" + regexp.QuoteMeta(side.subset) + `(;.*)?$`
		out, err := r.only(side.prefix, host, side.subset, "cookie", map[string]any{"regex": expr}, errCookie)
		if err != nil {
			return nil, err
		}
		both = append(both, out)
	}
	return both, nil
}

// setCookie lets each destination of the weighted rule tell the client where it
// was sent to.
func (r rule) setCookie(s *Sticky, host, namespace string) error {
	targets := r.targets()
	for _, t := range targets {
		if !sameHost(t.host(), host, namespace) || t.subset() != s.Stable && t.subset() != s.Canary {
			continue
		}
		value := fmt.Sprintf("%s=%s; Path=/; HttpOnly; SameSite=Lax", s.Cookie, t.subset())
		if s.MaxAge.Duration > 0 {
			value += fmt.Sprintf("; Max-Age=%d", int(s.MaxAge.Seconds()))
		}
		add := below(below(below(t, "headers"), "response"), "add")
		for name := range add {
			if strings.EqualFold(name, "set-cookie") {
				return errOwn
			}
		}
		add["set-cookie"] = value
	}
	r.setTargets(targets)
	return nil
}

// below gives the map of a field, made where it is missing.
func below(m map[string]any, field string) map[string]any {
	inner, ok := m[field].(map[string]any)
	if !ok {
		inner = map[string]any{}
		m[field] = inner
	}
	return inner
}

// dropCookie takes out what setCookie put in.
func (r rule) dropCookie(cookie string) {
	for _, t := range r.targets() {
		headers, _ := t["headers"].(map[string]any)
		response, _ := headers["response"].(map[string]any)
		add, _ := response["add"].(map[string]any)
		if value, _ := add["set-cookie"].(string); !strings.HasPrefix(value, cookie+"=") {
			continue
		}
		delete(add, "set-cookie")
		if len(add) == 0 {
			delete(response, "add")
		}
		if len(response) == 0 {
			delete(headers, "response")
		}
		if len(headers) == 0 {
			delete(t, "headers")
		}
	}
}

// mirror copies the rule's requests to a subset.
func (r rule) mirror(host string, m *Mirror) error {
	to := map[string]any{"host": host}
	for _, t := range r.targets() {
		if t.host() == host {
			to = t.clone().destination() // with its port
			break
		}
	}
	to["subset"] = m.Subset
	share := map[string]any{"value": int64(m.Percent)}
	if list, ok := r["mirrors"].([]any); ok && len(list) > 0 {
		r["mirrors"] = append(slices.Clone(list), map[string]any{"destination": to, "percentage": share})
		return nil
	}
	if r["mirror"] != nil {
		return errMirror
	}
	r["mirror"], r["mirrorPercentage"] = to, share
	return nil
}

func (r rule) dropMirror(m *Mirror) {
	if to, ok := r["mirror"].(map[string]any); ok && to["subset"] == m.Subset {
		delete(r, "mirror")
		delete(r, "mirrorPercentage")
	}
	list, _ := r["mirrors"].([]any)
	kept := slices.DeleteFunc(slices.Clone(list), func(item any) bool {
		entry, _ := item.(map[string]any)
		to, _ := entry["destination"].(map[string]any)
		return to["subset"] == m.Subset
	})
	if len(kept) < len(list) {
		r["mirrors"] = kept
		if len(kept) == 0 {
			delete(r, "mirrors")
		}
	}
}

// readsOnly narrows the rule to GET and HEAD; false where it takes neither.
func (r rule) readsOnly() bool {
	var blocks []map[string]any
	for _, block := range r.matches() {
		method, _ := block["method"].(map[string]any)
		exact, _ := method["exact"].(string)
		switch {
		case exact == "GET" || exact == "HEAD":
			blocks = append(blocks, block)
		case block["method"] != nil: // another method, or an expression that may take others along
		default:
			for _, m := range []string{"GET", "HEAD"} {
				narrowed := map[string]any(rule(block).clone())
				narrowed["method"] = map[string]any{"exact": m}
				blocks = append(blocks, narrowed)
			}
		}
	}
	r.setMatches(blocks)
	return len(blocks) > 0
}
