package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// naturalKey says by which of their fields the items of a list are told apart.
type naturalKey struct {
	parts []string // field paths; an item needs one of the first group at least
	whole bool     // all parts are needed
}

// naturalKeys are tried in this order; the first that an item has is its key.
// They follow the patch merge keys of the Kubernetes API and what Istio's
// documents say must be unique: route names, subset names, server ports,
// destinations.
var naturalKeys = []naturalKey{
	{parts: []string{"name"}, whole: true},
	{parts: []string{"destination.host", "destination.subset", "destination.port.number"}},
	{parts: []string{"port.name"}, whole: true},
	{parts: []string{"port.number"}, whole: true},
	{parts: []string{"containerPort", "protocol"}},
	{parts: []string{"port", "protocol"}},
	{parts: []string{"number", "protocol"}},
	{parts: []string{"mountPath"}, whole: true},
	{parts: []string{"devicePath"}, whole: true},
	{parts: []string{"ip"}, whole: true},
	{parts: []string{"topologyKey"}, whole: true},
	{parts: []string{"uid"}, whole: true},
	{parts: []string{"metadata.name"}, whole: true},
	{parts: []string{"key"}, whole: true},
}

// of is the item's key, "order/stable" where it has parts.
func (r naturalKey) of(item *yaml.Node) (string, bool) {
	var values []string
	for i, part := range r.parts {
		n := item
		for name := range strings.SplitSeq(part, ".") {
			n = lookup(n, name)
		}
		n = resolved(n)
		if n == nil || n.Kind != yaml.ScalarNode || n.Value == "" {
			if i == 0 {
				return "", false
			}
			continue
		}
		values = append(values, n.Value)
	}
	return strings.Join(values, "/"), true
}
