// Package fieldstest holds a package's list of fields to its tests.
package fieldstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

// Check fails the test unless list makes a table and every test that it names
// is in dir ("." for the caller's package): as a function, and as the name of a
// case, which must stand as a string in the same file.
func Check(t testing.TB, dir string, list []fields.Field) {
	t.Helper()
	if _, err := fields.NewTable(list); err != nil {
		t.Error(err)
	}
	cases := testCases(t, dir)
	for _, f := range list {
		if f.Case == "" {
			continue
		}
		function, name, _ := strings.Cut(f.Case, "/")
		known, ok := cases[function]
		if !ok {
			t.Errorf("%s.%s names %s, which is no test in %s", f.Message, f.Name, function, dir)
		} else if name != "" && !slices.Contains(known, name) {
			t.Errorf("%s.%s names the case %q, which %s does not have", f.Message, f.Name, name, function)
		}
	}
}

// testCases gives the tests of a folder, and the texts that stand in the file of
// each, among which the names of its cases are.
func testCases(t testing.TB, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files in %s: %v", dir, err)
	}
	out := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var tests, texts []string
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if strings.HasPrefix(n.Name.Name, "Test") {
					tests = append(tests, n.Name.Name)
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					texts = append(texts, text)
				}
			}
			return true
		})
		for _, name := range tests {
			out[name] = texts
		}
	}
	return out
}
