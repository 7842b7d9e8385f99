package routetest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/routetest/routercheck"
	"github.com/meshstorm/meshstorm/routetest/strict"
)

// Load reads a test file; its content tells the format. The file is never nil:
// where the error joins *Errors and *manifest.SyntaxErrors, it holds the tests
// that are sound. path is kept as given, for messages.
func Load(path string, data []byte) (*File, error) {
	f := &File{Path: path}
	if routercheck.IsTextProto(path) {
		f.Format = FormatEnvoy
		f.Envoy, f.errs = routercheck.Parse(path, data)
	} else {
		f.documents(data)
	}
	if len(f.Tests)+len(f.Envoy)+len(f.errs) == 0 {
		f.errs = append(f.errs, &Error{Path: path, Msg: "the file holds no tests",
			Hint: "write a list below tests:, or rows below table: | (docs/route-tests.md)"})
	}
	return f, f.Err()
}

// documents reads YAML or JSON.
func (f *File) documents(data []byte) {
	docs, errs := strict.Documents(f.Path, data)
	f.errs = errs
	r := &strict.Reader{Path: f.Path}
	lines := strings.Split(string(data), "\n")
	for _, n := range docs {
		f.document(r, n, lines)
	}
	f.errs = append(f.errs, r.Errors...)
}

func (f *File) document(r *strict.Reader, n *yaml.Node, lines []string) {
	format := detect(n)
	if f.Format != "" && f.Format != format {
		r.Fail(n, "write it in a file of its own", "a document of format %s in a file of format %s", format, f.Format)
		return
	}
	f.Format = format
	switch format {
	case FormatValidator:
		f.Tests = append(f.Tests, validatorTests(r, n)...)
	case FormatEnvoy:
		tests, errs := routercheck.FromNode(f.Path, n)
		f.Envoy = append(f.Envoy, tests...)
		r.Errors = append(r.Errors, errs...)
	default:
		f.Tests = append(f.Tests, ownTests(r, n, lines)...)
	}
}

// detect tells the format by keys that only one format has; files that nothing
// tells are taken for our own, whose reader names the keys it knows.
func detect(n *yaml.Node) Format {
	if n = strict.Resolve(n); n.Kind == yaml.SequenceNode {
		return FormatEnvoy // router_check's oldest form
	}
	for _, p := range strict.Pairs(n) {
		if strings.EqualFold(strings.ReplaceAll(p.Key.Value, "_", ""), "testcases") {
			return FormatValidator
		}
	}
	tests := strict.Get(n, "tests")
	if tests == nil || tests.Kind != yaml.SequenceNode {
		return FormatOwn
	}
	for _, t := range tests.Content {
		for _, p := range strict.Pairs(t) {
			if slices.Contains([]string{"test_name", "testName", "input", "validate"}, p.Key.Value) {
				return FormatEnvoy
			}
		}
	}
	return FormatOwn
}

// place is "FILE:LINE", with slashes on every system.
func place(path string, line int) string {
	path = filepath.ToSlash(path)
	if line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d", path, line)
}
