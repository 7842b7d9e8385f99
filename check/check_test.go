package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// input reads YAML as check's callers do; reading errors land in Errors.
func input(t testing.TB, files ...string) *check.Input {
	t.Helper()
	in := &check.Input{}
	for i := 0; i+1 < len(files); i += 2 {
		docs, err := manifest.Parse(files[i], []byte(files[i+1]))
		if err != nil {
			in.Errors = append(in.Errors, err)
		}
		in.Documents = append(in.Documents, docs...)
	}
	return in
}

func find(found ...check.Finding) check.Rule {
	return check.Rule{Codes: []string{"T1", "T2"}, Name: "test", Doc: "A rule of the test.",
		Run: func(context.Context, *check.Input) []check.Finding { return found }}
}

func TestRunSortsByFileLineAndCode(t *testing.T) {
	r := check.Run(t.Context(), &check.Input{}, []check.Rule{
		find(check.Finding{Code: "T2", Severity: check.Info, File: "b.yml", Line: 1},
			check.Finding{Code: "T2", Severity: check.Error, File: "a.yml", Line: 9}),
		find(check.Finding{Code: "T1", Severity: check.Warning, File: "a.yml", Line: 9},
			check.Finding{Code: "T2", Severity: check.Info, File: "a.yml", Line: 2}),
	})
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.File+string(f.Severity)+f.Code)
	}
	want := []string{"a.ymlinfoT2", "a.ymlwarningT1", "a.ymlerrorT2", "b.ymlinfoT2"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	if want := (check.Summary{Error: 1, Warning: 1, Info: 2}); r.Summary != want {
		t.Errorf("summary %+v, want %+v", r.Summary, want)
	}
}

func TestRunCollapsesFindingsThatSayTheSameOfTheSamePlace(t *testing.T) {
	f := check.Finding{Code: "T1", Severity: check.Error, File: "a.yml", Line: 3, Column: 4,
		Object: &check.Object{Kind: "Service", Name: "order"}}
	other := f
	other.Object = &check.Object{Kind: "Service", Name: "delivery"}
	second := f
	second.Message = "another fault of the same field"
	r := check.Run(t.Context(), &check.Input{}, []check.Rule{find(f, other), find(f, second)})
	if len(r.Findings) != 3 {
		t.Errorf("want one finding for each object and message, got %v", r.Findings)
	}
}

func TestRunTurnsAPanicIntoAFindingAndRunsTheOtherRules(t *testing.T) {
	bad := check.Rule{Codes: []string{"T9"}, Name: "bad",
		Run: func(context.Context, *check.Input) []check.Finding { panic(errors.New("boom")) }}
	r := check.Run(t.Context(), &check.Input{}, []check.Rule{bad, find(check.Finding{Code: "T1", Severity: check.Info})})
	if len(r.Findings) != 2 || r.Findings[0].Code != "MS0001" || !strings.Contains(r.Findings[0].Message, "boom") {
		t.Errorf("want MS0001 with the panic's text beside T1, got %+v", r.Findings)
	}
}

func TestRunStopsStartingRulesWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := check.Run(ctx, &check.Input{}, []check.Rule{find(check.Finding{Code: "T1"})}); len(r.Findings) != 0 {
		t.Errorf("want nothing from a cancelled run, got %v", r.Findings)
	}
}

const annotated = `apiVersion: v1
kind: Service
metadata:
  name: order
  namespace: shop
  annotations:
    meshstorm.io/ignore: %IGNORE%
spec: {}
`

func TestSuppression(t *testing.T) {
	onOrder := check.Finding{Code: "T1", Severity: check.Error, Message: "bad", File: "a.yml", Line: 8,
		Object: &check.Object{Kind: "Service", Namespace: "shop", Name: "order"}}
	tests := []struct {
		name       string
		annotation string
		settings   []check.Suppression
		want       string // codes left
		suppressed int
	}{
		{"an annotation with a reason suppresses", "T1 because it is meant so", nil, "", 1},
		{"two in one annotation", "T1 because it is meant so; T2 because why not", nil, "MS0003", 1},
		{"an annotation without a reason warns and suppresses nothing", "T1", nil, "MS0002 T1", 0},
		{"because without a reason is no reason", "T1 because", nil, "MS0002 T1", 0},
		{"an annotation for another code is unused", "T2 because", nil, "MS0002 T1", 0},
		{"settings with kind and name", "", []check.Suppression{{"T1", "Service/order", "old"}}, "", 1},
		{"settings with kind, namespace and name", "", []check.Suppression{{"T1", "Service/shop/*", "old"}}, "", 1},
		{"settings for another namespace are unused", "", []check.Suppression{{"T1", "Service/mall/order", "old"}}, "T1 MS0003", 0},
		{"settings without a reason warn", "", []check.Suppression{{"T1", "Service/order", " "}}, "T1 MS0002", 0},
		{"settings without an object suppress everywhere", "", []check.Suppression{{"T1", "", "old"}}, "", 1},
		{"a star suppresses everywhere", "", []check.Suppression{{"T1", "*", "old"}}, "", 1},
		{"a malformed glob matches nothing", "", []check.Suppression{{"T1", "Service/[", "old"}}, "T1 MS0003", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := input(t, "a.yml", strings.Replace(annotated, "%IGNORE%", `"`+test.annotation+`"`, 1))
			in.Suppressions = test.settings
			r := check.Run(t.Context(), in, []check.Rule{find(onOrder)})
			if got := strings.Join(codes(r), " "); got != test.want {
				t.Errorf("codes %q, want %q", got, test.want)
			}
			if r.Summary.Suppressed != test.suppressed {
				t.Errorf("%d suppressed, want %d", r.Summary.Suppressed, test.suppressed)
			}
		})
	}
}

func TestFindingsAboutTheModelAreSuppressedByTheirElement(t *testing.T) {
	model := check.Finding{Code: "T1", Severity: check.Warning, Message: "bad", File: "storm.json", Source: "BoundedContext/order"}
	for object, want := range map[string]int{"": 1, "*": 1, "BoundedContext/order": 1, "BoundedContext/*": 1, "BoundedContext/pay": 0} {
		in := &check.Input{Suppressions: []check.Suppression{{Code: "T1", Object: object, Reason: "known"}}}
		if r := check.Run(t.Context(), in, []check.Rule{find(model)}); r.Summary.Suppressed != want {
			t.Errorf("object %q: %d suppressed, want %d", object, r.Summary.Suppressed, want)
		}
	}
}

func TestIstiosOwnSuppressionAnnotationAsksForAReason(t *testing.T) {
	in := input(t, "a.yml", strings.Replace(annotated, "meshstorm.io/ignore: %IGNORE%", "galley.istio.io/analyze-suppress: IST0101", 1))
	r := check.Run(t.Context(), in, nil)
	if len(r.Findings) != 1 || r.Findings[0].Code != "MS0002" {
		t.Errorf("want MS0002, got %+v", r.Findings)
	}
}

func TestNoSuppressionHidesAnInternalError(t *testing.T) {
	in := input(t, "a.yml", strings.Replace(annotated, "%IGNORE%", "MS0001 because I want to", 1))
	r := check.Run(t.Context(), in, []check.Rule{{Name: "bad", Run: func(context.Context, *check.Input) []check.Finding { panic("x") }}})
	if got := strings.Join(codes(r), " "); got != "MS0001 MS0003" {
		t.Errorf("codes %q", got)
	}
}

// codes are the codes of the findings, sorted as the report has them, but for
// files: findings without one come first.
func codes(r check.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return all
}

func sample() check.Report {
	in := &check.Input{Suppressions: []check.Suppression{{"T2", "Service/hidden", "it is a test"}}}
	return check.Run(context.Background(), in, []check.Rule{find(
		check.Finding{Code: "T1", Severity: check.Error, Message: "requests for canary get 503: no such subset",
			File: "kubernetes/template/istio.yml", Line: 12, Column: 7,
			Object:  &check.Object{Kind: "VirtualService", Namespace: "shop", Name: "vsvc-order"},
			Source:  "BoundedContext/order",
			Fix:     "add the subset to destrule-order",
			Witness: "GET /orders"},
		check.Finding{Code: "T1", Severity: check.Warning, Message: "no place at all", Source: "Policy/주문 접수"},
		check.Finding{Code: "T2", Severity: check.Info, Message: "file only \x1b[31m& <escaped>", File: "odd name:é.yml"},
		check.Finding{Code: "T2", Severity: check.Error, Message: "hidden", File: "b.yml", Line: 2,
			Object: &check.Object{Kind: "Service", Name: "hidden"}},
	)})
}

func TestGoldenOutputs(t *testing.T) {
	tests := map[string]func(*bytes.Buffer) error{
		"sample.txt":       func(b *bytes.Buffer) error { return check.WriteText(b, sample(), check.TextOptions{}) },
		"sample.color.txt": func(b *bytes.Buffer) error { return check.WriteText(b, sample(), check.TextOptions{Color: true}) },
		"sample.json":      func(b *bytes.Buffer) error { return check.WriteJSON(b, sample()) },
		"sample.sarif":     func(b *bytes.Buffer) error { return check.WriteSARIF(b, sample()) },
		"empty.json":       func(b *bytes.Buffer) error { return check.WriteJSON(b, check.Report{}) },
		"empty.txt":        func(b *bytes.Buffer) error { return check.WriteText(b, check.Report{}, check.TextOptions{}) },
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "report", name), got.Bytes())
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with: go test -update)", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestSARIFHasWhatTheSpecificationRequires(t *testing.T) {
	var b bytes.Buffer
	if err := check.WriteSARIF(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID               string
						ShortDescription struct{ Text string }
					}
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex *int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation *struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine, StartColumn *int }
					}
				}
				PartialFingerprints map[string]string
				Suppressions        []struct{ Kind, Justification string }
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name == "" {
		t.Fatalf("3.13.2, 3.13.4, 3.19.8: version, one run, driver name: %+v", log)
	}
	run := log.Runs[0]
	ids := map[string]bool{}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.ID == "" || ids[rule.ID] || rule.ShortDescription.Text == "" {
			t.Errorf("3.49.3: rule ids are present and distinct, each described: %+v", rule)
		}
		ids[rule.ID] = true
	}
	prints := map[string]bool{}
	for _, result := range run.Results {
		if result.RuleIndex == nil || run.Tool.Driver.Rules[*result.RuleIndex].ID != result.RuleID {
			t.Errorf("3.27.6: ruleIndex points at the rule with ruleId %q", result.RuleID)
		}
		if !strings.Contains(" none note warning error ", " "+result.Level+" ") || result.Message.Text == "" {
			t.Errorf("3.27.10, 3.27.11: level %q, message %q", result.Level, result.Message.Text)
		}
		for _, l := range result.Locations {
			if l.PhysicalLocation == nil {
				continue
			}
			uri := l.PhysicalLocation.ArtifactLocation.URI
			if uri == "" || strings.HasPrefix(uri, "/") || strings.ContainsAny(uri, " \\") {
				t.Errorf("3.4.3: a relative URI reference, got %q", uri)
			}
			if r := l.PhysicalLocation.Region; r != nil && (r.StartLine == nil || *r.StartLine < 1 || r.StartColumn != nil && *r.StartColumn < 1) {
				t.Errorf("3.30.5, 3.30.6: lines and columns start at 1: %+v", r)
			}
		}
		for key, value := range result.PartialFingerprints {
			if prints[key+value] {
				t.Errorf("3.27.17: fingerprint %s is not distinct", value)
			}
			prints[key+value] = true
		}
		for _, s := range result.Suppressions {
			if s.Kind != "inSource" && s.Kind != "external" {
				t.Errorf("3.35.2: kind %q", s.Kind)
			}
		}
	}
}
