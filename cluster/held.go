package cluster

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/shift"
)

func compareText(a, b string) int { return cmp.Compare(a, b) }

// isVirtualService is Istio's kind, of any version.
func isVirtualService(id ID) bool {
	return id.Group == "networking.istio.io" && id.Kind == "VirtualService"
}

// hold changes what is sent so that what runs is not disturbed: the weights of a
// running shift, and the pod template of a Deployment that a canary is promoted
// into.
func (p *Plan) hold(ch *Change) error {
	if ch.live == nil {
		return nil
	}
	if isVirtualService(ch.Object) && !p.Request.TakeWeights {
		if err := ch.holdWeights(); err != nil {
			return err
		}
	}
	if e := p.inventory.Find(ch.Object); e != nil && e.Kept != "" && ch.Object.Kind == "Deployment" && !p.Request.PruneKept {
		ch.holdTemplate(e.Kept)
	}
	return nil
}

// holdWeights lays the shift that the live object carries over the wanted one.
func (ch *Change) holdWeights() error {
	state, err := shift.Read(ch.live)
	if err != nil {
		return fmt.Errorf("%s: %w; `meshstorm apply --take-weights` ends the shift", ch.Object, err)
	}
	if state == nil {
		return nil
	}
	files := ch.desired
	held, report, err := shift.Overlay(files, state)
	if err != nil {
		return fmt.Errorf("%s%s: the running shift cannot be kept: %w; `meshstorm apply --take-weights` ends it", at(ch.object), ch.Object, err)
	}
	for _, w := range report.Held {
		ch.Held = append(ch.Held, HeldWeight{Rule: w.Rule, Host: w.Host, Subset: w.Subset, Weight: w.Weight, Files: fileWeight(files, w)})
	}
	ch.Gone = report.Gone
	// Whoever else moves traffic meanwhile must not be overwritten.
	held.SetResourceVersion(ch.live.GetResourceVersion())
	ch.desired = held
	return nil
}

// fileWeight is the weight that the files give to a destination; 0 where they
// have none for it, and 100 where it is the rule's only one.
func fileWeight(vs *unstructured.Unstructured, w shift.Weight) int {
	rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		name, _ := rule["name"].(string)
		if name != w.Rule {
			continue
		}
		destinations, _ := rule["route"].([]any)
		for _, d := range destinations {
			destination, _ := d.(map[string]any)
			to, _ := destination["destination"].(map[string]any)
			if to["host"] != w.Host || to["subset"] != w.Subset {
				continue
			}
			if weight, ok := number(destination["weight"]); ok {
				return weight
			}
			if len(destinations) == 1 {
				return 100
			}
		}
	}
	return 0
}

// number reads an integer as JSON and YAML decoders give it.
func number(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	case int:
		return n, true
	}
	return 0, false
}

// holdTemplate keeps the live pod template.
func (ch *Change) holdTemplate(why string) {
	template, ok, _ := unstructured.NestedMap(ch.live.Object, "spec", "template")
	if !ok {
		return
	}
	owned, err := Owned(ch.live, Manager)
	if err != nil || owned == nil {
		return
	}
	if part, ok, _ := unstructured.NestedMap(owned.Object, "spec", "template"); ok {
		template = part
	}
	wanted, _, _ := unstructured.NestedMap(ch.desired.Object, "spec", "template")
	if digest(template) == digest(wanted) {
		return
	}
	ch.desired = ch.desired.DeepCopy()
	if unstructured.SetNestedMap(ch.desired.Object, template, "spec", "template") == nil {
		ch.Message = "its pod template is held by the " + why
	}
}
