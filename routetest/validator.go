package routetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest/strict"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// validator reads the format of istio-config-validator, whose expectations are
// parts of a VirtualService's rule (networking.istio.io/v1 HTTPRoute). Its keys
// may be written in either of protobuf's spellings.
type validator struct {
	*strict.Reader
}

// fields are the values of a mapping by their camel-case keys.
func (v *validator) fields(n *yaml.Node, what string, allowed ...string) map[string]*yaml.Node {
	n = strict.Resolve(n)
	if n.Kind != yaml.MappingNode {
		return v.Fields(n, what, allowed...)
	}
	plain := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	for _, p := range strict.Pairs(n) {
		key := *p.Key
		if camel := camelCase(key.Value); slices.Contains(allowed, camel) {
			key.Value = camel
		}
		plain.Content = append(plain.Content, &key, p.Value)
	}
	return v.Fields(plain, what, allowed...)
}

func camelCase(s string) string {
	parts := strings.Split(s, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

func validatorTests(r *strict.Reader, n *yaml.Node) []*Test {
	v := &validator{r}
	fields := v.fields(n, "a test file", "testCases")
	var tests []*Test
	if list := fields["testCases"]; list != nil {
		for i, item := range v.List(list, "testCases") {
			tests = append(tests, v.testCase(item, i)...)
		}
	}
	return tests
}

// testCase makes a test of every combination of authority, method and uri.
func (v *validator) testCase(n *yaml.Node, i int) []*Test {
	what := fmt.Sprintf("test case %d", i+1)
	before := len(v.Errors)
	fields := v.fields(n, what, "description", "wantMatch", "request", "route", "redirect", "rewrite", "fault", "headers", "delegate",
		"mirror", "mirrorPercentage", "timeout", "retries")
	name := what
	if d := fields["description"]; d != nil {
		name, _ = v.Text(d, "description")
	}
	want := &ruleWant{}
	if w := fields["wantMatch"]; w != nil {
		want.match = v.Bool(w, "wantMatch")
	}
	v.rule(want, fields)
	requests := v.requests(n, fields["request"], what)
	if len(v.Errors) > before {
		return nil
	}
	var tests []*Test
	for _, r := range requests {
		t := &Test{Name: name, Path: v.Path, Line: n.Line, Request: r, want: want, anywhere: true, ports: want.ports()}
		if len(requests) > 1 {
			t.Name += ": " + r.Method + " " + strings.TrimPrefix(r.URL, "http://")
		}
		tests = append(tests, t)
	}
	return tests
}

// maxCombinations is how many requests a test case may stand for.
const maxCombinations = 100_000

func (v *validator) requests(at, n *yaml.Node, what string) []answer.Request {
	if n == nil {
		v.Fail(at, "write request: with authority, method and uri", "%s has no request", what)
		return nil
	}
	fields := v.fields(n, "a request", "authority", "method", "uri", "headers")
	authorities, methods, uris := v.texts(fields["authority"], "authority"), v.texts(fields["method"], "method"), v.texts(fields["uri"], "uri")
	switch {
	case len(authorities) == 0:
		v.Fail(n, "write authority: [HOST]", "the request has no authority")
	case len(uris) == 0:
		v.Fail(n, "write uri: [/PATH]", "the request has no uri")
	}
	if len(methods) == 0 {
		methods = []string{"GET"}
	}
	if len(authorities)*len(methods)*len(uris) > maxCombinations {
		v.Fail(n, "split the test case", "the request stands for more than %d combinations", maxCombinations)
		return nil
	}
	var headers []route.Header
	for _, p := range strict.Pairs(fields["headers"]) {
		text, _ := v.Text(p.Value, "header "+p.Key.Value)
		headers = append(headers, route.Header{Name: strings.ToLower(p.Key.Value), Value: text})
	}
	for _, uri := range uris {
		if !strings.HasPrefix(uri, "/") {
			v.Fail(fields["uri"], "begin it with /", "uri %q is no path", uri)
		}
	}
	var all []answer.Request
	for _, authority := range authorities {
		for _, method := range methods {
			for _, uri := range uris {
				all = append(all, answer.Request{Method: method, URL: "http://" + authority + uri, Headers: headers})
			}
		}
	}
	return all
}

// texts is a list of scalars, or one.
func (v *validator) texts(n *yaml.Node, what string) []string {
	if n == nil {
		return nil
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = v.List(n, what)
	}
	var list []string
	for _, item := range items {
		if text, ok := v.Text(item, what); ok {
			list = append(list, text)
		}
	}
	return list
}

// rule reads the parts of a rule that the answer is compared with.
func (v *validator) rule(w *ruleWant, fields map[string]*yaml.Node) {
	if n := fields["route"]; n != nil {
		w.route = v.destinations(n)
	}
	if n := fields["redirect"]; n != nil {
		w.redirect = v.redirect(n)
	}
	if n := fields["rewrite"]; n != nil {
		w.rewrite = v.rewrite(n)
	}
	if n := fields["fault"]; n != nil {
		w.fault = v.fault(n)
	}
	if n := fields["headers"]; n != nil {
		w.headers = v.headers(n)
	}
	if n := fields["delegate"]; n != nil {
		f := v.fields(n, "delegate", "name", "namespace")
		w.delegate = &[2]string{v.optional(f, "namespace"), v.optional(f, "name")}
	}
	if n := fields["mirror"]; n != nil {
		s := v.destination(n)
		if p := fields["mirrorPercentage"]; p != nil {
			s.percent, s.given = v.percentage(p), true
			s.decimals = 4
		}
		w.mirror = &[]share{s}
	}
	if n := fields["timeout"]; n != nil {
		w.timeout = v.duration(n, "timeout")
	}
	if n := fields["retries"]; n != nil {
		f := v.fields(n, "retries", "attempts", "perTryTimeout", "retryOn")
		w.retries = &retries{attempts: -1}
		if a := f["attempts"]; a != nil {
			w.retries.attempts, _ = v.Int(a, "attempts", 0)
		}
		if p := f["perTryTimeout"]; p != nil {
			w.retries.perTry = v.duration(p, "perTryTimeout")
		}
		if on := v.optional(f, "retryOn"); on != "" {
			w.retries.on = strings.Split(on, ",")
		}
	}
}

func (v *validator) optional(fields map[string]*yaml.Node, key string) string {
	if n := fields[key]; n != nil {
		text, _ := v.Text(n, key)
		return text
	}
	return ""
}

func (v *validator) duration(n *yaml.Node, what string) *time.Duration {
	text, _ := v.Text(n, what)
	d, err := time.ParseDuration(text)
	if err != nil {
		v.Fail(n, "", "%s is %q, expected a duration such as 5s", what, text)
	}
	return &d
}

func (v *validator) percentage(n *yaml.Node) float64 {
	value := v.fields(n, "a percentage", "value")["value"]
	if value == nil {
		return 0
	}
	p, _ := v.Float(value, "value")
	return p
}

// destination reads Istio's Destination.
func (v *validator) destination(n *yaml.Node) share {
	f := v.fields(n, "a destination", "host", "subset", "port")
	s := share{host: v.optional(f, "host"), subset: v.optional(f, "subset")}
	if s.host == "" {
		v.Fail(n, "write host: NAME", "the destination has no host")
	}
	if p := f["port"]; p != nil {
		if number := v.fields(p, "port", "number")["number"]; number != nil {
			s.port, _ = v.Int(number, "number", 1)
		}
	}
	return s
}

// destinations reads the list of HTTPRouteDestination. Weights become shares as
// istiod makes them: a single destination without one gets everything.
func (v *validator) destinations(n *yaml.Node) *[]routeShare {
	list := []routeShare{}
	total := 0.0
	for _, item := range v.List(n, "route") {
		f := v.fields(item, "a destination of the route", "destination", "weight", "headers")
		d := f["destination"]
		if d == nil {
			v.Fail(item, "write destination: {host: NAME}", "an entry of route has no destination")
			continue
		}
		r := routeShare{share: v.destination(d)}
		if w := f["weight"]; w != nil {
			r.percent, _ = v.Float(w, "weight")
		}
		if h := f["headers"]; h != nil {
			r.headers = v.headers(h)
		}
		total += r.percent
		list = append(list, r)
	}
	for i := range list {
		switch {
		case total > 0:
			list[i].percent *= 100 / total
		case len(list) == 1:
			list[i].percent = 100
		}
	}
	return &list
}

func (v *validator) headers(n *yaml.Node) *headerOperations {
	f := v.fields(n, "headers", "request", "response")
	h := &headerOperations{}
	h.request = v.operations(f["request"])
	h.response = v.operations(f["response"])
	return h
}

// operations are what set, add and remove leave behind.
func (v *validator) operations(n *yaml.Node) []headerWant {
	if n == nil {
		return nil
	}
	f := v.fields(n, "header operations", "set", "add", "remove")
	var wants []headerWant
	for _, key := range []string{"set", "add"} {
		for _, p := range strict.Pairs(f[key]) {
			text, _ := v.Text(p.Value, "header "+p.Key.Value)
			wants = append(wants, headerWant{strings.ToLower(p.Key.Value), &text})
		}
	}
	for _, name := range v.texts(f["remove"], "remove") {
		wants = append(wants, headerWant{name: strings.ToLower(name)})
	}
	return wants
}

func (v *validator) redirect(n *yaml.Node) *redirectWant {
	f := v.fields(n, "redirect", "uri", "authority", "port", "derivePort", "scheme", "redirectCode")
	w := &redirectWant{uri: v.optional(f, "uri"), authority: v.optional(f, "authority"), scheme: v.optional(f, "scheme"), code: 301}
	if p := f["port"]; p != nil {
		port, _ := v.Int(p, "port", 1)
		w.port = strconv.Itoa(port)
	}
	if c := f["redirectCode"]; c != nil {
		w.code, _ = v.Int(c, "redirectCode", 300)
	}
	return w
}

func (v *validator) rewrite(n *yaml.Node) *rewriteWant {
	f := v.fields(n, "rewrite", "uri", "authority", "uriRegexRewrite")
	w := &rewriteWant{uri: v.optional(f, "uri"), authority: v.optional(f, "authority")}
	if r := f["uriRegexRewrite"]; r != nil {
		inner := v.fields(r, "uriRegexRewrite", "match", "rewrite")
		if err := w.regex(v.optional(inner, "match"), v.optional(inner, "rewrite")); err != nil {
			v.Fail(r, "write an RE2 expression", "uriRegexRewrite: %v", err)
		}
	}
	return w
}

func (v *validator) fault(n *yaml.Node) *fault {
	f := v.fields(n, "fault", "delay", "abort")
	out := &fault{}
	if d := f["delay"]; d != nil {
		inner := v.fields(d, "delay", "fixedDelay", "percentage", "percent")
		out.delayGot, out.delay, out.delayShare = true, new(time.Duration), v.faultShare(inner)
		if t := inner["fixedDelay"]; t != nil {
			out.delay = v.duration(t, "fixedDelay")
		}
	}
	if a := f["abort"]; a != nil {
		inner := v.fields(a, "abort", "httpStatus", "grpcStatus", "http2Error", "percentage")
		out.abortOn, out.abortShare = true, v.faultShare(inner)
		if s := inner["httpStatus"]; s != nil {
			out.abort, _ = v.Int(s, "httpStatus", 200)
		}
		if s := inner["grpcStatus"]; s != nil {
			out.grpc = grpcStatus(v.optional(inner, "grpcStatus"))
		}
	}
	return out
}

func (v *validator) faultShare(fields map[string]*yaml.Node) *float64 {
	if p := fields["percentage"]; p != nil {
		value := v.percentage(p)
		return &value
	}
	if p := fields["percent"]; p != nil {
		value, _ := v.Float(p, "percent")
		return &value
	}
	return nil
}
