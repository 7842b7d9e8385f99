package canvas

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
)

// contextKinds are the kinds that meshstorm generates once per context under
// the context's own name.
var contextKinds = []string{"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"}

// match finds, for every workload, the bounded context it is of: first by
// name, and where a context has none of that kind by the app label.
func (t *taker) match() {
	t.tracks = map[*deploy.Service]*subsets{}
	t.weighted = map[*deploy.Service]map[string]int{}
	for _, d := range t.drawn {
		t.renamed[ref{d.kind, d.original}] = d.name
	}
	for _, kind := range contextKinds {
		taken := map[*deploy.Service]bool{}
		for _, pass := range []func(*drawing) *deploy.Service{
			func(d *drawing) *deploy.Service { return t.names.find(d.original) },
			t.byLabel,
		} {
			for _, d := range t.drawn {
				if d.kind != kind || isIstio(d.group) || !builtin(d.group) || d.service != nil {
					continue
				}
				if s := pass(d); s != nil && !taken[s] && t.files.find(d.group, kind, s.Name) != nil {
					d.service, taken[s] = s, true
					t.renamed[ref{d.kind, d.original}] = s.Name
					t.renamed[ref{d.kind, d.name}] = s.Name
				}
			}
		}
	}
}

// byLabel is the context that the labels of a workload or the selector of a
// Service speak of.
func (t *taker) byLabel(d *drawing) *deploy.Service {
	paths := [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}, {"spec", "selector", "matchLabels"}}
	if d.is(groupCore, "Service") {
		paths = [][]string{{"spec", "selector"}}
	}
	for _, p := range paths {
		if app := text(at(d.node, p...), "app"); app != "" {
			if s := t.names.find(app); s != nil {
				return s
			}
		}
	}
	if d.kind == "Deployment" {
		return t.names.within(d.original)
	}
	return nil
}

// generated is the generated object that a drawing folds into.
func (t *taker) generated(d *drawing) *document {
	return t.files.find(d.group, d.kind, d.service.Name)
}

// edit puts a value into a generated object.
func (doc *document) edit(value *yaml.Node, path ...string) {
	set(doc.node, value, path...)
	doc.edited = true
}
