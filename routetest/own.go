package routetest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest/strict"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// own reads documents of our own format.
type own struct {
	*strict.Reader
	lines    []string // of the file
	defaults struct {
		from, host string
		headers    []route.Header
	}
}

// documentKeys and testKeys are the keys of the format, in the order in which
// messages and the schema name them.
var (
	documentKeys = keysOf(Document{})
	testKeys     = keysOf(Spec{})
)

func ownTests(r *strict.Reader, n *yaml.Node, lines []string) []*Test {
	o := &own{Reader: r, lines: lines}
	fields := o.Fields(n, "a test file", documentKeys...)
	if v := fields["from"]; v != nil {
		o.defaults.from, _ = o.Text(v, "from")
	}
	if v := fields["host"]; v != nil {
		o.defaults.host = o.hostURL(v)
	}
	if v := fields["headers"]; v != nil {
		o.defaults.headers = o.headers(v, nil)
	}
	var tests []*Test
	if v := fields["tests"]; v != nil {
		for i, item := range o.List(v, "tests") {
			if t := o.test(item, item, fmt.Sprintf("test %d", i+1)); t != nil {
				tests = append(tests, t)
			}
		}
	}
	if v := fields["table"]; v != nil {
		tests = append(tests, o.table(v)...)
	}
	return tests
}

// hostURL is the scheme, host and port that a host: names; "" where it is none.
func (o *own) hostURL(n *yaml.Node) string {
	text, ok := o.Text(n, "host")
	if !ok {
		return ""
	}
	host := strings.TrimSuffix(text, "/")
	if !strings.Contains(host, "://") {
		host = "http://" + host
	}
	_, name, _ := strings.Cut(host, "://")
	if name == "" || strings.ContainsAny(name, "/?# \t") {
		o.Fail(n, "write SCHEME://HOST[:PORT], such as http://shop.example", "%q is no host", text)
		return ""
	}
	return host
}

// test reads one test; nil where it cannot run. at is where it stands, which for
// the rows of a table is not where its node is.
func (o *own) test(n, at *yaml.Node, what string) *Test {
	before := len(o.Errors)
	fields := o.Fields(n, what, testKeys...)
	if fields == nil && len(o.Errors) == before {
		o.Fail(at, "write request: and to:", "%s is empty", what)
	}
	if len(o.Errors) > before {
		return nil
	}
	t := &Test{Path: o.Path, Line: at.Line, Request: answer.Request{From: o.defaults.from}}
	if v := fields["name"]; v != nil {
		t.Name, _ = o.Text(v, "name")
	}
	if v := fields["from"]; v != nil {
		t.Request.From, _ = o.Text(v, "from")
	}
	host := o.defaults.host
	if v := fields["host"]; v != nil {
		host = o.hostURL(v)
	}
	t.Request.Headers = o.defaults.headers
	if v := fields["headers"]; v != nil {
		t.Request.Headers = o.headers(v, o.defaults.headers)
	}
	if v := fields["random"]; v != nil {
		t.Request.Random = o.random(v)
	}
	if v := fields["request"]; v != nil {
		o.request(v, t, host)
	} else {
		o.Fail(at, "write request: GET /PATH", "%s has no request", what)
	}
	want := o.expect(fields)
	if len(o.Errors) == before && want.empty() {
		o.Fail(at, "write to: HOST@SUBSET, or to: 404", "%s expects nothing", what)
	}
	if len(o.Errors) > before {
		return nil
	}
	t.want = want
	if t.Name == "" {
		t.Name, _ = o.Text(fields["request"], "request")
	}
	return t
}

func (o *own) random(n *yaml.Node) *uint64 {
	text, _ := o.Text(n, "random")
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		o.Fail(n, "", "random is %q, expected a whole number", text)
		return nil
	}
	return &v
}

// methodName is RFC 9110's token, as far as methods go.
var methodName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_!#$%&'*+.^|~-]*$`)

// request reads "METHOD PATH", "METHOD URL", or either without the method.
func (o *own) request(n *yaml.Node, t *Test, host string) {
	text, ok := o.Text(n, "request")
	if !ok {
		return
	}
	words := strings.Fields(text)
	if len(words) == 1 {
		words = []string{"GET", words[0]}
	}
	if len(words) != 2 {
		o.Fail(n, "write spaces in a path as %20", "request is %q, expected METHOD PATH or METHOD URL", text)
		return
	}
	method, target := words[0], words[1]
	switch {
	case !methodName.MatchString(method):
		o.Fail(n, "write METHOD PATH, such as GET /orders", "%q is no HTTP method", method)
	case strings.HasPrefix(target, "/"):
		if host == "" {
			o.Fail(n, "write host: http://HOST at the top of the file, or the whole URL", "request %q has no host", text)
			return
		}
		target = host + target
	case !strings.Contains(target, "://"):
		o.Fail(n, "begin a path with /, and a URL with http://", "%q is neither a path nor a URL", target)
	}
	t.Request.Method, t.Request.URL = method, target
}

// headers reads NAME: VALUE, or NAME: [VALUE, ...]; they replace those of the
// same name among the defaults, and an empty value removes them.
func (o *own) headers(n *yaml.Node, defaults []route.Header) []route.Header {
	if strict.Resolve(n).Kind != yaml.MappingNode {
		o.Fail(n, "write NAME: VALUE", "headers is %s, expected a mapping", strict.Kind(n))
		return nil
	}
	headers := slices.Clone(defaults)
	for _, p := range strict.Pairs(n) {
		name := strings.ToLower(p.Key.Value)
		headers = slices.DeleteFunc(headers, func(h route.Header) bool { return h.Name == name })
		values := []*yaml.Node{p.Value}
		switch {
		case strict.Null(p.Value):
			continue
		case p.Value.Kind == yaml.SequenceNode:
			values = p.Value.Content
		}
		for _, v := range values {
			if text, ok := o.Text(v, "header "+p.Key.Value); ok {
				headers = append(headers, route.Header{Name: name, Value: text})
			}
		}
	}
	return headers
}
