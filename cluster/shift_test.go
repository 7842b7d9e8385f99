package cluster_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/shift"
)

// route gives a VirtualService with these rules, each a name and what else it has.
func route(rules ...string) string {
	text := "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop}\nspec:\n  hosts: [shop]\n  http:\n"
	for _, r := range rules {
		name, more, _ := strings.Cut(r, " ")
		text += "  - name: " + name + "\n    match: [{uri: {prefix: /" + name + "}}]\n" + more +
			"    route:\n    - destination: {host: shop, subset: stable}\n      weight: 100\n    - destination: {host: shop, subset: canary}\n      weight: 0\n"
	}
	return text
}

// startShift moves traffic as `meshstorm shift` does: the annotation by its own
// manager, and the rules by meshstorm.
func startShift(t *testing.T, c *cluster.Client, canary int) {
	t.Helper()
	vs := live(t, c, "VirtualService", "shop")
	weights, err := shift.Move(vs, "shop", c.Namespace, map[string]int{"stable": 100 - canary, "canary": canary})
	if err != nil {
		t.Fatal(err)
	}
	state := &shift.State{Since: time.Now().UTC(), Weights: weights}
	mark := &unstructured.Unstructured{Object: map[string]any{}}
	mark.SetGroupVersionKind(kinds["VirtualService"])
	mark.SetName("shop")
	mark.SetNamespace(c.Namespace)
	mark.SetAnnotations(map[string]string{shift.Annotation: state.Encode()})
	if _, err := c.ApplyObject(t.Context(), mark, cluster.ApplyObjectOptions{Manager: shift.Manager}); err != nil {
		t.Fatal(err)
	}
	owned, err := cluster.Owned(live(t, c, "VirtualService", "shop"), cluster.Manager)
	if err != nil {
		t.Fatal(err)
	}
	moved, _, err := shift.Overlay(owned, state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ApplyObject(t.Context(), moved, cluster.ApplyObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// canaries gives the canary's weight in each rule of the live object.
func canaries(t *testing.T, c *cluster.Client) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, w := range shift.Current(live(t, c, "VirtualService", "shop"), "shop", c.Namespace) {
		if w.Subset == "canary" {
			all[w.Rule] = w.Weight
		}
	}
	return all
}

func TestApplyDuringAShiftKeepsItsWeights(t *testing.T) {
	t.Parallel()
	backends := strings.Join(strings.Split(mesh, "\n---\n")[1:3], "\n---\n") + "\n---\n"
	before := backends + route("reads", "writes")
	for name, step := range map[string]struct {
		files string
		force bool
		want  map[string]int
		gone  int
	}{
		"another field edited": {backends + route("reads", "writes     timeout: 3s\n"), false, map[string]int{"reads": 10, "writes": 10}, 0},
		"reordered":            {backends + route("writes", "reads"), false, map[string]int{"reads": 10, "writes": 10}, 0},
		"renamed":              {backends + route("reads", "commands"), false, map[string]int{"reads": 10, "commands": 10}, 2},
		"deleted":              {backends + route("reads"), false, map[string]int{"reads": 10}, 2},
		"added":                {backends + route("reads", "writes", "more"), false, map[string]int{"reads": 10, "writes": 10, "more": 10}, 0},
		"forced":               {backends + route("reads", "writes     timeout: 3s\n"), true, map[string]int{"reads": 10, "writes": 10}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := labtest.Client(t)
			apply(t, c, request(t, before))
			startShift(t, c, 10)
			r := request(t, step.files)
			r.Force = step.force
			plan, err := c.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(plan.Changes, func(ch cluster.Change) bool { return ch.Object.Kind == "VirtualService" })
			if ch := plan.Changes[at]; len(ch.Held) == 0 || ch.Held[0].Files == ch.Held[0].Weight || len(ch.Gone) != step.gone {
				t.Errorf("held %+v, gone %+v", ch.Held, ch.Gone)
			}
			if _, err := c.Apply(t.Context(), plan, cluster.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			got := canaries(t, c)
			if len(got) != len(step.want) {
				t.Errorf("rules %v, want %v", got, step.want)
			}
			for rule, weight := range step.want {
				if got[rule] != weight {
					t.Errorf("rule %s: %d, want %d", rule, got[rule], weight)
				}
			}
			if live(t, c, "VirtualService", "shop").GetAnnotations()[shift.Annotation] == "" {
				t.Error("the shift's annotation is gone")
			}
			r.TakeWeights = true
			apply(t, c, r)
			after := live(t, c, "VirtualService", "shop")
			for rule, weight := range canaries(t, c) {
				if weight != 0 {
					t.Errorf("after the end rule %s has %d", rule, weight)
				}
			}
			if rules, ok, _ := unstructured.NestedSlice(after.Object, "spec", "http"); !ok || len(rules) == 0 {
				t.Error("spec.http is gone")
			}
			if slices.ContainsFunc(after.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == shift.Manager }) || after.GetAnnotations()[shift.Annotation] != "" {
				t.Errorf("the shift left traces: %v", after.GetManagedFields())
			}
		})
	}
}

func TestApplyDuringAShiftGetsThroughAWriterThatNeverStops(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	backends := strings.Join(strings.Split(mesh, "\n---\n")[1:3], "\n---\n") + "\n---\n"
	apply(t, c, request(t, backends+route("reads", "writes")))
	startShift(t, c, 25)
	resource, err := c.Resource(kinds["VirtualService"], c.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"busy": time.Now().String()}}})
			_, _ = resource.Patch(ctx, "shop", "application/merge-patch+json", patch, metav1.PatchOptions{FieldManager: "busy"})
		}
	})
	for _, timeout := range []string{"1s", "2s", "3s"} {
		apply(t, c, request(t, backends+route("reads", "writes     timeout: "+timeout+"\n")))
	}
	stop()
	writer.Wait()
	if got := canaries(t, c); got["reads"] != 25 || got["writes"] != 25 {
		t.Errorf("weights are %v, want 25 in both rules", got)
	}
	if text := string(must(live(t, c, "VirtualService", "shop").MarshalJSON())); !strings.Contains(text, `"timeout":"3s"`) {
		t.Error("the last edit was not applied")
	}
}
