package studio

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/studio/graph"
)

// saveWeights writes weights into the text of a VirtualService and of its twin,
// for traffic from the gateway and from inside the mesh is split alike. Comments
// and everything else stay.
func (p *place) saveWeights(ctx context.Context, given string, change WeightChange) error {
	namespace, name, ok := strings.Cut(change.VirtualService, "/")
	if !ok || name == "" {
		return unfit("virtualService: %q: expected NAMESPACE/NAME", change.VirtualService)
	}
	if len(change.Weights) == 0 {
		return unfit("weights: expected a weight for at least one subset")
	}
	for _, subset := range slices.Sorted(maps.Keys(change.Weights)) {
		if w := change.Weights[subset]; w < 0 || w > 100 {
			return unfit("weights: %s is %d; expected 0 to 100", subset, w)
		}
	}
	st, err := p.state(ctx)
	if err != nil {
		return err
	}
	if st.err != nil {
		return invalid(st.err)
	}
	err = match(given, st.manifests, func() (any, error) { return p.graph(st), nil })
	if err != nil {
		return err
	}
	e := &weightEdit{change: change, namespace: namespace, fallback: st.opened.Settings.Namespace}
	changes, err := e.files(st, name)
	if err != nil {
		return err
	}
	return p.commit(ctx, changes...)
}

func unfit(format string, args ...any) *Problem {
	return problem(http.StatusUnprocessableEntity, fmt.Sprintf(format, args...))
}

// weightEdit is one change of weights on its way through the files.
type weightEdit struct {
	change    WeightChange
	namespace string
	fallback  string // the namespace of objects that name none
	rule      string // the name of the changed rule, for the twin; "" where there is none
	above     int    // lines above the document that is edited
	found     bool
	err       error
}

func (e *weightEdit) files(st *state, name string) ([]manifest.Change, error) {
	now := map[string][]byte{}
	for _, target := range []string{name, graph.Twin(name)} {
		twin := target != name
		for _, f := range st.files {
			if !strings.HasPrefix(f.path, "kubernetes/") {
				continue
			}
			data := f.data
			if changed := now[f.path]; changed != nil {
				data = changed
			}
			edited, err := e.text(f.path, data, target, twin)
			if err != nil {
				return nil, err
			}
			if edited != nil {
				now[f.path] = edited
			}
		}
		if !twin && !e.found {
			return nil, problem(http.StatusNotFound, "no file has a VirtualService "+e.change.VirtualService)
		}
	}
	var changes []manifest.Change
	for _, path := range slices.Sorted(maps.Keys(now)) {
		changes = append(changes, manifest.Change{Path: path, Data: now[path]})
	}
	return changes, nil
}

// text edits a file, nil where it does not hold the object. Only documents that
// name it are read, for files may be large.
func (e *weightEdit) text(path string, data []byte, name string, twin bool) ([]byte, error) {
	if !bytes.Contains(data, []byte(name)) {
		return nil, nil
	}
	var out []byte
	e.above = 0
	for part := range documents(data) {
		if bytes.Contains(part, []byte("VirtualService")) && bytes.Contains(part, []byte(name)) {
			edited, err := manifest.Edit(path, part, func(d *manifest.Document) { e.document(d, name, twin) })
			if e.err != nil {
				return nil, e.err
			}
			if err != nil {
				return nil, err
			}
			out = append(out, edited...)
		} else {
			out = append(out, part...)
		}
		e.above += bytes.Count(part, []byte("\n"))
	}
	return out, nil
}

// separator begins a document (YAML 1.2, section 9.1.2).
var separator = regexp.MustCompile(`(?m)^---(?:[ \t\r]|$)`)

// documents takes a file apart before every separator.
func documents(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		from := 0
		for _, at := range separator.FindAllIndex(data, -1) {
			if at[0] > from {
				if !yield(data[from:at[0]]) {
					return
				}
				from = at[0]
			}
		}
		yield(data[from:])
	}
}

func (e *weightEdit) document(d *manifest.Document, name string, twin bool) {
	namespace := d.ID.Namespace
	if namespace == "" {
		namespace = e.fallback
	}
	if e.err != nil || d.ID.Kind != "VirtualService" || d.ID.Group != "networking.istio.io" || d.ID.Name != name || namespace != e.namespace {
		return
	}
	rules := d.Get("spec.http")
	if rules == nil || rules.Kind != yaml.SequenceNode {
		if !twin {
			e.err = unfit("%s:%d: VirtualService %s has no http rules", d.Path, e.above+d.Line, e.change.VirtualService)
		}
		return
	}
	e.found = e.found || !twin
	touched := false
	for i := range rules.Content {
		if !e.wants(d, i, twin) {
			continue
		}
		edits, err := e.edits(d, i)
		if err != nil {
			if twin || e.change.Rule == nil {
				continue // a rule that goes elsewhere
			}
			e.err = err
			return
		}
		if e.err = d.Apply(edits); e.err != nil {
			return
		}
		touched = true
		if !twin && e.change.Rule != nil {
			e.rule = ruleName(d, i)
		}
	}
	if !touched && !twin {
		e.err = unfit("%s:%d: VirtualService %s has no http rule %s that sends to %s",
			d.Path, e.above+d.Line, e.change.VirtualService, e.ruleWords(), strings.Join(slices.Sorted(maps.Keys(e.change.Weights)), " and "))
	}
}

func (e *weightEdit) ruleWords() string {
	switch {
	case e.change.Rule == nil:
		return "at all"
	case e.change.Rule.Name != "":
		return strconv.Quote(e.change.Rule.Name)
	}
	return fmt.Sprintf("with the index %d", e.change.Rule.Index)
}

func ruleName(d *manifest.Document, i int) string {
	if n := d.Get(fmt.Sprintf("spec.http[%d].name", i)); n != nil {
		return n.Value
	}
	return ""
}

// wants tells whether a rule is meant: in the twin, the one of the same name.
func (e *weightEdit) wants(d *manifest.Document, i int, twin bool) bool {
	switch {
	case e.change.Rule == nil:
		return true
	case twin:
		return e.rule != "" && ruleName(d, i) == e.rule
	case e.change.Rule.Name != "":
		return ruleName(d, i) == e.change.Rule.Name
	}
	return i == e.change.Rule.Index
}

// edits are the changes of one rule; an error says why it cannot have these
// weights.
func (e *weightEdit) edits(d *manifest.Document, i int) ([]manifest.FieldEdit, error) {
	field := fmt.Sprintf("spec.http[%d].route", i)
	routes := d.Get(field)
	line, _, _ := d.Locate(field)
	if routes == nil || routes.Kind != yaml.SequenceNode {
		return nil, unfit("%s:%d: the rule has no destinations", d.Path, e.above+line)
	}
	var edits []manifest.FieldEdit
	var has []string
	total := 0
	named := map[string]bool{}
	for j := range routes.Content {
		subset := ""
		if n := d.Get(fmt.Sprintf("%s[%d].destination.subset", field, j)); n != nil {
			subset = n.Value
		}
		has = append(has, subset)
		at := fmt.Sprintf("%s[%d].weight", field, j)
		weight, given := e.change.Weights[subset]
		switch {
		case given && named[subset]:
			return nil, unfit("%s:%d: the rule sends to the subset %s twice; edit the file to say which one is meant", d.Path, e.above+line, subset)
		case given:
			named[subset] = true
			edits = append(edits, manifest.FieldEdit{Op: manifest.SetField, Field: at, Value: weight})
		default:
			if n := d.Get(at); n != nil {
				weight, _ = strconv.Atoi(n.Value)
			}
		}
		total += weight
	}
	for _, subset := range slices.Sorted(maps.Keys(e.change.Weights)) {
		if !named[subset] {
			return nil, unfit("%s:%d: the rule does not send to the subset %q; it sends to %s", d.Path, e.above+line, subset, strings.Join(has, ", "))
		}
	}
	if total != 100 {
		return nil, unfit("%s:%d: the weights of the rule would add up to %d; expected 100", d.Path, e.above+line, total)
	}
	return edits, nil
}
