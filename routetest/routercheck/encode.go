package routercheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/meshstorm/meshstorm/routetest/strict"
)

// encoder writes YAML as the JSON of a protobuf message. Every token begins a
// line, so that a line of what protojson says names a node of the file.
type encoder struct {
	*strict.Reader
	out   strings.Builder
	lines []*yaml.Node // of the second line and those behind it
	types *types
}

// decode reads a YAML node into a message. What is wrong is noted at the
// reader; notes says which parts were left out and why.
func decode(r *strict.Reader, n *yaml.Node, into proto.Message) (ok bool, notes []string) {
	before := len(r.Errors)
	e := &encoder{Reader: r, types: newTypes()}
	e.message(n, into.ProtoReflect().Descriptor())
	if len(r.Errors) > before {
		return false, nil
	}
	err := protojson.UnmarshalOptions{Resolver: e.types}.Unmarshal([]byte(e.out.String()), into)
	if err != nil {
		bad := placed(r.Path, err)
		if i := bad.Line - 2; i >= 0 && i < len(e.lines) {
			bad.Line, bad.Column = e.lines[i].Line, e.lines[i].Column
		} else {
			bad.Line, bad.Column = n.Line, n.Column
		}
		r.Errors = append(r.Errors, bad)
		return false, nil
	}
	return true, e.types.notes
}

// protoPlace is how package protobuf writes a place: "proto: (line 3:5): text".
var protoPlace = regexp.MustCompile(`^proto:[\s\x{a0}]*(?:syntax error )?\(line (\d+):(\d+)\): ((?s:.*))$`)

// placed moves the place of an error of package protobuf to where ours stand.
func placed(path string, err error) *strict.Error {
	m := protoPlace.FindStringSubmatch(err.Error())
	if m == nil {
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		return &strict.Error{Path: path, Msg: text}
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	return &strict.Error{Path: path, Line: line, Column: column, Msg: strings.ReplaceAll(m[3], "\u00a0", " ")}
}

func (e *encoder) write(s string) { e.out.WriteString(s) }

// at begins the line of a node.
func (e *encoder) at(n *yaml.Node) {
	e.out.WriteByte('\n')
	e.lines = append(e.lines, n)
}

func (e *encoder) message(n *yaml.Node, md protoreflect.MessageDescriptor) {
	n = strict.Resolve(n)
	switch name := md.FullName(); {
	case name == "google.protobuf.Any":
		e.any(n)
	case md.ParentFile().Package() == "google.protobuf":
		e.wellKnown(n, name)
	case n.Kind == yaml.MappingNode:
		e.object(n, func(p strict.Pair) { e.field(p, md) })
	default:
		e.scalar(n, false)
	}
}

// object writes a mapping whose pairs the caller writes.
func (e *encoder) object(n *yaml.Node, pair func(strict.Pair)) {
	e.at(n)
	e.write("{")
	for i, p := range strict.Pairs(n) {
		if i > 0 {
			e.write(",")
		}
		pair(p)
	}
	e.write("}")
}

func (e *encoder) key(n *yaml.Node) {
	e.at(n)
	e.text(n.Value)
	e.write(":")
}

func (e *encoder) field(p strict.Pair, md protoreflect.MessageDescriptor) {
	fd := md.Fields().ByJSONName(p.Key.Value)
	if fd == nil {
		fd = md.Fields().ByName(protoreflect.Name(p.Key.Value))
	}
	e.key(p.Key)
	if fd == nil {
		e.unknown(p.Key, md)
		e.write("null")
		return
	}
	switch v := p.Value; {
	case fd.IsMap() && v.Kind == yaml.MappingNode:
		e.object(v, func(p strict.Pair) {
			e.key(p.Key)
			e.single(p.Value, fd.MapValue())
		})
	case fd.IsList() && v.Kind == yaml.SequenceNode:
		e.list(v, func(n *yaml.Node) { e.single(n, fd) })
	default:
		e.single(v, fd)
	}
}

func (e *encoder) list(n *yaml.Node, item func(*yaml.Node)) {
	e.at(n)
	e.write("[")
	for i, c := range n.Content {
		if i > 0 {
			e.write(",")
		}
		item(strict.Resolve(c))
	}
	e.write("]")
}

// renamed are fields of Envoy's v2 API and of releases before 1.12 that v3 calls
// otherwise or says otherwise.
var renamed = map[string]string{
	"regex":                    "safe_regex",
	"regex_match":              "safe_regex_match",
	"auto_host_rewrite_header": "host_rewrite_header",
	"per_filter_config":        "typed_per_filter_config",
	"allow_origin":             "allow_origin_string_match",
	"allow_origin_regex":       "allow_origin_string_match",
	"request_mirror_policy":    "request_mirror_policies",
	"config":                   "typed_config",
}

func (e *encoder) unknown(key *yaml.Node, md protoreflect.MessageDescriptor) {
	var names []string
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	if now := renamed[key.Value]; now != "" && md.Fields().ByName(protoreflect.Name(now)) != nil {
		e.Fail(key, "write "+now, "%s was a field of Envoy's v2 API; %s has none of this name", key.Value, md.FullName())
		return
	}
	e.Unknown(key, string(md.FullName()), names)
}

func (e *encoder) single(n *yaml.Node, fd protoreflect.FieldDescriptor) {
	n = strict.Resolve(n)
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		e.message(n, fd.Message())
	case protoreflect.StringKind, protoreflect.BytesKind:
		e.scalar(n, true)
	default:
		e.scalar(n, false)
	}
}

// wellKnown writes the messages that protobuf's JSON has a form of its own for.
func (e *encoder) wellKnown(n *yaml.Node, name protoreflect.FullName) {
	switch name {
	case "google.protobuf.StringValue", "google.protobuf.BytesValue", "google.protobuf.Duration", "google.protobuf.Timestamp", "google.protobuf.FieldMask":
		e.scalar(n, true)
	default:
		e.free(n)
	}
}

// free writes what has no schema.
func (e *encoder) free(n *yaml.Node) {
	n = strict.Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		e.object(n, func(p strict.Pair) {
			e.key(p.Key)
			e.free(p.Value)
		})
	case yaml.SequenceNode:
		e.list(n, e.free)
	default:
		e.scalar(n, false)
	}
}

// scalar writes a value; as text where the message wants text, since YAML takes
// what people leave unquoted for numbers.
func (e *encoder) scalar(n *yaml.Node, asText bool) {
	if n.Kind != yaml.ScalarNode {
		e.free(n) // protojson says what it expected
		return
	}
	e.at(n)
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		e.write("null")
	case asText || tag == "!!str":
		e.text(n.Value)
	case tag == "!!int" || tag == "!!float" || tag == "!!bool":
		var v any
		if err := n.Decode(&v); err != nil {
			e.Fail(n, "", "%v", err)
			return
		}
		data, err := json.Marshal(v)
		if err != nil { // .inf and .nan
			e.text(n.Value)
			return
		}
		e.write(string(data))
	default:
		e.text(n.Value)
	}
}

func (e *encoder) text(s string) {
	data, err := json.Marshal(s)
	if err != nil {
		data = []byte(`""`)
	}
	e.write(string(data))
}

// any writes an Any by its type's own schema.
func (e *encoder) any(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		e.free(n)
		return
	}
	url := strict.Get(n, "@type")
	if url == nil {
		if len(n.Content) > 0 {
			e.Fail(n, `write "@type": type.googleapis.com/PACKAGE.MESSAGE`, "the value does not say its type")
		}
		e.write("{}")
		return
	}
	name := protoreflect.FullName(url.Value[strings.LastIndexByte(url.Value, '/')+1:])
	if ofV2.MatchString(string(name)) {
		e.Fail(url, "use the v3 type", "type %s is of Envoy's v2 API, which Envoy no longer reads", name)
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if errors.Is(err, protoregistry.NotFound) && name.IsValid() {
		e.types.leaveOut(name, fmt.Sprintf("%s:%d:%d: type %s is not known here; what it says is unsupported", e.Path, url.Line, url.Column, name))
		e.at(n)
		e.write(`{"@type":`)
		e.at(url)
		e.text(url.Value)
		e.write("}")
		return
	}
	if err != nil {
		e.Fail(url, "", "%q is no type: %v", url.Value, err)
		return
	}
	md := mt.Descriptor()
	e.object(n, func(p strict.Pair) {
		switch {
		case p.Key.Value == "@type":
			e.key(p.Key)
			e.text(url.Value)
		case md.ParentFile().Package() == "google.protobuf":
			e.key(p.Key)
			e.message(p.Value, md)
		default:
			e.field(p, md)
		}
	})
}

var ofV2 = regexp.MustCompile(`^envoy\.(?:api\.v2|config\.filter)\.|^envoy\..*\.v2(?:alpha[0-9]*)?\.`)
