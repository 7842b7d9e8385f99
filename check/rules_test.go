package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm"
)

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
	files, err := filepath.Glob("testdata/rules/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := check.Run(t.Context(), input(t, file, string(data)), check.Rules())
			var got []string
			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%d: %s %s", f.Line, f.Code, f.Severity))
				if f.Fix == "" || f.Column == 0 || f.File != file || strings.Contains(f.Message+f.Fix, "%!") {
					t.Errorf("incomplete finding %+v", f)
				}
			}
			want := wants(data)
			slices.Sort(got)
			slices.Sort(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
				for _, f := range r.Findings {
					t.Logf("%d:%d %s %s | %s", f.Line, f.Column, f.Code, f.Message, f.Fix)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".txt", text(t, r))
		})
	}
}

func text(t *testing.T, r check.Report) []byte {
	t.Helper()
	var b strings.Builder
	if err := check.WriteText(&b, r, check.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func TestProblemsOfTheModelBecomeFindings(t *testing.T) {
	order := deploy.Source{Kind: storm.KindBoundedContext, ID: "1", Name: "order"}
	in := &check.Input{Intent: &deploy.Model{Problems: []deploy.Problem{
		{Code: "MS0301", Severity: deploy.SeverityInfo, Source: order, Message: "no resource", Fix: "draw an aggregate"},
		{Code: "MS0204", Fatal: true, Severity: deploy.SeverityWarning, Message: "two on one name"},
		{Code: "MS0303", Message: "a relation leads nowhere"},
	}}}
	r := check.Run(t.Context(), in, []check.Rule{check.Problems()})
	want := []check.Finding{
		{Code: "MS0204", Severity: check.Error, Message: "two on one name", File: "storm.json"},
		{Code: "MS0301", Severity: check.Info, Message: "no resource", File: "storm.json", Source: "BoundedContext/order", Fix: "draw an aggregate"},
		{Code: "MS0303", Severity: check.Warning, Message: "a relation leads nowhere", File: "storm.json"},
	}
	if d := cmp.Diff(want, r.Findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

func TestAConfigMapOverOneMebibyteIsRefused(t *testing.T) {
	big := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: " + strings.Repeat("x", 1<<20+1) + "}\n"
	r := check.Run(t.Context(), input(t, "a.yml", big), check.Rules())
	if len(r.Findings) != 1 || r.Findings[0].Code != check.CodeInvalid || r.Findings[0].Line != 4 {
		t.Errorf("want MS0107 on line 4, got %+v", r.Findings)
	}
}

func TestEveryCodeOfARuleIsDescribedOnce(t *testing.T) {
	r := check.Run(t.Context(), &check.Input{}, check.Rules())
	seen := map[string]bool{}
	for _, info := range r.Rules {
		if seen[info.Code] || info.Doc == "" || info.Name == "" {
			t.Errorf("rule info %+v", info)
		}
		seen[info.Code] = true
	}
}

func FuzzRules(f *testing.F) {
	files, err := filepath.Glob("testdata/rules/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: []\nspec: {containers: {a: b}}\n"))
	f.Add([]byte("apiVersion: [1]\nkind: {a: 1}\n"))
	f.Add([]byte("{apiVersion: apps/v1, kind: Deployment, metadata: null, spec: {template: {spec: {containers: [null, 1, {image: 1}]}}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := manifest.Parse("f.yml", data)
		r := check.Run(t.Context(), &check.Input{Documents: docs, Errors: []error{err}}, check.Rules())
		for _, finding := range r.Findings {
			if finding.Code == check.CodeInternal {
				t.Fatalf("a rule failed: %s", finding.Message)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}
