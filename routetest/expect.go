package routetest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/routetest/strict"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// expect is what a test of our own format asks for; nil is not asked for.
type expect struct {
	to                   *target
	virtualService, rule string
	rewrite, authority   *string
	timeout              *time.Duration
	retries              *retries
	mirrors              *[]share
	fault                *fault
	sends, returns       []headerWant
}

type retries struct {
	attempts int
	on       []string
	perTry   *time.Duration
}

type fault struct {
	delay             *time.Duration
	delayShare        *float64 // percent; nil for any
	abort, grpc       int      // 0 for none
	abortShare        *float64
	delayGot, abortOn bool
}

// headerWant is one header; a nil value is one that must not be there.
type headerWant struct {
	name  string
	value *string
}

func (e *expect) empty() bool {
	return e.to == nil && e.virtualService == "" && e.rule == "" && e.rewrite == nil && e.authority == nil && e.timeout == nil &&
		e.retries == nil && e.mirrors == nil && e.fault == nil && e.sends == nil && e.returns == nil
}

func (e *expect) aim() aim {
	out := aim{virtualService: e.virtualService, rule: e.rule}
	if e.to != nil && len(e.to.shares) > 0 {
		out.host = e.to.shares[0].host
	}
	return out
}

// expect reads the keys that say what is expected.
func (o *own) expect(fields map[string]*yaml.Node) *expect {
	e := &expect{}
	if n := fields["to"]; n != nil {
		e.to = o.target(n)
	}
	if text := o.optional(fields, "virtualService"); text != nil {
		e.virtualService = *text
	}
	if text := o.optional(fields, "rule"); text != nil {
		e.rule = *text
	}
	e.rewrite, e.authority = o.optional(fields, "rewrite"), o.optional(fields, "authority")
	if e.rewrite != nil && !strings.HasPrefix(*e.rewrite, "/") {
		o.Fail(fields["rewrite"], "write the path that is sent upstream, such as /orders/1", "rewrite is %q, which is no path", *e.rewrite)
	}
	if n := fields["timeout"]; n != nil {
		e.timeout = o.duration(n, "timeout")
	}
	if n := fields["retries"]; n != nil {
		e.retries = o.retries(n)
	}
	if n := fields["mirror"]; n != nil {
		e.mirrors = o.mirrors(n)
	}
	if n := fields["fault"]; n != nil {
		e.fault = o.fault(n)
	}
	e.sends = o.headerWants(fields["sends"], "sends")
	e.returns = o.headerWants(fields["returns"], "returns")
	return e
}

// optional is the text of a key; nil where it is not given.
func (o *own) optional(fields map[string]*yaml.Node, key string) *string {
	if n := fields[key]; n != nil {
		if text, ok := o.Text(n, key); ok {
			return &text
		}
	}
	return nil
}

func (o *own) target(n *yaml.Node) *target {
	text := ""
	if n.Kind == yaml.SequenceNode {
		var parts []string
		for _, item := range o.List(n, "to") {
			part, _ := o.Text(item, "to")
			parts = append(parts, part)
		}
		text = strings.Join(parts, ", ")
	} else if t, ok := o.Text(n, "to"); ok {
		text = t
	} else {
		return nil
	}
	t, err := parseTarget(text)
	if err != nil {
		o.Fail(n, "docs/route-tests.md has the grammar", "to %s", err)
		return nil
	}
	return t
}

// duration reads 5s, or none.
func (o *own) duration(n *yaml.Node, what string) *time.Duration {
	text, ok := o.Text(n, what)
	if !ok {
		return nil
	}
	d := time.Duration(0)
	if text != "none" {
		var err error
		if d, err = time.ParseDuration(text); err != nil || d < 0 {
			o.Fail(n, "", "%s is %q, expected a duration such as 5s or 500ms, or none", what, text)
			return nil
		}
	}
	return &d
}

func (o *own) retries(n *yaml.Node) *retries {
	if n.Kind != yaml.MappingNode {
		if text, _ := o.Text(n, "retries"); text == "none" {
			return &retries{}
		}
		v, ok := o.Int(n, "retries", 0)
		if !ok {
			return nil
		}
		return &retries{attempts: v}
	}
	r := &retries{attempts: -1}
	fields := o.Fields(n, "retries", "attempts", "on", "perTryTimeout")
	if v := fields["attempts"]; v != nil {
		r.attempts, _ = o.Int(v, "attempts", 0)
	}
	if v := fields["on"]; v != nil {
		items := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			items = v.Content
		}
		for _, item := range items {
			text, _ := o.Text(item, "on")
			for part := range strings.SplitSeq(text, ",") {
				r.on = append(r.on, strings.TrimSpace(part))
			}
		}
	}
	if v := fields["perTryTimeout"]; v != nil {
		r.perTry = o.duration(v, "perTryTimeout")
	}
	return r
}

func (o *own) mirrors(n *yaml.Node) *[]share {
	text, ok := o.Text(n, "mirror")
	if !ok {
		return nil
	}
	list := []share{}
	if text == "none" {
		return &list
	}
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseShare(part)
		if err != nil {
			o.Fail(n, "write HOST[@SUBSET][:PORT] [PERCENT], several with commas, or none", "mirror %s", err)
			return nil
		}
		list = append(list, s)
	}
	return &list
}

// fault reads "delay 5s [PERCENT], abort STATUS [PERCENT]", or none.
func (o *own) fault(n *yaml.Node) *fault {
	text, ok := o.Text(n, "fault")
	if !ok {
		return nil
	}
	f := &fault{}
	if text == "none" {
		return f
	}
	for part := range strings.SplitSeq(text, ",") {
		if !f.parse(strings.Fields(part)) {
			o.Fail(n, "write delay DURATION [PERCENT], abort STATUS [PERCENT], abort grpc CODE [PERCENT], or none", "fault is %q", text)
			return nil
		}
	}
	return f
}

func (f *fault) parse(words []string) bool {
	if len(words) < 2 {
		return false
	}
	kind, words := words[0], words[1:]
	grpc := kind == "abort" && words[0] == "grpc"
	if grpc {
		if words = words[1:]; len(words) == 0 {
			return false
		}
	}
	var percent *float64
	if len(words) == 2 {
		v, err := strconv.ParseFloat(strings.TrimSuffix(words[1], "%"), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return false
		}
		percent = &v
	}
	if len(words) > 2 {
		return false
	}
	switch kind {
	case "delay":
		d, err := time.ParseDuration(words[0])
		f.delay, f.delayShare, f.delayGot = &d, percent, true
		return err == nil && d > 0
	case "abort":
		v, err := strconv.Atoi(words[0])
		if f.abortShare, f.abortOn = percent, true; grpc {
			f.grpc = v
			return err == nil && v > 0 && v <= 16
		}
		f.abort = v
		return err == nil && statusText.MatchString(words[0])
	}
	return false
}

func (o *own) headerWants(n *yaml.Node, what string) []headerWant {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		o.Fail(n, "write NAME: VALUE, or NAME: null where it must not be there", "%s is %s, expected a mapping", what, strict.Kind(n))
		return nil
	}
	wants := []headerWant{}
	for _, p := range strict.Pairs(n) {
		w := headerWant{name: strings.ToLower(p.Key.Value)}
		if !strict.Null(p.Value) {
			text, ok := o.Text(p.Value, "header "+p.Key.Value)
			if !ok {
				continue
			}
			w.value = &text
		}
		wants = append(wants, w)
	}
	return wants
}

// sent is the path and the authority that the upstream sees.
func sent(a *answer.Answer) (path, authority string) {
	if a.Effect != nil && a.Effect.Path != "" {
		path, authority = a.Effect.Path, a.Effect.Authority
	}
	if u, err := url.Parse(a.Request.URL); err == nil {
		if path == "" {
			path = u.RequestURI()
		}
		if authority == "" {
			authority = u.Host
		}
	}
	if a.Rewrite != nil {
		if a.Rewrite.Path != "" {
			path = a.Rewrite.Path
		}
		if a.Rewrite.Authority != "" {
			authority = a.Rewrite.Authority
		}
	}
	return path, authority
}

// encodeLetters percent-encodes what is not ASCII, as clients and proxies do, so
// that tests may show paths in people's letters.
func encodeLetters(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// isSent reports whether a request is sent to some upstream.
func isSent(a *answer.Answer) bool { return len(a.Destinations) > 0 }

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// wait writes a duration as tests do.
func wait(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return fmt.Sprint(d)
}
