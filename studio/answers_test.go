package studio_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/meshstorm/meshstorm/studio"
)

// described is openapi.json: the page's types are made from it, so an answer
// that is otherwise breaks the page though it compiles.
var described = sync.OnceValues(func() (*description, error) {
	file, err := os.Open("openapi.json")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		return nil, err
	}
	d := &description{paths: at(document, "paths"), compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	return d, d.compiler.AddResource("openapi.json", document)
})

type description struct {
	paths    map[string]any
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func at(document any, keys ...string) map[string]any {
	for _, k := range keys {
		object, _ := document.(map[string]any)
		document = object[k]
	}
	object, _ := document.(map[string]any)
	return object
}

var parameter = regexp.MustCompile(`\\\{[a-z]+\\\}`)

// template is the described path that a request's path is one of; the one with
// the fewest parameters, as /workspaces/upload is not a workspace.
func (d *description) template(path string) string {
	var best string
	for template := range d.paths {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(template), `\{path\}`, ".+")
		if !regexp.MustCompile("^" + parameter.ReplaceAllString(pattern, "[^/]+") + "$").MatchString(path) {
			continue
		}
		if best == "" || strings.Count(template, "{") < strings.Count(best, "{") {
			best = template
		}
	}
	return best
}

func (d *description) schema(pointer ...string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	for i := range pointer {
		pointer[i] = escape.Replace(pointer[i])
	}
	url := "openapi.json#/" + strings.Join(pointer, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.compiled[url]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(url)
	d.compiled[url] = s
	return s, err
}

// asDescribed holds an answer against the description.
func asDescribed(t *testing.T, method, path string, a reply) {
	t.Helper()
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ = strings.Cut(strings.TrimPrefix(path, studio.Prefix), "?")
	template, kind := d.template(path), a.header.Get("Content-Type")
	if template == "" || !strings.HasSuffix(kind, "json") {
		return
	}
	method, status := strings.ToLower(method), strconv.Itoa(a.status)
	responses := at(d.paths, template, method, "responses")
	if responses == nil {
		return // no operation, which the router answers
	}
	if responses[status] == nil {
		status = "default"
	}
	if a.status < http.StatusBadRequest && status == "default" || at(responses, status, "content", kind) == nil {
		t.Errorf("%s %s answers %d with %s, which openapi.json does not know", method, template, a.status, kind)
		return
	}
	schema, err := d.schema("paths", template, method, "responses", status, "content", kind, "schema")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err != nil {
		t.Errorf("%s %s: %v in %s", method, path, err, a.body)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s %s is not answered as openapi.json says: %v\n%s", method, path, err, a.body)
	}
}

func TestWithoutAClusterTheAnswersAreAsDescribedToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	config := "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n" +
		"contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\ncurrent-context: a\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	p := open(t)
	for path, want := range map[string]string{
		"/contexts":                `"current":"a"`,
		"/lab":                     `"available":false`,
		"/jobs":                    `"items":[]`,
		"/workspaces/mall/cluster": `"reachable":false`,
		"/schemas/VirtualService?apiVersion=networking.istio.io/v1": `"properties"`,
	} {
		if a := p.send(http.MethodGet, path, nil, nil); a.status != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("GET %s: %d %s, want %s", path, a.status, a.body, want)
		}
	}
}
