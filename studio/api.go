package studio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Prefix is where the API's paths begin.
const Prefix = "/api/v1"

// MaxBody is the largest request that is read, in bytes.
const MaxBody = 16 << 20

// ChangeHeader must be "1" on whatever changes something, so that no form of
// another page can send it.
const ChangeHeader = "X-Meshstorm"

//go:generate go run ../internal/gen/openapi

// OpenAPI is the API's description, as studio/openapi.json has it.
func OpenAPI() ([]byte, error) {
	_, spec, err := newAPI(http.NewServeMux(), &Server{})
	return spec, err
}

func newAPI(mux *http.ServeMux, s *Server) (huma.API, []byte, error) {
	config := huma.DefaultConfig("meshstorm studio", "v1")
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Info.Description = "What the studio's page can do, programs can do too. Sign in at POST /session with the one-time code that " +
		"`meshstorm studio --print-url` prints behind #code=, keep the cookie, and send `X-Meshstorm: 1` with whatever changes something. " +
		"Saves need the ETag of what they replace in If-Match: without it the answer is 428, with an outdated one 412 and what is there now."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", "", nil
	config.Transformers = []huma.Transformer{asProblem}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "meshstorm-PORT", Description: "Set by POST /session; PORT is the studio's, because cookies do not tell ports apart."},
	}
	api := humago.NewWithPrefix(mux, Prefix, config)
	problems := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	s.registerSession(api)
	s.registerWorkspaces(api)
	s.registerModel(api)
	s.registerFiles(api)
	s.registerGenerate(api)
	s.registerGraph(api)
	s.registerPicture(api)
	s.registerRoute(api)
	s.registerTraffic(api)
	s.registerSchemas(api)
	s.registerEvents(api)
	s.registerJobs(api)
	s.registerCluster(api)
	tidy(api.OpenAPI(), problems)
	spec, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return nil, nil, fmt.Errorf("write the API's description: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, spec, "", "  "); err != nil {
		return nil, nil, err
	}
	out.WriteByte('\n')
	return api, out.Bytes(), nil
}

// tidy makes the description say what really comes: errors are Problems, lists
// are never null, and a path that goes on is a parameter like any other.
func tidy(spec *huma.OpenAPI, problems *huma.Schema) {
	describe(spec)
	for path, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			if failed := op.Responses["default"]; failed != nil {
				failed.Content = map[string]*huma.MediaType{"application/problem+json": {Schema: problems}}
			}
		}
		if plain := strings.ReplaceAll(path, "...}", "}"); plain != path {
			spec.Paths[plain] = item
			delete(spec.Paths, path)
		}
	}
	schemas := spec.Components.Schemas.Map()
	for _, unused := range []string{"ErrorModel", "ErrorDetail", "FormFile"} {
		delete(schemas, unused)
	}
	for _, s := range schemas {
		for _, p := range s.Properties {
			p.Nullable = p.Nullable && p.Type != huma.TypeArray
			if p.Items != nil {
				p.Items.Nullable = p.Items.Nullable && p.Items.Type != huma.TypeArray
			}
		}
	}
	if a := schemas["Answer"]; a != nil { // docs/schema/route.json: these are null where there is none
		for _, name := range []string{"winner", "rewrite", "retries", "fault"} {
			if p := a.Properties[name]; p != nil {
				a.Properties[name] = &huma.Schema{OneOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}}
			}
		}
		for _, name := range []string{"rules", "destinations", "mirrors", "headers"} {
			if p := a.Properties[name]; p != nil {
				p.Nullable = true
			}
		}
	}
}

// operation begins an operation.
func operation(id, method, path, tag, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary,
		MaxBodyBytes: MaxBody, Security: []map[string][]string{{"session": {}}},
	}
}

// InWorkspace names a workspace in the path.
type InWorkspace struct {
	ID string `path:"id" doc:"The workspace's id." example:"12st-mall"`
}

// IfMatch is the revision that a save replaces.
type IfMatch struct {
	Value string `header:"If-Match" doc:"The ETag (or revision) of what is replaced; missing: 428, outdated: 412."`
}

// revised is an answer with its revision as ETag.
type revised[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

func withETag[T any](revision string, body T) *revised[T] {
	return &revised[T]{ETag: `"` + revision + `"`, Body: body}
}

// plain is an answer without a revision.
type plain[T any] struct{ Body T }
