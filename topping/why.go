package topping

import (
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// Rule explains all fields below a path of one kind of object. The toppings
// keep their rules in tables; a test holds them complete.
type Rule struct {
	Kind string
	// Path is a field path without indexes, where * stands for one key or list
	// item: "spec.template.spec.containers.*.image".
	Path string
	Text string
	// Setting decides the field; {service} stands for the service's name.
	Setting string
}

// PathKeys splits a field path into keys; every list item is "*".
func PathKeys(field string) []string {
	var keys []string
	var key strings.Builder
	flush := func() {
		if key.Len() > 0 {
			keys = append(keys, key.String())
			key.Reset()
		}
	}
	depth := 0
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '\\' && i+1 < len(field):
			i++
			key.WriteByte(field[i])
		case c == '[':
			if depth++; depth == 1 {
				flush()
				keys = append(keys, "*")
			}
		case c == ']':
			depth--
		case depth > 0: // an index or an item's name
		case c == '.':
			flush()
		default:
			key.WriteByte(c)
		}
	}
	flush()
	return keys
}

// Find picks the rule with the longest path that leads to the field.
func Find(rules []Rule, kind, field string) (Rule, bool) {
	keys := PathKeys(field)
	best, length := Rule{}, -1
	for _, r := range rules {
		if r.Kind != kind && r.Kind != "*" {
			continue
		}
		pattern := PathKeys(strings.ReplaceAll(r.Path, ".*", "[]"))
		if len(pattern) <= length || len(pattern) > len(keys) || !leadsTo(pattern, keys) {
			continue
		}
		best, length = r, len(pattern)
	}
	return best, length >= 0
}

func leadsTo(pattern, keys []string) bool {
	for i, p := range pattern {
		if p != "*" && p != keys[i] {
			return false
		}
	}
	return true
}

// Reason makes the answer for one service; svc may be nil.
func (r Rule) Reason(svc *deploy.Service) Reason {
	reason := Reason{Text: r.Text, Setting: r.Setting}
	if svc != nil {
		reason.Setting = strings.ReplaceAll(r.Setting, "{service}", svc.Name)
		reason.Source = svc.Source.String()
	}
	return reason
}

// CommonRules explain the metadata that every generated object has.
func CommonRules() []Rule {
	return []Rule{
		{Kind: "*", Path: "apiVersion", Text: "the newest version of this API that the chosen Kubernetes or Istio has", Setting: "istioVersion"},
		{Kind: "*", Path: "kind", Text: "the kind of object"},
		{Kind: "*", Path: "metadata.name", Text: "the one name of the bounded context, as a DNS name, with the prefix that the original uses for this kind", Setting: "names"},
		{Kind: "*", Path: "metadata.namespace", Text: "all objects of a workspace live in one namespace", Setting: "namespace"},
		{Kind: "*", Path: "metadata.labels", Text: "labels group the objects: app.kubernetes.io/part-of by workspace, app by service", Setting: "workspace"},
		{Kind: "*", Path: "metadata.annotations", Text: "meshstorm.io/source names the element of the model that this object came from"},
	}
}
