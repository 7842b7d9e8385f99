package cluster

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/shift"
)

const routeFile = "kubernetes/template/istio.yml"

// special is a rule that a person adds before the generated ones.
const special = `  - name: special
    match:
    - uri:
        exact: /orders/special
      method:
        exact: GET
    route:
    - destination:
        host: order
        subset: stable
      weight: 100
    - destination:
        host: order
        subset: canary
      weight: 0
`

func TestAppliesDuringAShiftLeaveItsWeights(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.edit(t, routeFile, "  http:\n", "  http:\n"+special)
	s.run(t, 0, "apply", "--yes")
	s.run(t, 0, "shift", "order", "stable=90", "canary=10", "--force")
	if out, _ := s.run(t, 0, "diff", "-o", "fields"); !strings.Contains(out, "subset canary of order: 10, held by shift (files: 0)") {
		t.Errorf("the shift alone: diff says %q", out)
	}
	for _, step := range []struct {
		name, old, text string
		rules           []string
	}{
		{"another rule edited", "    retries:\n      attempts: 0\n", "    retries:\n      attempts: 0\n    timeout: 7s\n", []string{"special", "writes", "primary"}},
		{"a rule renamed", "  - name: writes\n", "  - name: commands\n", []string{"special", "commands", "primary"}},
		{"rules reordered", special, "", []string{"commands", "special", "primary"}},
		{"a rule deleted", special, "", []string{"commands", "primary"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.edit(t, routeFile, step.old, step.text)
			if step.name == "rules reordered" {
				s.edit(t, routeFile, "  - name: primary\n", special+"  - name: primary\n")
			}
			if out, _ := s.run(t, 1, "diff", "-o", "fields"); !strings.Contains(out, "held by shift") {
				t.Errorf("diff says %q", out)
			}
			s.run(t, 0, "apply", "--force-conflicts")
			s.sharesAre(t, step.rules, 10)
			if out, _ := s.run(t, 0, "diff"); !strings.Contains(out, "held by shift") {
				t.Errorf("afterwards diff says %q", out)
			}
		})
	}
	s.run(t, 0, "apply", "--take-weights")
	s.sharesAre(t, []string{"commands", "primary"}, 0)
	after := s.live(t, "VirtualService", "vsvc-order")
	if after.GetAnnotations()[shift.Annotation] != "" || slices.ContainsFunc(after.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == shift.Manager }) {
		t.Errorf("the shift left traces: %v, %v", after.GetAnnotations(), after.GetManagedFields())
	}
	if out, _ := s.run(t, 0, "diff"); out != "" {
		t.Errorf("after the shift diff says %q", out)
	}
}

// sharesAre expects these rules in the live route to order, in this order, each
// with the canary's share in percent and the rest for stable.
func (s *shop) sharesAre(t *testing.T, rules []string, canary int) {
	t.Helper()
	vs := s.live(t, "VirtualService", "vsvc-order")
	http, _, err := unstructured.NestedSlice(vs.Object, "spec", "http")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range http {
		got = append(got, r.(map[string]any)["name"].(string))
	}
	if !slices.Equal(got, rules) {
		t.Errorf("rules %v, want %v", got, rules)
	}
	weights := shift.Current(vs, "order", s.Namespace)
	if len(weights) != 2*len(rules) {
		t.Errorf("weights %+v, want two for each of %v", weights, rules)
	}
	for _, w := range weights {
		if want := map[string]int{"canary": canary, "stable": 100 - canary}[w.Subset]; w.Weight != want {
			t.Errorf("rule %s, subset %s: %d, want %d", w.Rule, w.Subset, w.Weight, want)
		}
	}
}

// live reads an object of Istio's.
func (s *shop) live(t *testing.T, kind, object string) *unstructured.Unstructured {
	t.Helper()
	o, err := s.Get(t.Context(), gvk(kind), cluster.ID{Group: "networking.istio.io", Kind: kind, Namespace: s.Namespace, Name: object})
	if err != nil {
		t.Fatal(err)
	}
	if o == nil {
		t.Fatalf("there is no %s %s", kind, object)
	}
	return o
}
