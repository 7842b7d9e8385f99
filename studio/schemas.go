package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/check/schema"
)

func (s *Server) registerSchemas(api huma.API) {
	list := operation("list-schemas", http.MethodGet, "/schemas", "files", "List the kinds that have a schema; the answer changes with the program's version only")
	huma.Register(api, list, func(_ context.Context, in *IfNoneMatch) (*lasting[SchemaKinds], error) {
		kinds := schemaKinds()
		data, err := json.Marshal(kinds)
		if err != nil {
			return nil, err
		}
		return unless(in, revisionOf(data), kinds), nil
	})
	one := operation("get-schema", http.MethodGet, "/schemas/{kind}", "files",
		"Read the schema of a kind: Istio's, the Gateway API's or Kubernetes' own, as a CRD's openAPIV3Schema; the answer changes with the program's version only")
	huma.Register(api, one,
		func(_ context.Context, in *struct {
			IfNoneMatch
			Kind       string `path:"kind" maxLength:"100" example:"VirtualService"`
			APIVersion string `query:"apiVersion" required:"true" maxLength:"300" example:"networking.istio.io/v1"`
		}) (*lasting[json.RawMessage], error) {
			gvk := k8sschema.FromAPIVersionAndKind(in.APIVersion, in.Kind)
			data, ok := schema.Document(gvk)
			if !ok {
				return nil, problem(http.StatusNotFound, fmt.Sprintf("no schema of %s in %s is known; its fields can be edited as YAML", in.Kind, in.APIVersion))
			}
			return unless(&in.IfNoneMatch, revisionOf(data), data), nil
		})
}

var schemaKinds = sync.OnceValue(func() SchemaKinds {
	var all SchemaKinds
	for _, gvk := range schema.Documented() {
		version, kind := gvk.ToAPIVersionAndKind()
		all.Items = append(all.Items, SchemaKind{APIVersion: version, Kind: kind})
	}
	return all
})

// IfNoneMatch is the revision that the asker has already.
type IfNoneMatch struct {
	Value string `header:"If-None-Match" doc:"The ETag of what is there already; the answer is 304 while it holds."`
}

// lasting is an answer that may be kept, and is asked for again by its tag.
type lasting[T any] struct {
	Status       int
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         T
}

// unless leaves the answer out where the asker has it.
func unless[T any](has *IfNoneMatch, revision string, body T) *lasting[T] {
	out := &lasting[T]{Status: http.StatusOK, ETag: `"` + revision + `"`, CacheControl: "private, no-cache", Body: body}
	for tag := range strings.SplitSeq(has.Value, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == out.ETag || tag == "*" {
			out.Status = http.StatusNotModified
		}
	}
	return out
}
