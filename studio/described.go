package studio

import (
	"path"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/overview"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/printed"
)

// prefixes tell types of the same name apart in the description, by package.
var prefixes = map[string]string{"overview": "Running", "cluster": "Cluster", "rollout": "Canary", "shift": "Shift"}

func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return prefixes[path.Base(t.PkgPath())] + huma.DefaultSchemaNamer(t, hint)
}

// describe gives answers that are passed on as the verbs print them the schema
// of what they hold, and types of other packages the values that they have.
func describe(spec *huma.OpenAPI) {
	r := spec.Components.Schemas
	schema := func(t reflect.Type) *huma.Schema { return r.Schema(t, true, "") }
	answer := func(op *huma.Operation, t reflect.Type) {
		op.Responses["200"].Content["application/json"].Schema = schema(t)
	}
	answer(spec.Paths["/workspaces/{id}/cluster/diff"].Get, reflect.TypeFor[cluster.ChangeSet]())
	answer(spec.Paths["/workspaces/{id}/cluster/history"].Get, reflect.TypeFor[printed.History]())
	state := r.Map()["Cluster"].Properties
	state["overview"] = schema(reflect.TypeFor[overview.Overview]())
	shifts := schema(reflect.TypeFor[[]rollout.Status]())
	shifts.Description, shifts.Nullable = state["shifts"].Description, false
	state["shifts"] = shifts

	for _, path := range []string{"/schemas", "/schemas/{kind}"} {
		spec.Paths[path].Get.Responses["304"] = &huma.Response{Description: "What If-None-Match names still holds."}
	}
	r.Map()["Progress"].Properties["data"] = &huma.Schema{
		Description: "What the verb tells of itself: LoadSeen where it is load.",
		AnyOf:       []*huma.Schema{schema(reflect.TypeFor[LoadSeen]()), schema(reflect.TypeFor[printed.ProgressEntry]())},
	}
	values(r, "ProgressEntry", "msg", printed.ProgressMessage)
	r.Map()["Job"].Properties["result"].Description = "What the verb prints with -o json, as docs/schema describes it; LoadSeen where it is load."

	values(r, "Finding", "severity", check.Error, check.Warning, check.Info)
	values(r, "CanaryStatus", "strategy", rollout.Canary, rollout.BlueGreen)
	values(r, "CanaryStatus", "phase", rollout.Preparing, rollout.Shifting, rollout.Watching, rollout.Paused,
		rollout.Promoting, rollout.Aborting, rollout.Promoted, rollout.Aborted)
	values(r, "CanaryVerdict", "judgement", rollout.Healthy, rollout.Bad, rollout.TooFew, rollout.Unmeasured)
	values(r, "ClusterChange", "action", cluster.Create, cluster.Configure, cluster.Replace, cluster.Unchanged, cluster.Delete,
		cluster.Keep, cluster.Conflict, cluster.Refused, cluster.Skipped)
	bounds := r.Map()["CanaryBounds"].Properties
	bounds["maxP95"] = &huma.Schema{Type: huma.TypeString, Description: "Such as 500ms; missing: no bound.", Examples: []any{"500ms"}}
	delete(r.Map(), "Duration")
}

// values says which ones a text has.
func values[T ~string](r huma.Registry, of, property string, all ...T) {
	p := r.Map()[of].Properties[property]
	p.Enum = nil
	for _, v := range all {
		p.Enum = append(p.Enum, string(v))
	}
}
