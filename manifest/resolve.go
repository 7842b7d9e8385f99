package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolved follows aliases; nil stays nil.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Tag == "!!merge"
}

// scalar gives a scalar's value as kubectl reads it, that is by the rules of
// YAML 1.1 with the exceptions of sigs.k8s.io/yaml: nil, bool, int64, uint64,
// float64 or string.
func scalar(n *yaml.Node) (any, error) {
	tag := ""
	if n.Style&yaml.TaggedStyle != 0 {
		tag = n.ShortTag()
	}
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch tag {
	case "":
		if quoted {
			return n.Value, nil
		}
		return resolvePlain(n.Value), nil
	case "!!binary":
		data, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			return nil, errors.New("!!binary expects base64")
		}
		return string(data), nil
	case "!!bool", "!!int", "!!float", "!!null":
		return resolveTagged(tag, n.Value)
	}
	return n.Value, nil
}

func resolveTagged(tag, text string) (any, error) {
	v := resolvePlain(text)
	ok := false
	switch t := v.(type) {
	case nil:
		ok = tag == "!!null"
	case bool:
		ok = tag == "!!bool"
	case int64:
		if ok = tag == "!!int"; tag == "!!float" {
			return float64(t), nil
		}
	case uint64:
		ok = tag == "!!int"
	case float64:
		ok = tag == "!!float"
	}
	if !ok {
		return nil, fmt.Errorf("%q is not of type %s", text, tag)
	}
	return v, nil
}

var plainFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

func resolvePlain(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	}
	switch c := s[0]; {
	case c == '.':
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	case c >= '0' && c <= '9', c == '+', c == '-':
		return resolveNumber(s)
	}
	return s
}

func resolveNumber(s string) any {
	if date([]byte(s)) {
		return s
	}
	digits := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return u
	}
	if plainFloat.MatchString(digits) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return f
		}
	}
	if rest, ok := strings.CutPrefix(digits, "0b"); ok {
		if i, err := strconv.ParseInt(rest, 2, 64); err == nil {
			return i // a second sign, after the prefix
		}
	}
	return s
}

// keyOf is the JSON key a mapping's key becomes.
func keyOf(k *yaml.Node) (string, error) {
	k = resolved(k)
	if k.Kind != yaml.ScalarNode {
		return "", errors.New("a key must be text, not a mapping or a list")
	}
	v, err := scalar(k)
	if err != nil {
		return "", err
	}
	switch t := v.(type) {
	case string:
		return t, nil
	case bool:
		return strconv.FormatBool(t), nil
	case int64:
		return strconv.FormatInt(t, 10), nil
	case uint64:
		return strconv.FormatUint(t, 10), nil
	case float64:
		switch {
		case math.IsNaN(t):
			return ".nan", nil
		case math.IsInf(t, 1):
			return ".inf", nil
		case math.IsInf(t, -1):
			return "-.inf", nil
		}
		return strconv.FormatFloat(t, 'g', -1, 32), nil
	}
	return "", errors.New("a key must be text, this one is null")
}

// JSON gives the object as JSON, read by the rules of kubectl: the scalars of
// YAML 1.1 (yes and off are booleans), keys as strings, aliases and merge keys
// expanded. Keys keep the order of the document. It fails where JSON has no
// such value, as for .nan; a document without a value gives null.
func (d *Document) JSON() ([]byte, error) {
	if d.Node == nil {
		return []byte("null"), nil
	}
	out, err := appendJSON(make([]byte, 0, 2*len(d.Text)), d.Node)
	var se *SyntaxError
	if errors.As(err, &se) {
		se.Path = d.Path
	}
	return out, err
}

func appendJSON(out []byte, n *yaml.Node) ([]byte, error) {
	n = resolved(n)
	var err error
	switch n.Kind {
	case yaml.SequenceNode:
		out = append(out, '[')
		for i, c := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendJSON(out, c); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case yaml.MappingNode:
		out = append(out, '{')
		for i, e := range entries(n) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSONString(out, e.name), ':')
			if out, err = appendJSON(out, e.value); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	}
	v, err := scalar(n)
	if err != nil {
		return nil, &SyntaxError{"", n.Line, n.Column, err.Error(), "correct the value or remove the tag"}
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil, &SyntaxError{"", n.Line, n.Column, n.Value + " has no meaning in JSON", "quote it if it is text"}
	}
	if s, ok := v.(string); ok {
		return appendJSONString(out, s), nil
	}
	text, err := json.Marshal(v)
	return append(out, text...), err
}

func appendJSONString(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string always marshals
			return append(out, text...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// entry is a key and a value of a mapping, merge keys expanded.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries lists a mapping's keys in order. A merge key sets its values where
// it stands, so that what follows overrides it, as in sigs.k8s.io/yaml.
func entries(n *yaml.Node) []entry {
	list := make([]entry, 0, len(n.Content)/2)
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMerge(k) {
			merged = true
			list = mergeInto(list, v)
			continue
		}
		name, err := keyOf(k)
		if err != nil {
			continue // validate has refused it
		}
		e := entry{name, k, v}
		if merged {
			list = set(list, e)
		} else {
			list = append(list, e)
		}
	}
	return list
}

func mergeInto(list []entry, v *yaml.Node) []entry {
	v = resolved(v)
	sources := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		sources = v.Content
	}
	for i := len(sources) - 1; i >= 0; i-- {
		source := resolved(sources[i])
		if source.Kind != yaml.MappingNode {
			continue
		}
		for _, e := range entries(source) {
			list = set(list, e)
		}
	}
	return list
}

func set(list []entry, e entry) []entry {
	for i := range list {
		if list[i].name == e.name {
			list[i] = e
			return list
		}
	}
	return append(list, e)
}

// lookup is the value of a key; nil where n is no mapping or has no such key.
func lookup(n *yaml.Node, key string) *yaml.Node {
	_, v := lookupPair(n, key)
	return v
}

func lookupPair(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n = resolved(n); n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			merged = true
		} else if name, err := keyOf(n.Content[i]); err == nil && name == key {
			k, v = n.Content[i], n.Content[i+1]
		}
	}
	if merged {
		for _, e := range entries(n) {
			if e.name == key {
				return e.key, e.value
			}
		}
	}
	return k, v
}
