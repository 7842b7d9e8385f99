package telemetry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// Format is a compiled substitution format: of an access log, or of the answers
// that the proxy itself gives (Envoy docs, "Substitution formatting").
type Format struct {
	parts []part
	// omit writes nothing instead of "-" (text), and leaves out properties
	// without a value (JSON).
	omit        bool
	contentType string
}

// part is literal text, a value, or the JSON of a structure.
type part struct {
	literal string
	value   *value
	object  *jsonNode
}

// entry is what values are taken from.
type entry struct {
	*flow.Record
	body string // %LOCAL_REPLY_BODY%
}

// value is one command operator.
type value struct {
	// add appends the value; false means that there is none.
	add func(b []byte, e *entry) ([]byte, bool)
	// limit is the most bytes of it; 0 for all.
	limit int
	// raw is set for what JSON formats show as a number.
	raw bool
	// typed says whether this record's value is JSON already; nil never.
	typed func(e *entry) bool
}

// Format compiles a format. An operator that is unknown or that this proxy does
// not support is an error that names it.
func (t *Telemetry) Format(f *corev3.SubstitutionFormatString) (*Format, error) {
	out := &Format{omit: f.GetOmitEmptyValues(), contentType: f.GetContentType()}
	for _, extension := range f.GetFormatters() {
		if !knownFormatter(extension) {
			return nil, fmt.Errorf("formatter %s is not supported by the lab's proxy", extension.GetName())
		}
	}
	var err error
	switch f.GetFormat().(type) {
	case *corev3.SubstitutionFormatString_TextFormat:
		out.parts, err = t.text(f.GetTextFormat())
	case *corev3.SubstitutionFormatString_TextFormatSource:
		var text string
		if text, err = t.source(f.GetTextFormatSource()); err == nil {
			out.parts, err = t.text(text)
		}
	case *corev3.SubstitutionFormatString_JsonFormat:
		out.parts, err = t.json(f.GetJsonFormat(), true)
		if out.contentType == "" {
			out.contentType = "application/json"
		}
	default:
		err = fmt.Errorf("the format is neither text nor JSON")
	}
	if err != nil {
		return nil, err
	}
	if out.contentType == "" {
		out.contentType = "text/plain"
	}
	return out, nil
}

// ContentType is the format's content type, for answers.
func (f *Format) ContentType() string { return f.contentType }

// Append adds the record to b. localReply is the value of %LOCAL_REPLY_BODY%.
func (f *Format) Append(b []byte, r *flow.Record, localReply string) []byte {
	e := &entry{Record: r, body: localReply}
	for i := range f.parts {
		p := &f.parts[i]
		switch {
		case p.object != nil:
			b = p.object.add(b, e, f.omit)
			b = append(b, '\n')
		case p.value != nil:
			b = p.value.text(b, e, f.omit)
		default:
			b = append(b, p.literal...)
		}
	}
	return b
}

// text appends the value as a text format shows it.
func (v *value) text(b []byte, e *entry, omit bool) []byte {
	start := len(b)
	b, ok := v.add(b, e)
	if !ok {
		b = b[:start]
		if omit {
			return b
		}
		return append(b, '-')
	}
	return v.cut(b, start)
}

func (v *value) cut(b []byte, start int) []byte {
	if v.limit > 0 && len(b)-start > v.limit {
		return b[:start+v.limit]
	}
	return b
}

func (t *Telemetry) source(s *corev3.DataSource) (string, error) {
	switch s.GetSpecifier().(type) {
	case *corev3.DataSource_InlineString:
		return s.GetInlineString(), nil
	case *corev3.DataSource_InlineBytes:
		return string(s.GetInlineBytes()), nil
	case *corev3.DataSource_EnvironmentVariable:
		text := t.o.Env(s.GetEnvironmentVariable())
		if text == "" {
			return "", fmt.Errorf("the environment variable %s, which holds the format, is empty", s.GetEnvironmentVariable())
		}
		return text, nil
	}
	return "", fmt.Errorf("a format from a file is not supported by the lab's proxy")
}

// text compiles a text with operators between percent signs.
func (t *Telemetry) text(format string) ([]part, error) {
	var parts []part
	var literal strings.Builder
	for format != "" {
		before, rest, found := strings.Cut(format, "%")
		literal.WriteString(before)
		if !found {
			break
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			literal.WriteByte('%')
			format = after
			continue
		}
		op, after, err := parseOperator(rest)
		if err != nil {
			return nil, err
		}
		v, err := t.compile(op)
		if err != nil {
			return nil, err
		}
		if literal.Len() > 0 {
			parts = append(parts, part{literal: literal.String()})
			literal.Reset()
		}
		parts = append(parts, part{value: v})
		format = after
	}
	if literal.Len() > 0 {
		parts = append(parts, part{literal: literal.String()})
	}
	return parts, nil
}

// operator is a command operator as written: %NAME(ARGUMENT):LIMIT%.
type operator struct {
	name, argument string
	hasArgument    bool
	limit          int
}

// parseOperator reads an operator, of which the first percent sign is gone.
func parseOperator(s string) (operator, string, error) {
	var op operator
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9') {
		i++
	}
	op.name = s[:i]
	rest := s[i:]
	if op.name == "" {
		return op, "", fmt.Errorf("a percent sign that begins no command operator, before %q", excerpt(s))
	}
	if after, ok := strings.CutPrefix(rest, "("); ok {
		argument, next, found := strings.Cut(after, ")")
		if !found {
			return op, "", fmt.Errorf("command operator %%%s( is not closed", op.name)
		}
		op.argument, op.hasArgument, rest = argument, true, next
	}
	if after, ok := strings.CutPrefix(rest, ":"); ok {
		n := 0
		for n < len(after) && after[n] >= '0' && after[n] <= '9' {
			n++
		}
		limit, err := strconv.Atoi(after[:n])
		if err != nil || limit < 0 {
			return op, "", fmt.Errorf("the length of command operator %%%s is no number", op.name)
		}
		op.limit, rest = limit, after[n:]
	}
	after, ok := strings.CutPrefix(rest, "%")
	if !ok {
		return op, "", fmt.Errorf("command operator %%%s does not end with a percent sign, before %q", op.name, excerpt(rest))
	}
	return op, after, nil
}

func excerpt(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

// jsonNode is a value of a JSON format.
type jsonNode struct {
	fixed  []byte // what does not depend on the record
	parts  []part // a string of several parts
	single *value // a string that is one operator keeps that operator's type
	keys   [][]byte
	fields []*jsonNode
	list   bool
	typed  bool
}

func (t *Telemetry) json(s *structpb.Struct, typed bool) ([]part, error) {
	node, err := t.object(s, typed)
	if err != nil {
		return nil, err
	}
	return []part{{object: node}}, nil
}

func (t *Telemetry) object(s *structpb.Struct, typed bool) (*jsonNode, error) {
	node := &jsonNode{typed: typed, keys: [][]byte{}}
	names := make([]string, 0, len(s.GetFields()))
	for name := range s.GetFields() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		child, err := t.node(s.GetFields()[name], typed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		node.keys = append(node.keys, append(appendQuoted(nil, name), ':'))
		node.fields = append(node.fields, child)
	}
	return node, nil
}

func (t *Telemetry) node(v *structpb.Value, typed bool) (*jsonNode, error) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		parts, err := t.text(kind.StringValue)
		if err != nil {
			return nil, err
		}
		if typed && len(parts) == 1 && parts[0].value != nil {
			return &jsonNode{single: parts[0].value}, nil
		}
		if len(parts) == 0 || len(parts) == 1 && parts[0].value == nil {
			return &jsonNode{fixed: appendQuoted(nil, literal(parts))}, nil
		}
		return &jsonNode{parts: parts}, nil
	case *structpb.Value_StructValue:
		return t.object(kind.StructValue, typed)
	case *structpb.Value_ListValue:
		node := &jsonNode{list: true, typed: typed}
		for _, item := range kind.ListValue.GetValues() {
			child, err := t.node(item, typed)
			if err != nil {
				return nil, err
			}
			node.fields = append(node.fields, child)
		}
		return node, nil
	}
	fixed, err := json.Marshal(v.AsInterface())
	return &jsonNode{fixed: fixed}, err
}

func literal(parts []part) string {
	if len(parts) == 0 {
		return ""
	}
	return parts[0].literal
}
