package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

// fix mends files with rules, and holds the outcome to a second run.
func fix(t *testing.T, rules []check.Rule, files ...string) (map[string]string, *check.Fixed) {
	t.Helper()
	run := func(ctx context.Context, in *check.Input) check.Report { return check.Run(ctx, in, rules) }
	mend := func(texts []manifest.File) *check.Fixed {
		var all []string
		for _, f := range texts {
			all = append(all, f.Path, string(f.Data))
		}
		fixed, err := check.Fix(t.Context(), input(t, all...), texts, run)
		if err != nil {
			t.Fatal(err)
		}
		return fixed
	}
	var texts []manifest.File
	for i := 0; i+1 < len(files); i += 2 {
		texts = append(texts, manifest.File{Path: files[i], Data: []byte(files[i+1])})
	}
	fixed := mend(texts)
	after := map[string]string{}
	for i, f := range texts {
		after[f.Path] = string(f.Data)
		for _, changed := range fixed.Files {
			if changed.Path == f.Path {
				after[f.Path] = string(changed.After)
				texts[i].Data = changed.After
			}
		}
	}
	if again := mend(texts); len(again.Files)+len(again.Applied) > 0 {
		t.Errorf("a second run changes something: %+v", again.Applied)
	}
	return after, fixed
}

const route = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: order}
spec:
  hosts: [order]
  http:
  # the rule
  - route:
`

func TestFixMendsWhatIsSafe(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"the weight of the only destination goes, its neighbours' comments stay",
			"    - destination: {host: order} # all of it\n      weight: 30 # of 100\n    timeout: 3s # short\n",
			"    - destination: {host: order} # all of it\n    timeout: 3s # short\n"},
		{"a weight of 0 may mean something else and stays",
			"    - destination: {host: order}\n      weight: 0\n", "    - destination: {host: order}\n      weight: 0\n"},
		{"two of one become one with the sum",
			"    - {destination: {host: order, subset: a}, weight: 80}\n    - {destination: {host: order, subset: b}, weight: 10}\n    - {destination: {host: order, subset: a}, weight: 10}\n",
			"    - {destination: {host: order, subset: a}, weight: 90}\n    - {destination: {host: order, subset: b}, weight: 10}\n"},
		{"and when only that is left its weight goes, too",
			"    - destination: {host: order, subset: a}\n      weight: 50\n    - destination: {host: order, subset: a}\n      weight: 20\n",
			"    - destination: {host: order, subset: a}\n"},
		{"three of one become one, step by step",
			"    - {destination: {host: order, subset: a}, weight: 20}\n    - {destination: {host: order, subset: a}, weight: 20}\n    - {destination: {host: order, subset: a}, weight: 20}\n    - {destination: {host: order, subset: b}, weight: 40}\n",
			"    - {destination: {host: order, subset: a}, weight: 60}\n    - {destination: {host: order, subset: b}, weight: 40}\n"},
		{"what stands beside attempts: 0 goes",
			"    - destination: {host: order}\n    retries:\n      attempts: 0\n      backoff: 1s\n",
			"    - destination: {host: order}\n    retries:\n      attempts: 0\n"},
		{"sums that are no 100 may mean anything and stay",
			"    - {destination: {host: order, subset: a}, weight: 8}\n    - {destination: {host: order, subset: b}, weight: 2}\n",
			"    - {destination: {host: order, subset: a}, weight: 8}\n    - {destination: {host: order, subset: b}, weight: 2}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after, fixed := fix(t, check.Rules(), "a.yml", "# top\n---\n"+route+tt.before+"---\n# end\n")
			if d := cmp.Diff("# top\n---\n"+route+tt.after+"---\n# end\n", after["a.yml"]); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if (tt.before != tt.after) != (len(fixed.Applied) > 0) {
				t.Errorf("applied %+v", fixed.Applied)
			}
		})
	}
}

func TestFixSeparatesAPrefixFromItsNeighbours(t *testing.T) {
	const rules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: order}
spec:
  hosts: [order]
  http:
  - name: test
    match:
    - name: short # the short one
      uri:
        prefix: /test
      gateways: [mesh]
REWRITE    route: [{destination: {host: order}}]
  - name: archive
    match:
    - uri: {prefix: /test-archive/}
    route: [{destination: {host: archive}}]
`
	before := strings.Replace(rules, "REWRITE", "", 1)
	after, fixed := fix(t, check.Rules(), "a.yml", before)
	want := strings.Replace(before, "        prefix: /test\n      gateways: [mesh]\n",
		"        exact: /test\n      gateways: [mesh]\n    - gateways:\n      - mesh\n      uri:\n        prefix: /test/\n", 1)
	if d := cmp.Diff(want, after["a.yml"]); d != "" || len(fixed.Applied) != 1 {
		t.Errorf("applied %d (-want +got):\n%s", len(fixed.Applied), d)
	}
	before = strings.Replace(rules, "REWRITE", "    rewrite: {uri: /x}\n", 1)
	if after, _ := fix(t, check.Rules(), "a.yml", before); after["a.yml"] != before {
		t.Errorf("a rewrite would come out different:\n%s", after["a.yml"])
	}
}

const alone = "    - destination: {host: order}\n      weight: 30\n"

func TestFixLeavesOtherFilesAndSuppressedFindingsAlone(t *testing.T) {
	accepted := strings.Replace(route, "{name: order}", `{name: order, annotations: {meshstorm.io/ignore: "MS0605 because it is meant so"}}`, 1)
	named := func(name string) string {
		return strings.Replace(route, "{name: order}", "{name: "+name+"}", 1) + alone
	}
	_, fixed := fix(t, check.Rules(), "accepted.yml", accepted+alone, "broken.yml", named("broken")+"---\na: [\n", "good.yml", named("good"))
	if len(fixed.Files) != 1 || fixed.Files[0].Path != "good.yml" || string(fixed.Files[0].Before) != named("good") {
		t.Errorf("changed %+v", fixed.Files)
	}
	if len(fixed.Applied) != 1 || fixed.Report.Summary.Suppressed != 1 {
		t.Errorf("applied %+v, left %+v", fixed.Applied, fixed.Report.Summary)
	}
}

func TestFixDoesNotTakeARoundThatBringsAnError(t *testing.T) {
	rule := check.Rule{Codes: []string{"T1"}, Name: "test", Doc: "A rule of the test.", Run: func(_ context.Context, in *check.Input) []check.Finding {
		r := in.Resources()[0]
		if r.Document.Get("x").Value == "1" {
			f := r.Finding("T1", check.Info, "x", "mend me")
			f.Edits = []check.Edit{check.SetField(r.Document, "x", 2)}
			return []check.Finding{f}
		}
		return []check.Finding{r.Finding("T1", check.Error, "x", "worse")}
	}}
	after, fixed := fix(t, []check.Rule{rule}, "a.yml", "kind: A\nx: 1\n")
	if after["a.yml"] != "kind: A\nx: 1\n" || len(fixed.Applied) > 0 || fixed.Report.Summary.Info != 1 {
		t.Errorf("got %q, %+v", after["a.yml"], fixed)
	}
}

func TestFixMendsDocumentsAlikeAndItemsOfLists(t *testing.T) {
	item := strings.ReplaceAll(strings.TrimSuffix("- "+route+alone, "\n"), "\n", "\n  ") + "\n"
	text := route + alone + "---\n" + route + alone + "---\napiVersion: v1\nkind: List\nitems:\n" + item
	after, fixed := fix(t, []check.Rule{check.Weights()}, "a.yml", text)
	if len(fixed.Applied) != 3 || strings.Contains(after["a.yml"], "weight") {
		t.Errorf("applied %d:\n%s", len(fixed.Applied), after["a.yml"])
	}
}
