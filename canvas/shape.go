package canvas

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// shapeText lists the fields of Istio's kinds, one message a line. A test
// makes it from istio.io/api, whose types are too heavy to link for this.
//
//go:embed istio.shapes
var shapeText string

// shapes are messages by name, each with its fields' types: "string", "bool",
// "int", "float", "any", "duration", "A|B" for an enumeration, a message's name;
// with "[]" before it a list, with "{}" a mapping.
var shapes = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for line := range strings.Lines(shapeText) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		message := map[string]string{}
		for _, w := range words[1:] {
			name, typ, _ := strings.Cut(w, ":")
			message[name] = typ
		}
		all[words[0]] = message
	}
	return all
})

// isIstio reports whether a group is one of Istio's.
func isIstio(group string) bool { return strings.HasSuffix(group, ".istio.io") }

// hasShape reports whether Istio has this kind.
func hasShape(group, kind string) bool {
	_, ok := shapes()[group+"/"+kind]
	return ok
}

// fault is a value of the wrong type.
type fault struct{ path, want string }

// fit removes the fields that a message does not have and returns their paths,
// and the values that have a wrong type.
func fit(n *yaml.Node, message, path string) (unknown []string, faults []fault) {
	shape := shapes()[message]
	if !isMapping(n) {
		return nil, []fault{{path, "mapping"}}
	}
	for key, value := range fields(n) {
		field := strings.TrimPrefix(path+"."+key, ".")
		typ, ok := shape[key]
		if !ok {
			remove(n, key)
			unknown = append(unknown, field)
			continue
		}
		u, f := fitValue(value, typ, field)
		unknown, faults = append(unknown, u...), append(faults, f...)
	}
	return unknown, faults
}

func fitValue(n *yaml.Node, typ, path string) (unknown []string, faults []fault) {
	switch {
	case strings.HasPrefix(typ, "[]"):
		if !isSequence(n) {
			return nil, []fault{{path, "list"}}
		}
		for i, item := range n.Content {
			u, f := fitValue(item, typ[2:], fmt.Sprintf("%s[%d]", path, i))
			unknown, faults = append(unknown, u...), append(faults, f...)
		}
		return unknown, faults
	case strings.HasPrefix(typ, "{}"):
		if !isMapping(n) {
			return nil, []fault{{path, "mapping"}}
		}
		for key, value := range fields(n) {
			u, f := fitValue(value, typ[2:], path+"."+key)
			unknown, faults = append(unknown, u...), append(faults, f...)
		}
		return unknown, faults
	case typ == "any":
		return nil, nil
	}
	if _, ok := shapes()[typ]; ok {
		return fit(n, typ, path)
	}
	if !fitsScalar(n, typ) {
		return nil, []fault{{path, strings.ReplaceAll(typ, "|", ", ")}}
	}
	return nil, nil
}

// durationText is what Istio reads as a duration.
var durationText = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6})?(h|m|s|ms|us|ns)([0-9]{1,6}(\.[0-9]{1,6})?(h|m|s|ms|us|ns)){0,4}$`)

func fitsScalar(n *yaml.Node, typ string) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	tag := n.ShortTag()
	switch typ {
	case "string":
		return tag == "!!str"
	case "bool":
		return tag == "!!bool"
	case "int":
		i, ok := number(n)
		return tag == "!!int" && ok && i >= 0 && i <= 1<<31-1
	case "float":
		return tag == "!!int" || tag == "!!float"
	case "duration":
		return tag == "!!str" && durationText.MatchString(n.Value)
	case "time":
		return tag == "!!str"
	}
	return tag == "!!str" && slices.Contains(strings.Split(typ, "|"), n.Value)
}
