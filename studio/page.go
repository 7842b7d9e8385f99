package studio

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// asset is a file of the page.
type asset struct {
	data  []byte
	etag  string
	media string
}

// assets reads the page once; it is a few files in the program itself.
func assets() map[string]asset {
	all := map[string]asset{}
	_ = fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := dist.ReadFile(name)
		sum := sha256.Sum256(data)
		media := mime.TypeByExtension(path.Ext(name))
		if media == "" {
			media = "application/octet-stream"
		}
		all[strings.TrimPrefix(name, "dist")] = asset{data, `"` + hex.EncodeToString(sum[:12]) + `"`, media}
		return err
	})
	return all
}

// pages serves the page, the API's description, and nothing else.
func (s *Server) pages(mux *http.ServeMux) {
	all := assets()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			writeProblem(w, problem(http.StatusMethodNotAllowed, r.URL.Path+" is a part of the page; the API is below "+Prefix))
			return
		}
		a, ok := all[r.URL.Path]
		if !ok {
			if strings.HasPrefix(r.URL.Path, "/assets/") {
				http.NotFound(w, r)
				return
			}
			a = all["/index.html"] // deep links are the page's
		}
		w.Header().Set("Content-Type", a.media)
		w.Header().Set("ETag", a.etag)
		w.Header().Set("Cache-Control", "no-cache")
		if strings.Contains(r.Header.Get("If-None-Match"), a.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(a.data)
	})
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.spec)
	})
	mux.HandleFunc("GET /api", s.manual)
	mux.HandleFunc("GET /api/{$}", s.manual)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem(http.StatusNotFound, "the API has no "+r.Method+" "+r.URL.Path+"; /api lists what it has"))
	})
}

// manual lists the operations; the description has the rest.
func (s *Server) manual(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = manual.Execute(w, manualOf(s.api.OpenAPI()))
}

var manual = template.Must(template.New("api").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>meshstorm studio: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: .875rem/1.5 ui-monospace, monospace } pre { overflow: auto; padding: .75rem; border: 1px solid #8886 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; border-top: 1px solid #8886 }
</style>
<h1>meshstorm studio: API</h1>
<p>{{.Description}}</p>
<p>The whole description, with every field: <a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1). All paths begin with <code>{{.Prefix}}</code>.</p>
<pre>url=$(meshstorm studio --print-url)
base=$(echo "$url" | cut -d/ -f1-3)
curl -sc cookies -H 'X-Meshstorm: 1' --json "{\"code\":\"${url##*#code=}\"}" $base{{.Prefix}}/session
curl -sb cookies $base{{.Prefix}}/workspaces</pre>
{{range .Groups}}<h2>{{.Name}}</h2>
<table>{{range .Operations}}<tr><td><code>{{.Method}}</code><td><code>{{.Path}}</code><td>{{.Summary}}</tr>
{{end}}</table>
{{end}}`))
