package shift_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/shift"
)

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

// example is the VirtualService of order as meshstorm generates it.
func example(t testing.TB) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("../examples/12st-mall/kubernetes/template/istio.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range strings.Split(string(text), "\n---\n") {
		if strings.Contains(doc, "name: vsvc-order\n") {
			return object(t, doc)
		}
	}
	t.Fatal("no vsvc-order in the example")
	return nil
}

func moved(t testing.TB, vs *unstructured.Unstructured, canary int) *shift.State {
	t.Helper()
	weights, err := shift.Move(vs, "order", "default", map[string]int{"stable": 100 - canary, "canary": canary})
	if err != nil {
		t.Fatal(err)
	}
	return &shift.State{Since: time.Unix(0, 0).UTC(), Weights: weights}
}

func overlay(t testing.TB, vs *unstructured.Unstructured, s *shift.State) (*unstructured.Unstructured, shift.Report) {
	t.Helper()
	before := vs.DeepCopy()
	out, report, err := shift.Overlay(vs, s)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, vs) {
		t.Error("Overlay changed its argument")
	}
	twice, _, err := shift.Overlay(out, s)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(out, twice) {
		t.Errorf("an overlay of an overlay differs:\n%s\n%s", asYAML(t, out), asYAML(t, twice))
	}
	return out, report
}

func asYAML(t testing.TB, o *unstructured.Unstructured) string {
	t.Helper()
	text, err := yaml.Marshal(o.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rules gives the names of spec.http.
func rules(o *unstructured.Unstructured) []string {
	var names []string
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "http")
	for _, r := range list {
		name, _ := r.(map[string]any)["name"].(string)
		names = append(names, name)
	}
	return names
}

func ruleYAML(t testing.TB, o *unstructured.Unstructured, name string) string {
	t.Helper()
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "http")
	for _, r := range list {
		if n, _ := r.(map[string]any)["name"].(string); n == name {
			text, err := yaml.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	t.Fatalf("no rule %q among %v", name, rules(o))
	return ""
}

func TestEveryRuleThatSendsToTheServiceMoves(t *testing.T) {
	vs := example(t)
	out, report := overlay(t, vs, moved(t, vs, 10))
	for _, w := range shift.Current(out, "order.default.svc.cluster.local", "elsewhere") {
		want := map[string]int{"stable": 90, "canary": 10}[w.Subset]
		if w.Weight != want {
			t.Errorf("%+v, want %d", w, want)
		}
	}
	if len(report.Held) != 4 || len(report.Gone)+len(report.New) > 0 {
		t.Errorf("report %+v, want four weights held: two rules, two subsets", report)
	}
	if back := shift.Strip(out); !reflect.DeepEqual(rules(back), rules(vs)) {
		t.Errorf("rules %v after a strip, want %v", rules(back), rules(vs))
	}
}

func TestRulesAreFoundByNameWhateverHappensToThem(t *testing.T) {
	vs := example(t)
	state := moved(t, vs, 30)
	list, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
	writes, primary := list[0].(map[string]any), list[1].(map[string]any)
	set := func(rules ...any) *unstructured.Unstructured {
		o := vs.DeepCopy()
		if err := unstructured.SetNestedSlice(o.Object, rules, "spec", "http"); err != nil {
			t.Fatal(err)
		}
		return o
	}
	t.Run("reordered", func(t *testing.T) {
		out, report := overlay(t, set(primary, writes), state)
		if !reflect.DeepEqual(rules(out), []string{"primary", "writes"}) || len(report.Gone) > 0 {
			t.Errorf("%v, %+v", rules(out), report)
		}
		for _, w := range shift.Current(out, "order", "default") {
			if w.Weight != map[string]int{"stable": 70, "canary": 30}[w.Subset] {
				t.Errorf("%+v", w)
			}
		}
	})
	t.Run("deleted", func(t *testing.T) {
		_, report := overlay(t, set(primary), state)
		if len(report.Gone) != 2 || report.Gone[0].Rule != "writes" {
			t.Errorf("%+v, want the weights of writes gone", report)
		}
	})
	t.Run("renamed", func(t *testing.T) {
		renamed := map[string]any{}
		for k, v := range primary {
			renamed[k] = v
		}
		renamed["name"] = "everything"
		out, report := overlay(t, set(writes, renamed), state)
		if !reflect.DeepEqual(report.New, []string{"everything"}) || len(report.Gone) != 2 {
			t.Errorf("%+v, want the new name reported and the old one gone", report)
		}
		for _, w := range shift.Current(out, "order", "default") {
			if w.Weight != map[string]int{"stable": 70, "canary": 30}[w.Subset] {
				t.Errorf("a rule with the same subsets did not get the shift's weights: %+v", w)
			}
		}
	})
}

const plain = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  gateways: [gw]
  hosts: [web.example]
  http:
  - name: old
    redirect: {uri: /new}
  - name: one
    timeout: 3s
    match:
    - uri: {prefix: /a}
    - uri: {prefix: /b}
      method: {exact: POST}
    route:
    - destination: {host: order.shop.svc.cluster.local, subset: stable}
      headers: {response: {add: {x-side: stable}}}
  - route:
    - destination: {host: order}
  - name: other
    route:
    - destination: {host: cart}`

func TestARuleWithOneDestinationGetsTheSecond(t *testing.T) {
	vs := object(t, plain)
	weights, err := shift.Move(vs, "order", "shop", map[string]int{"stable": 75, "canary": 25})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := overlay(t, vs, &shift.State{Weights: weights})
	got := shift.Current(out, "order", "shop")
	want := []shift.Weight{
		{Rule: "one", Host: "order.shop.svc.cluster.local", Subset: "stable", Weight: 75},
		{Rule: "one", Host: "order.shop.svc.cluster.local", Subset: "canary", Weight: 25},
		{Rule: "", Host: "order", Subset: "stable", Weight: 75},
		{Rule: "", Host: "order", Subset: "canary", Weight: 25},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if text := ruleYAML(t, out, "other"); strings.Contains(text, "canary") {
		t.Errorf("another service's rule was moved:\n%s", text)
	}
}

func TestTestersComeFirstAndCookiesKeepASide(t *testing.T) {
	vs := object(t, plain)
	weights, err := shift.Move(vs, "order", "shop", map[string]int{"stable": 75, "canary": 25})
	if err != nil {
		t.Fatal(err)
	}
	state := &shift.State{
		Weights: weights,
		Testers: &shift.Testers{Header: "X-Canary", Value: "true", Subset: "canary"},
		Sticky:  &shift.Sticky{Cookie: "side", Stable: "stable", Canary: "canary", MaxAge: metav1.Duration{Duration: time.Hour}},
	}
	out, _ := overlay(t, vs, state)
	want := []string{"old",
		shift.RuleTesters + "one", shift.RuleStickyCanary + "one", shift.RuleStickyStable + "one", "one",
		shift.RuleTesters, shift.RuleStickyCanary, shift.RuleStickyStable, "", "other"}
	if got := rules(out); !reflect.DeepEqual(got, want) {
		t.Fatalf("rules %q", got)
	}
	testers := ruleYAML(t, out, shift.RuleTesters+"one")
	for _, part := range []string{"x-canary:\n      exact: \"true\"", "prefix: /a", "prefix: /b", "exact: POST", "timeout: 3s", "subset: canary"} {
		if !strings.Contains(testers, part) {
			t.Errorf("the testers' rule lacks %q:\n%s", part, testers)
		}
	}
	if strings.Contains(testers, "set-cookie") || strings.Contains(ruleYAML(t, out, shift.RuleStickyCanary+"one"), "set-cookie") {
		t.Error("only the weighted rule may set the cookie")
	}
	weighted := ruleYAML(t, out, "one")
	for _, part := range []string{"side=stable; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600", "side=canary;", "x-side: stable"} {
		if !strings.Contains(weighted, part) {
			t.Errorf("the weighted rule lacks %q:\n%s", part, weighted)
		}
	}
	list, _, _ := unstructured.NestedSlice(out.Object, "spec", "http")
	match := list[2].(map[string]any)["match"].([]any)[0].(map[string]any)
	expr, _, _ := unstructured.NestedString(match, "headers", "cookie", "regex")
	for cookie, yes := range map[string]bool{"side=canary": true, "a=b; side=canary; c=d": true, "aside=canary": false, "side=canaryx": false, "side=stable": false} {
		if regexp.MustCompile(`^(?:`+expr+`)$`).MatchString(cookie) != yes {
			t.Errorf("cookie %q matches %s: want %v", cookie, expr, yes)
		}
	}
	state.Sticky.Off = true
	off, _ := overlay(t, out, state)
	if text := asYAML(t, off); strings.Contains(text, "cookie") {
		t.Errorf("with sticky off a cookie is left:\n%s", text)
	}
}

func TestMirrorsCopyReadsOnlyUnlessAskedFor(t *testing.T) {
	vs := object(t, plain)
	weights, err := shift.Move(vs, "order", "shop", map[string]int{"stable": 100, "canary": 0})
	if err != nil {
		t.Fatal(err)
	}
	state := &shift.State{Weights: weights, Mirror: &shift.Mirror{Subset: "canary", Percent: 10}}
	out, _ := overlay(t, vs, state)
	mirror := ruleYAML(t, out, shift.RuleMirror+"one")
	if strings.Contains(mirror, "/b") || strings.Contains(mirror, "POST") || !strings.Contains(mirror, "exact: HEAD") || !strings.Contains(mirror, "value: 10") {
		t.Errorf("the mirror takes more than GET and HEAD of /a:\n%s", mirror)
	}
	if strings.Contains(ruleYAML(t, out, "one"), "mirror") {
		t.Error("the rule for commands mirrors too")
	}
	state.Mirror.Unsafe = true
	out, _ = overlay(t, vs, state)
	if !strings.Contains(ruleYAML(t, out, "one"), "mirrorPercentage") || len(rules(out)) != len(rules(vs)) {
		t.Errorf("unsafe: want the rule itself to mirror:\n%s", asYAML(t, out))
	}
	out.SetAnnotations(map[string]string{shift.Annotation: state.Encode()})
	if text := asYAML(t, shift.Strip(out)); strings.Contains(text, "mirror") {
		t.Errorf("a strip leaves the mirror:\n%s", text)
	}
}

func TestOtherDestinationsKeepTheirPart(t *testing.T) {
	for name, c := range map[string]struct {
		route string
		want  string
	}{
		"a third subset":           {`[{destination: {host: order, subset: stable}, weight: 50}, {destination: {host: order, subset: canary}, weight: 30}, {destination: {host: order, subset: old}, weight: 20}]`, "stable=72 canary=8 old=20"},
		"parts of another sum":     {`[{destination: {host: order, subset: stable}, weight: 3}, {destination: {host: order, subset: canary}, weight: 1}]`, "stable=90 canary=10"},
		"a testers' own rule":      {`[{destination: {host: order, subset: canary}}]`, "canary=100"},
		"a small part of the rule": {`[{destination: {host: order, subset: stable}, weight: 5}, {destination: {host: cart}, weight: 95}]`, "stable=4 canary=1"},
	} {
		t.Run(name, func(t *testing.T) {
			vs := object(t, "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web, namespace: shop}\nspec:\n  http:\n  - name: all\n    route: [{destination: {host: order, subset: stable}}]\n  - name: one\n    route: "+c.route)
			weights, err := shift.Move(vs, "order", "shop", map[string]int{"stable": 90, "canary": 10})
			if err != nil {
				t.Fatal(err)
			}
			out, _ := overlay(t, vs, &shift.State{Weights: weights})
			var got []string
			for _, w := range shift.Current(out, "order", "shop") {
				if w.Rule == "one" {
					got = append(got, fmt.Sprintf("%s=%d", w.Subset, w.Weight))
				}
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

func TestWhatCannotBeMovedIsSaid(t *testing.T) {
	vs := object(t, plain)
	if _, err := shift.Move(vs, "order", "shop", map[string]int{"stable": 90, "canary": 20}); err == nil || !strings.Contains(err.Error(), "add up to 110") {
		t.Errorf("got %v", err)
	}
	if _, err := shift.Move(vs, "order", "other", map[string]int{"stable": 90, "canary": 10}); !errors.Is(err, shift.ErrElsewhere) {
		t.Errorf("the namespace was not looked at: %v", err)
	}
	cookie := object(t, strings.Replace(plain, "- uri: {prefix: /a}", "- uri: {prefix: /a}\n      headers: {Cookie: {exact: x}}", 1))
	weights, err := shift.Move(cookie, "order", "shop", map[string]int{"stable": 90, "canary": 10})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = shift.Overlay(cookie, &shift.State{Weights: weights, Sticky: &shift.Sticky{Cookie: "side", Stable: "stable", Canary: "canary"}})
	if err == nil || !strings.Contains(err.Error(), "cookie header already") {
		t.Errorf("got %v", err)
	}
}

func TestAStateSurvivesTheAnnotation(t *testing.T) {
	s := &shift.State{Plan: "p", Since: time.Unix(1, 0).UTC(), Weights: []shift.Weight{{Rule: "주문<&>", Host: "order", Subset: "canary", Weight: 10}, {Rule: "주문<&>", Host: "order", Subset: "stable", Weight: 90}},
		Sticky: &shift.Sticky{Cookie: "c", Stable: "a", Canary: "b", MaxAge: metav1.Duration{Duration: time.Minute}}}
	vs := object(t, plain)
	vs.SetAnnotations(map[string]string{shift.Annotation: s.Encode()})
	got, err := shift.Read(vs)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{", `{"weights":[{"weight":101,"host":"x"}]}`, `{"nonsense":1}`, `{} {}`, strings.Repeat(" ", 40000) + "{}"} {
		vs.SetAnnotations(map[string]string{shift.Annotation: bad})
		if _, err := shift.Read(vs); !errors.Is(err, shift.ErrState) {
			t.Errorf("%.20q: got %v", bad, err)
		}
	}
}

func TestGitOpsToolsAreNamedWithTheirSetting(t *testing.T) {
	for name, c := range map[string]struct{ metadata, tool, setting string }{
		"Argo CD":             {`annotations: {argocd.argoproj.io/tracking-id: "x"}`, "Argo CD", "RespectIgnoreDifferences=true"},
		"Flux":                {`labels: {kustomize.toolkit.fluxcd.io/name: x}`, "Flux", "IfNotPresent"},
		"Flux that lets go":   {`{labels: {kustomize.toolkit.fluxcd.io/name: x}, annotations: {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}}`, "", ""},
		"another applier":     {`managedFields: [{manager: deployer, operation: Apply, fieldsV1: {"f:spec": {"f:http": {}}}}]`, "field manager deployer", "spec.http"},
		"an applier of hosts": {`managedFields: [{manager: deployer, operation: Apply, fieldsV1: {"f:spec": {"f:hosts": {}}}}]`, "", ""},
		"meshstorm":           {`managedFields: [{manager: meshstorm, operation: Apply, fieldsV1: {"f:spec": {"f:http": {}}}}]`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			metadata := c.metadata
			if !strings.HasPrefix(metadata, "{") {
				metadata = "{" + metadata + "}"
			}
			tool, setting := shift.GitOps(object(t, "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: "+metadata))
			if tool != c.tool || !strings.Contains(setting, c.setting) {
				t.Errorf("got %q, %q", tool, setting)
			}
		})
	}
}

func FuzzOverlay(f *testing.F) {
	f.Add(plain, `{"weights":[{"rule":"one","host":"order.shop.svc.cluster.local","subset":"stable","weight":60},{"rule":"one","host":"order.shop.svc.cluster.local","subset":"canary","weight":40}],"since":"2026-01-01T00:00:00Z","sticky":{"cookie":"c","stable":"stable","canary":"canary"},"mirror":{"subset":"canary","percent":5,"unsafe":true}}`)
	f.Fuzz(func(t *testing.T, text, annotation string) {
		data, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Skip()
		}
		vs := &unstructured.Unstructured{}
		if vs.UnmarshalJSON(data) != nil {
			t.Skip()
		}
		withState := vs.DeepCopy()
		withState.SetAnnotations(map[string]string{shift.Annotation: annotation})
		state, err := shift.Read(withState)
		if err != nil {
			return
		}
		out, _, err := shift.Overlay(vs, state)
		if err != nil {
			return
		}
		twice, _, err := shift.Overlay(out, state)
		if err != nil {
			t.Fatalf("the second overlay fails: %v", err)
		}
		if !reflect.DeepEqual(out.Object, twice.Object) {
			t.Fatalf("an overlay of an overlay differs")
		}
	})
}
