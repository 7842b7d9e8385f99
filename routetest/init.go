package routetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
)

// initDir is where tests of a workspace live.
const initDir = "routes"

// exampleHost stands for a gateway that serves every host.
const exampleHost = "shop.example"

// Init writes the tests that the model implies, one file per service that takes
// requests: every resource reaches its service in the shares of its tracks, at
// the gateway and from the sidecar of each caller; paths that the model does not
// have reach nothing; and what is not idempotent is never repeated. With the
// generated manifests, they pass and reach every generated route. Weights that
// somebody edited since then are taken from the manifests, where these are
// given.
func Init(m *deploy.Model, manifests ...*manifest.Document) []manifest.File {
	var files []manifest.File
	served := newServed(m)
	for _, s := range m.Services {
		in := implied{m: m, s: s, manifests: manifests, served: served}
		text := in.edge() + in.callers()
		if text == "" {
			continue
		}
		source := s.Source.Name
		if source == "" {
			source = s.Name
		}
		head := fmt.Sprintf("# What the model says of %q: its paths reach it, others don't.\n"+
			"# Written by `meshstorm test --init`, which never changes a file that is there: it is yours.\n", source)
		files = append(files, manifest.File{Path: initDir + "/" + s.Name + ".yaml", Data: []byte(head + strings.TrimPrefix(text, "---\n"))})
	}
	return files
}

// Create writes the files below root that are not there yet, and gives the paths
// of those it made and of those it kept as they are. Either list holds what was
// done before an error.
func Create(root string, files []manifest.File) (created, kept []string, err error) {
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return created, kept, fmt.Errorf("make the folder of the tests: %w", err)
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			kept = append(kept, f.Path)
			continue
		}
		if err != nil {
			return created, kept, fmt.Errorf("write a test file: %w", err)
		}
		_, err = out.Write(f.Data)
		if err = errors.Join(err, out.Close()); err != nil {
			return created, kept, fmt.Errorf("write %s: %w", f.Path, err)
		}
		created = append(created, f.Path)
	}
	return created, kept, nil
}

// implied makes the tests of one service.
type implied struct {
	m         *deploy.Model
	s         *deploy.Service
	manifests []*manifest.Document
	served    *served
}

// row is one test.
type row struct {
	method, path string
	to           string
	rewrite      string
	once         bool // must not be repeated
}

// edge are the tests at the gateway.
func (in *implied) edge() string {
	if !in.s.Exposed || len(in.s.Prefixes) == 0 && in.m.Settings.Routing != "msaez" {
		return ""
	}
	rows := in.restRows()
	if in.m.Settings.Routing == "msaez" {
		rows = in.originalRows()
	}
	scheme, redirect := "http", ""
	if tls := in.m.Settings.Gateway.TLS; tls != nil {
		scheme = "https"
		if (tls.Redirect == nil || *tls.Redirect) && len(rows) > 0 {
			url := in.host() + encodeLetters(rows[0].path)
			redirect = fmt.Sprintf("tests:\n- request: GET http://%s\n  to: redirect 301 https://%s\n", url, url)
		}
	}
	return fmt.Sprintf("---\nhost: %s://%s\n%s", scheme, in.host(), redirect) + tableText(rows)
}

// host is one that the gateway serves.
func (in *implied) host() string {
	hosts := in.m.Settings.Gateway.Hosts
	if len(hosts) == 0 || hosts[0] == "*" {
		return exampleHost
	}
	_, name, found := strings.Cut(hosts[0], "/") // NAMESPACE/HOST
	if !found {
		name = hosts[0]
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return "shop." + rest
	}
	return name
}

// restRows are the resources, then what else the rules of their prefixes take,
// then what no rule takes.
func (in *implied) restRows() []row {
	b := rowBuilder{in: in, to: in.to(in.tracks("")), seen: map[string]bool{}}
	for _, r := range in.s.Resources {
		for _, method := range r.Methods {
			b.add(method, r.Path)
		}
	}
	for _, p := range in.s.Prefixes {
		for _, method := range append(p.Writes(), in.idempotent(p)) {
			b.add(method, p.Path)
			b.add(method, p.Path+"/1")
		}
	}
	nowhere := []string{}
	for _, p := range in.s.Prefixes {
		nowhere = append(nowhere, in.s.PathPrefix+sample(p.Path)+"x")
		if in.s.PathPrefix != "" {
			nowhere = append(nowhere, sample(p.Path))
		}
	}
	for _, path := range append(nowhere, "/no-such-path") {
		b.nowhere(path)
	}
	return b.rows
}

// idempotent is a method of the prefix that may be repeated; GET where the model
// has none, for the rule takes any.
func (in *implied) idempotent(p deploy.Prefix) string {
	for _, method := range p.Methods {
		if deploy.Idempotent(method) {
			return method
		}
	}
	return "GET"
}

// originalRows are for the shape of the original's topping: one exact path.
func (in *implied) originalRows() []row {
	b := rowBuilder{in: in, to: in.to(in.tracks("")), seen: map[string]bool{}}
	path := "/" + in.s.Plural
	b.rows = append(b.rows, row{method: "GET", path: written(path), to: b.to, rewrite: "/"})
	for _, other := range []string{path + "/1", path + "x", "/no-such-path"} {
		b.nowhere(other)
	}
	return b.rows
}

type rowBuilder struct {
	in   *implied
	to   string
	rows []row
	seen map[string]bool
}

func (b *rowBuilder) add(method, path string) {
	s := b.in.s
	if s.PathPrefix != "" && deploy.HasVariable(path) && !b.in.m.Settings.Istio().AtLeast(1, 19) && b.cut(path) {
		return // such paths have no rule there
	}
	path = sample(path)
	if b.seen[method+" "+path] {
		return
	}
	b.seen[method+" "+path] = true
	r := row{method: method, path: written(s.PathPrefix + path), to: b.to, once: !deploy.Idempotent(method)}
	if s.PathPrefix != "" {
		r.rewrite = deploy.EncodePath(path)
	}
	b.rows = append(b.rows, r)
}

// cut reports whether a path is only served below a prefix with a variable.
func (b *rowBuilder) cut(path string) bool {
	for _, p := range b.in.s.Prefixes {
		if !deploy.HasVariable(p.Path) && (path == p.Path || strings.HasPrefix(path, p.Path+"/")) {
			return false
		}
	}
	return true
}

// nowhere adds a path that no exposed service takes.
func (b *rowBuilder) nowhere(path string) {
	if b.in.served.take(path) {
		return
	}
	if !b.seen["GET "+path+" nowhere"] {
		b.seen["GET "+path+" nowhere"] = true
		b.rows = append(b.rows, row{method: "GET", path: written(path), to: "404"})
	}
}

// callers are the tests from the sidecar of each service that calls this one.
func (in *implied) callers() string {
	var names []string
	for _, c := range in.m.Calls {
		if c.To == in.s.Name && !c.Async && c.From != in.s.Name && in.m.Service(c.From) != nil && !slices.Contains(names, c.From) {
			names = append(names, c.From)
		}
	}
	if !in.s.Called || len(names) == 0 {
		return ""
	}
	to := in.to(in.tracks("-mesh"))
	var rows []row
	var methods []string
	add := func(method, path string) {
		if !slices.Contains(methods, method) {
			methods = append(methods, method)
			rows = append(rows, row{method: method, path: written(sample(path)), to: to, once: !deploy.Idempotent(method)})
		}
	}
	for _, r := range in.s.Resources {
		for _, method := range r.Methods {
			add(method, r.Path)
		}
	}
	for _, p := range in.s.Prefixes {
		for _, method := range p.Writes() {
			add(method, p.Path)
		}
	}
	if !slices.ContainsFunc(methods, deploy.Idempotent) {
		add("GET", "/")
	}
	text := ""
	for _, name := range names {
		text += fmt.Sprintf("---\nfrom: %s\nhost: http://%s:%d\n", name, in.s.Name, in.s.Port) + tableText(rows)
	}
	return text
}

var variablePart = regexp.MustCompile(`\{[^{}/]+\}`)

// sample puts 1 for every variable of a path.
func sample(path string) string { return variablePart.ReplaceAllString(path, "1") }

// written is a path as tests show it: in people's letters where that is safe.
func written(path string) string {
	if strings.IndexFunc(path, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~/", r)
	}) < 0 {
		return path
	}
	return deploy.EncodePath(path)
}
