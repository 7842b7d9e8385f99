package route_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	templatematchv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	templaterewritev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/rewrite/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/meshstorm/meshstorm/route"
)

// roots are the configuration and what it holds as google.protobuf.Any and is
// evaluated nevertheless.
var roots = []proto.Message{
	&routev3.RouteConfiguration{}, &routev3.RouteList{}, &routev3.FilterConfig{}, &corsv3.CorsPolicy{}, &faultv3.HTTPFault{},
	&templatematchv3.UriTemplateMatchConfig{}, &templaterewritev3.UriTemplateRewriteConfig{},
	&matcherv3.HttpRequestHeaderMatchInput{}, &matcherv3.HttpRequestQueryParamMatchInput{},
}

// reachable gives every message that the roots lead to, through the fields that
// follow lets pass.
func reachable(follow func(protoreflect.FieldDescriptor) bool) map[protoreflect.FullName]protoreflect.MessageDescriptor {
	seen := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] != nil {
			return
		}
		seen[m.FullName()] = m
		fields := m.Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			next := f.Message()
			if f.IsMap() {
				next = f.MapValue().Message()
			}
			if next != nil && follow(f) {
				walk(next)
			}
		}
	}
	for _, m := range roots {
		walk(m.ProtoReflect().Descriptor())
	}
	return seen
}

func TestEveryFieldIsInTheTableOnce(t *testing.T) {
	entries := map[string]route.Field{}
	for _, f := range route.Fields() {
		name := f.Message + "." + f.Name
		if _, twice := entries[name]; twice {
			t.Errorf("%s is in the table twice", name)
		}
		entries[name] = f
		if (f.Case == "") == (f.Text == "") {
			t.Errorf("%s needs either a test case or a text, not both: %+v", name, f)
		}
		if f.Text != "" && !strings.HasPrefix(f.Text, "unsupported: ") && !strings.HasPrefix(f.Text, "not shown: ") {
			t.Errorf("%s: the text begins neither with unsupported nor with not shown: %s", name, f.Text)
		}
	}
	there := map[string]bool{}
	for _, m := range reachable(func(protoreflect.FieldDescriptor) bool { return true }) {
		fields := m.Fields()
		for i := range fields.Len() {
			name := string(fields.Get(i).FullName())
			there[name] = true
			if _, ok := entries[name]; !ok {
				t.Errorf("%s is not in the table of fields (fields_*.go): evaluate it and name the test, or say that it is unsupported", name)
			}
		}
	}
	for name := range entries {
		if !there[name] {
			t.Errorf("%s is in the table of fields, but a route configuration has no such field", name)
		}
	}
}

// A message within an unsupported field may not be reached in another way: its
// fields would go untold.
func TestMessagesWithinUnsupportedFieldsAreReachedByNoOther(t *testing.T) {
	unsupported, inner := map[string]bool{}, map[string]string{}
	for _, f := range route.Fields() {
		unsupported[f.Message+"."+f.Name] = f.Text != ""
		if f.Within != "" {
			inner[f.Message] = f.Within
		}
	}
	for message, field := range inner {
		if !unsupported[field] {
			t.Errorf("%s is said to be within %s, which is not an unsupported field", message, field)
		}
	}
	for name := range reachable(func(f protoreflect.FieldDescriptor) bool { return !unsupported[string(f.FullName())] }) {
		if field := inner[string(name)]; field != "" {
			t.Errorf("%s is said to be within %s, but other fields lead to it", name, field)
		}
	}
}

func TestEveryTestThatTheTableNamesExists(t *testing.T) {
	cases := testCases(t)
	for _, f := range route.Fields() {
		if f.Case == "" {
			continue
		}
		function, name, _ := strings.Cut(f.Case, "/")
		known, ok := cases[function]
		if !ok {
			t.Errorf("%s.%s names %s, which is no test", f.Message, f.Name, function)
		} else if name != "" && !slices.Contains(known, name) {
			t.Errorf("%s.%s names the case %q, which %s does not have", f.Message, f.Name, name, function)
		}
	}
}

// testCases gives the tests of this package, and the texts that stand in the
// file of each, among which the names of its cases are.
func testCases(t *testing.T) map[string][]string {
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no test files", err)
	}
	out := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var tests, literals []string
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if strings.HasPrefix(n.Name.Name, "Test") {
					tests = append(tests, n.Name.Name)
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					literals = append(literals, text)
				}
			}
			return true
		})
		for _, name := range tests {
			out[name] = literals
		}
	}
	return out
}

func TestConfigurationsHaveNames(t *testing.T) {
	t.Run("the configuration's name", func(t *testing.T) {
		refuses(t, `{name: http.80, virtual_hosts: [{name: a}]}`, `route configuration "http.80"`)
	})
}

func TestMatchTreesByRegularExpression(t *testing.T) {
	t.Run("a regular expression in a predicate", func(t *testing.T) {
		c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], matcher: {matcher_list: {matchers: [{predicate: `+
			single(header("x"), `{safe_regex: {google_re2: {}, regex: "a+"}}`)+`, on_match: {`+everything("a")+`}}]}}}]}`)
		for text, want := range map[string]string{"GET / | x: aa": "a", "GET / | x: ab": ""} {
			if got := c.Decide(request(t, text)).Cluster; got != want {
				t.Errorf("%s goes to %q, not %q", text, got, want)
			}
		}
	})
}

// answers gives everything that a configuration's answer to a request says, or
// why it does not compile.
func answers(rc *routev3.RouteConfiguration, r *route.Request) (string, error) {
	c, err := route.Compile(rc)
	if err != nil {
		return "", err
	}
	d := c.Decide(r)
	if d.VirtualHost == nil && d.Unsupported == "" {
		return "", errors.New("no virtual host takes the request")
	}
	e := c.Effect(d, r)
	return strings.Join(append(append([]string{d.Unsupported}, e.Unsupported...), e.NotShown...), "\n"), nil
}
