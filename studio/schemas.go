package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/check/schema"
)

func (s *Server) registerSchemas(api huma.API) {
	huma.Register(api, operation("get-schema", http.MethodGet, "/schemas/{kind}", "files", "Read the schema of a kind: Istio's, the Gateway API's or Kubernetes' own, as a CRD's openAPIV3Schema"),
		func(_ context.Context, in *struct {
			Kind       string `path:"kind" maxLength:"100" example:"VirtualService"`
			APIVersion string `query:"apiVersion" required:"true" maxLength:"300" example:"networking.istio.io/v1"`
		}) (*revised[json.RawMessage], error) {
			gvk := k8sschema.FromAPIVersionAndKind(in.APIVersion, in.Kind)
			data, ok := schema.Document(gvk)
			if !ok {
				return nil, problem(http.StatusNotFound, fmt.Sprintf("no schema of %s in %s is known; its fields can be edited as YAML", in.Kind, in.APIVersion))
			}
			return withETag(revisionOf(data), data), nil
		})
}
