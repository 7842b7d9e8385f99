package analyze

import (
	"fmt"

	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"

	"github.com/meshstorm/meshstorm/check"
)

// origin says where an instance comes from. Istio's analyzers ask it for the
// line of a field; it answers with a number that stands for the field's path,
// so that the finding can be placed by line and column.
type origin struct {
	kind   config.GroupVersionKind
	name   resource.FullName
	source *check.Resource // nil: made up, nobody can mend it
	object map[string]any  // the object, or the pod template
	prefix string          // path of object inside source, "spec.template."

	fields []string
	lines  map[string]int
}

var _ resource.Origin = &origin{}

// FriendlyName implements resource.Origin.
func (o *origin) FriendlyName() string { return o.kind.Kind + " " + o.name.String() }

// Namespace implements resource.Origin.
func (o *origin) Namespace() resource.Namespace {
	if o.kind == gvk.Namespace {
		return resource.Namespace(o.name.Name)
	}
	return o.name.Namespace
}

// Reference implements resource.Origin. Places come from FieldMap.
func (o *origin) Reference() resource.Reference { return nil }

// Comparator implements resource.Origin.
func (o *origin) Comparator() string { return o.FriendlyName() }

// ClusterName implements resource.Origin. All objects are in one cluster.
func (o *origin) ClusterName() cluster.ID { return "Kubernetes" }

// FieldMap implements resource.Origin: paths such as
// "{.spec.http[0].route[0].destination.host}" to 1-based indexes of fields.
func (o *origin) FieldMap() map[string]int {
	if o.lines == nil {
		o.lines = map[string]int{}
		o.walk(o.object, "")
	}
	return o.lines
}

func (o *origin) walk(value any, path string) {
	if path != "" {
		o.fields = append(o.fields, path[1:])
		o.lines["{"+path+"}"] = len(o.fields)
	}
	switch v := value.(type) {
	case map[string]any:
		for k, child := range v {
			o.walk(child, path+"."+k)
		}
	case []any:
		for i, child := range v {
			o.walk(child, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// field is the path in source that a line of FieldMap stands for, or "".
func (o *origin) field(line int) string {
	if line < 1 || line > len(o.fields) {
		return ""
	}
	return o.prefix + o.fields[line-1]
}
