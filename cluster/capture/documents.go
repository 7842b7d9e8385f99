package capture

import (
	"cmp"
	"fmt"
	"slices"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/meshstorm/meshstorm/manifest"
)

// FromDocuments makes a snapshot of YAML. namespace "" is the one that most of
// the workloads and Services name; where it is given, objects of other
// namespaces are left out. Documents that are no objects are reported as
// outcomes, so that nothing is dropped in silence.
func FromDocuments(docs []*manifest.Document, namespace string) (*Snapshot, []Outcome, error) {
	s := &Snapshot{}
	var out []Outcome
	if faults := validation.IsDNS1123Label(namespace); namespace != "" && len(faults) > 0 {
		return nil, nil, fmt.Errorf("%q is no name of a namespace: %s", namespace, faults[0])
	}
	at := map[manifest.ID]int{}
	for _, d := range docs {
		if d.Node == nil {
			continue // only comments
		}
		origin := fmt.Sprintf("%s:%d", d.Path, d.Line)
		o := Object{Origin: origin}
		var err error
		if o.Content, err = contentOf(d); err != nil {
			return nil, nil, fmt.Errorf("%s: %w; correct the document, or leave the file out", origin, err)
		}
		id := o.ID()
		if id.Kind == "" || id.Name == "" || text(o.Content, "apiVersion") == "" {
			out = append(out, Outcome{Kind: cmp.Or(id.Kind, "document"), Name: cmp.Or(id.Name, "-"), Fate: LeftOut, Origin: origin,
				Why: "no object: apiVersion, kind and metadata.name are needed"})
			continue
		}
		if first, twice := at[id]; twice {
			out = append(out, leftOut(o, "stands twice; taken from "+s.Objects[first].Origin))
			continue
		}
		at[id] = len(s.Objects)
		s.Objects = append(s.Objects, o)
	}
	s.Namespace = namespace
	if namespace == "" {
		s.Namespace = s.mostNamed()
		return s, out, nil
	}
	s.Objects = slices.DeleteFunc(s.Objects, func(o Object) bool {
		ns := o.ID().Namespace
		other := ns != "" && ns != namespace
		if other {
			out = append(out, leftOut(o, "of namespace "+ns+", not of "+namespace))
		}
		return other
	})
	return s, out, nil
}

func leftOut(o Object, why string) Outcome {
	out := newOutcome(o, LeftOut)
	out.Why = why
	return out
}

// contentOf is a document as a server would read it; what is no mapping gives
// an empty one.
func contentOf(d *manifest.Document) (map[string]any, error) {
	data, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var v any
	if err := utiljson.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m, nil
}

// mostNamed is the namespace that most Services and workloads are in, then most
// objects; "default" where none is named.
func (s *Snapshot) mostNamed() string {
	count := map[string]int{}
	for _, o := range s.Objects {
		id := o.ID()
		if id.Namespace == "" || len(validation.IsDNS1123Label(id.Namespace)) > 0 {
			continue // none that a cluster could have
		}
		count[id.Namespace]++
		if id.Kind == "Service" || workloadKinds[id.Group+"/"+id.Kind] {
			count[id.Namespace] += len(s.Objects)
		}
	}
	best := "default"
	for ns, n := range count {
		if m := count[best]; n > m || n == m && n > 0 && ns < best {
			best = ns
		}
	}
	return best
}
