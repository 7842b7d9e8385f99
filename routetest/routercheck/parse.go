package routercheck

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest/strict"
)

// IsTextProto reports whether a file's name says that it holds text protobuf,
// which nothing in its content tells apart from YAML.
func IsTextProto(path string) bool {
	return slices.Contains([]string{".pb_text", ".textproto", ".pbtxt", ".txtpb"}, filepath.Ext(path))
}

// Parse reads a test file. Errors are *strict.Errors and
// *manifest.SyntaxErrors; tests that are sound are given nevertheless.
func Parse(path string, data []byte) ([]*Test, []error) {
	if IsTextProto(path) {
		return parseText(path, data)
	}
	docs, errs := strict.Documents(path, data)
	var tests []*Test
	for _, n := range docs {
		more, bad := FromNode(path, n)
		tests, errs = append(tests, more...), append(errs, bad...)
	}
	return tests, errs
}

// FromNode reads the tests of one YAML or JSON document.
func FromNode(path string, n *yaml.Node) ([]*Test, []error) {
	r := &strict.Reader{Path: path}
	n = strict.Resolve(n)
	items := n
	if n.Kind != yaml.SequenceNode {
		items = r.Fields(n, "a router_check file", "tests")["tests"]
		if items == nil {
			if len(r.Errors) == 0 {
				r.Fail(n, "", "the file has no tests")
			}
			return nil, r.Errors
		}
	}
	md, err := message("ValidationItem")
	if err != nil {
		return nil, []error{err}
	}
	var tests []*Test
	for _, item := range r.List(items, "tests") {
		m := dynamicpb.NewMessage(md)
		if ok, _ := decode(r, modern(item), m); !ok {
			continue
		}
		t := fromMessage(m)
		t.Path, t.Line = path, item.Line
		if missing := t.missing(); missing != "" {
			r.Fail(item, "write "+missing, "the test has no %s", missing)
			continue
		}
		tests = append(tests, t)
	}
	return tests, r.Errors
}

func (t *Test) missing() string {
	switch {
	case t.Name == "":
		return "test_name"
	case t.Input.Authority == "":
		return "input: authority"
	case t.Input.Path == "":
		return "input: path"
	}
	return ""
}

var testName = regexp.MustCompile(`\btest_name\s*:`)

func parseText(path string, data []byte) ([]*Test, []error) {
	md, err := message("Validation")
	if err != nil {
		return nil, []error{err}
	}
	all := dynamicpb.NewMessage(md)
	if err := (prototext.UnmarshalOptions{Resolver: newTypes()}).Unmarshal(data, all); err != nil {
		return nil, []error{placed(path, err)}
	}
	places := testName.FindAllIndex(data, -1)
	list := all.Get(md.Fields().ByName("tests")).List()
	var tests []*Test
	var errs []error
	for i := range list.Len() {
		t := fromMessage(list.Get(i).Message().Interface())
		t.Path = path
		if len(places) == list.Len() {
			t.Line = 1 + strings.Count(string(data[:places[i][0]]), "\n")
		}
		if missing := t.missing(); missing != "" {
			errs = append(errs, &strict.Error{Path: path, Line: t.Line, Column: 1, Msg: "a test has no " + missing})
			continue
		}
		tests = append(tests, t)
	}
	return tests, errs
}

// older are keys of the tool's first format, a plain list, and what they are
// called now.
var older = map[string]string{
	":authority": "authority", ":path": "path", ":method": "method", "random_lb_value": "random_value",
	"additional_headers": "additional_request_headers", "header_fields": "request_header_fields",
	"custom_header_fields": "request_header_fields",
}

// modern rewrites a test of an older release; a newer one stays as it is.
func modern(item *yaml.Node) *yaml.Node {
	return rewritten(item, func(key string, value *yaml.Node) (string, *yaml.Node) {
		if key != "input" && key != "validate" {
			return key, value
		}
		return key, rewritten(value, func(key string, value *yaml.Node) (string, *yaml.Node) {
			if now, ok := older[key]; ok {
				key = now
			}
			if strings.HasSuffix(key, "_fields") || strings.HasPrefix(key, "additional_") {
				value = withKeys(value)
			}
			return key, value
		})
	})
}

// withKeys rewrites a list of {field, value} into {key, value}.
func withKeys(list *yaml.Node) *yaml.Node {
	if list.Kind != yaml.SequenceNode {
		return list
	}
	out := *list
	out.Content = nil
	for _, item := range list.Content {
		out.Content = append(out.Content, rewritten(strict.Resolve(item), func(key string, value *yaml.Node) (string, *yaml.Node) {
			if key == "field" {
				key = "key"
			}
			return key, value
		}))
	}
	return &out
}

// rewritten copies a mapping with every pair changed. Of two keys that become
// one, the lists are joined.
func rewritten(n *yaml.Node, change func(string, *yaml.Node) (string, *yaml.Node)) *yaml.Node {
	if n = strict.Resolve(n); n.Kind != yaml.MappingNode {
		return n
	}
	out := *n
	out.Content = nil
	at := map[string]int{}
	for _, p := range strict.Pairs(n) {
		key := *p.Key
		var value *yaml.Node
		key.Value, value = change(p.Key.Value, p.Value)
		if i, ok := at[key.Value]; ok && key.Value != p.Key.Value && value.Kind == yaml.SequenceNode {
			joined := *out.Content[i]
			joined.Content = append(slices.Clone(joined.Content), value.Content...)
			out.Content[i] = &joined
			continue
		}
		at[key.Value] = len(out.Content) + 1
		out.Content = append(out.Content, &key, value)
	}
	return &out
}

// reading gets fields of a dynamic message by name.
type reading struct{ protoreflect.Message }

func (r reading) field(name string) protoreflect.FieldDescriptor {
	return r.Descriptor().Fields().ByName(protoreflect.Name(name))
}

func (r reading) text(name string) string { return r.Get(r.field(name)).String() }

func (r reading) flag(name string) bool { return r.Get(r.field(name)).Bool() }

func (r reading) inner(name string) reading { return reading{r.Get(r.field(name)).Message()} }

// wrapped is a StringValue; nil where it is absent.
func (r reading) wrapped(name string) *string {
	if !r.Has(r.field(name)) {
		return nil
	}
	text := r.inner(name).text("value")
	return &text
}

// into copies the entries of a repeated field into messages of a Go type.
func into[M proto.Message](r reading, name string, empty func() M) []M {
	list := r.Get(r.field(name)).List()
	var all []M
	for i := range list.Len() {
		m := empty()
		data, err := proto.Marshal(list.Get(i).Message().Interface())
		if err == nil && proto.Unmarshal(data, m) == nil {
			all = append(all, m)
		}
	}
	return all
}

func (r reading) headers(names ...string) []*corev3.HeaderValue {
	var all []*corev3.HeaderValue
	for _, name := range names {
		all = append(all, into(r, name, func() *corev3.HeaderValue { return &corev3.HeaderValue{} })...)
	}
	return all
}

func plain(headers []*corev3.HeaderValue) []route.Header {
	var all []route.Header
	for _, h := range headers {
		all = append(all, route.Header{Name: strings.ToLower(h.GetKey()), Value: valueOf(h)})
	}
	return all
}

func valueOf(h *corev3.HeaderValue) string {
	if h.GetValue() == "" {
		return string(h.GetRawValue())
	}
	return h.GetValue()
}

func fromMessage(m proto.Message) *Test {
	item := reading{m.ProtoReflect()}
	in, want := item.inner("input"), item.inner("validate")
	matchers := func(name string) []*routev3.HeaderMatcher {
		return into(want, name, func() *routev3.HeaderMatcher { return &routev3.HeaderMatcher{} })
	}
	return &Test{
		Name: item.text("test_name"),
		Input: Input{
			Authority: in.text("authority"), Path: in.text("path"), Method: in.text("method"),
			Random: in.Get(in.field("random_value")).Uint(), SSL: in.flag("ssl"), Internal: in.flag("internal"), Runtime: in.text("runtime"),
			RequestHeaders:  plain(in.headers("additional_request_headers", "additional_headers")),
			ResponseHeaders: plain(in.headers("additional_response_headers")),
		},
		Validate: Validate{
			Cluster: want.wrapped("cluster_name"), VirtualCluster: want.wrapped("virtual_cluster_name"), VirtualHost: want.wrapped("virtual_host_name"),
			PathRewrite: want.wrapped("path_rewrite"), HostRewrite: want.wrapped("host_rewrite"), Redirect: want.wrapped("path_redirect"),
			RequestHeaders: matchers("request_header_matches"), ResponseHeaders: matchers("response_header_matches"),
			RequestFields:  want.headers("request_header_fields", "header_fields", "custom_header_fields"),
			ResponseFields: want.headers("response_header_fields"),
		},
	}
}
