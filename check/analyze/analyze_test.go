package analyze_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
	"github.com/meshstorm/meshstorm/manifest"
)

func input(t testing.TB, name string, data []byte) *check.Input {
	t.Helper()
	docs, err := manifest.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return &check.Input{Documents: docs}
}

var wanted = regexp.MustCompile(`(IST\d+|MS\d+) (error|warning|info)`)

// wants reads the expectations "# want CODE severity …" off the lines of a
// test file.
func wants(data []byte) []string {
	var all []string
	for i, line := range strings.Split(string(data), "\n") {
		_, comment, _ := strings.Cut(line, "# want ")
		for _, m := range wanted.FindAllString(comment, -1) {
			all = append(all, fmt.Sprintf("%d: %s", i+1, m))
		}
	}
	return all
}

func TestFindingsStandOnTheLinesThatWantThem(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := check.Run(t.Context(), input(t, file, data), analyze.Rules(analyze.Options{Profile: "demo"}))
			var got []string
			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%d: %s %s", f.Line, f.Code, f.Severity))
				if f.Fix == "" || f.Object == nil || f.Column == 0 || f.File != file {
					t.Errorf("incomplete finding %+v", f)
				}
				if strings.Contains(f.Message+f.Fix, "%!") || strings.Contains(f.Message+f.Fix, "%[") {
					t.Errorf("unfilled text in %+v", f)
				}
			}
			want := wants(data)
			slices.Sort(got)
			slices.Sort(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
				for _, f := range r.Findings {
					t.Logf("%d:%d %s %s", f.Line, f.Column, f.Code, f.Message)
				}
			}
		})
	}
}
