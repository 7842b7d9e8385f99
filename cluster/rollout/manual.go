package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/proxies"
	"github.com/meshstorm/meshstorm/shift"
)

// ShiftRequest asks for weights by hand.
type ShiftRequest struct {
	Service string
	Weights map[string]int // percent by subset
	// Force moves traffic to subsets without ready pods too, which then answer
	// 503.
	Force          bool
	ForceConflicts bool // take spec.http over from other managers
	GitOps         bool // the tool that would set the rules back is paused
	DryRun         bool // check and say, change nothing
}

// Shifted is what a shift by hand did to one VirtualService.
type Shifted struct {
	Object cluster.ID     `json:"object"`
	Before []shift.Weight `json:"before"`
	After  []shift.Weight `json:"after"`
}

// Shift sends a service's traffic to its subsets as asked, at the gateway and
// inside the mesh, and holds that against later applies. Errors wrap ErrPlan or
// ErrRefused.
func (e *Engine) Shift(ctx context.Context, q ShiftRequest) ([]Shifted, error) {
	namespace := e.namespace()
	routes, err := e.shiftable(ctx, q.Service, q.GitOps)
	if err != nil {
		return nil, err
	}
	rule, err := e.subsets(ctx, namespace, q.Service)
	if err != nil {
		return nil, err
	}
	if err := checkWeights(q.Weights, rule); err != nil {
		return nil, err
	}
	if !q.Force {
		if err := e.checkPods(ctx, namespace, q.Service, q.Weights, rule); err != nil {
			return nil, err
		}
	}
	within := ctx
	if !q.DryRun {
		held, release, err := e.lease(ctx, namespace, q.Service)
		if err != nil {
			return nil, err
		}
		defer release()
		within = held
		if err := e.subsetsKnown(within, namespace, q, routes); err != nil {
			return nil, err
		}
	}
	var all []Shifted
	for _, vs := range routes {
		s := Shifted{Object: cluster.IDOf(vs), Before: shift.Current(vs, q.Service, namespace)}
		if s.After, err = shift.Move(shift.Strip(vs), q.Service, namespace, q.Weights); err != nil {
			return all, fmt.Errorf("%w: VirtualService %s: %w", ErrPlan, vs.GetName(), err)
		}
		if !q.DryRun {
			w := writing{service: q.Service, namespace: namespace, force: q.ForceConflicts}
			if err := e.write(within, s.Object, w, Traffic{Weights: q.Weights}); err != nil {
				return all, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// EndShift gives every VirtualService the weights that files say, by its name,
// and lets go of the shift.
func (e *Engine) EndShift(ctx context.Context, service string, files map[string][]shift.Weight, o ShiftRequest) ([]Shifted, error) {
	namespace := e.namespace()
	routes, err := e.shiftable(ctx, service, true) // giving weights back is what such a tool would do
	if err != nil {
		return nil, err
	}
	routes = slices.DeleteFunc(routes, func(vs *unstructured.Unstructured) bool { return !cluster.Owns(vs, shift.Manager) })
	if len(routes) == 0 {
		return nil, fmt.Errorf("%w: no VirtualService of %s holds a shift", ErrRefused, service)
	}
	weights := map[string]int{}
	for _, vs := range routes {
		for _, w := range files[vs.GetName()] {
			weights[w.Subset] = max(weights[w.Subset], w.Weight)
		}
	}
	rule, err := e.subsets(ctx, namespace, service)
	if err != nil {
		return nil, err
	}
	if !o.Force {
		if err := e.checkPods(ctx, namespace, service, weights, rule); err != nil {
			return nil, err
		}
	}
	held, release, err := e.lease(ctx, namespace, service)
	if err != nil {
		return nil, err
	}
	defer release()
	var all []Shifted
	for _, vs := range routes {
		s := Shifted{Object: cluster.IDOf(vs), Before: shift.Current(vs, service, namespace), After: files[vs.GetName()]}
		if len(s.After) == 0 {
			return all, fmt.Errorf("%w: the files have no weights for VirtualService %s; say them: `meshstorm shift %s stable=100 canary=0 --end`", ErrPlan, vs.GetName(), service)
		}
		w := writing{service: service, namespace: namespace, force: o.ForceConflicts}
		if err := e.endShift(held, s.Object, w, s.After); err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

// shiftable gives the VirtualServices of a service that nobody else moves.
func (e *Engine) shiftable(ctx context.Context, service string, gitOps bool) ([]*unstructured.Unstructured, error) {
	_, st := e.parts(e.namespace(), service)
	s, _, err := st.load(ctx)
	if err != nil {
		return nil, err
	}
	if s != nil && !s.Phase.Ended() {
		return nil, fmt.Errorf("%w: a canary of %s is %s and moves its traffic; `meshstorm canary status %s` tells of it", ErrRefused, service, s.Phase, service)
	}
	routes, err := e.routes(ctx, e.namespace(), service)
	if err != nil {
		return nil, err
	}
	if len(routes) == 0 {
		return nil, fmt.Errorf("%w: no VirtualService in namespace %s routes to subsets of %s", ErrRefused, e.namespace(), service)
	}
	var refusals []error
	for _, vs := range routes {
		if tool, setting := shift.GitOps(vs); tool != "" && !gitOps {
			refusals = append(refusals, gitOpsError(vs, tool, setting))
		}
	}
	return routes, errors.Join(refusals...)
}

// subsets gives the labels of a service's subsets.
func (e *Engine) subsets(ctx context.Context, namespace, service string) (map[string]map[string]string, error) {
	rules, err := e.list(ctx, destinationRules, namespace)
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]string{}
	for _, rule := range rules {
		written, _, _ := unstructured.NestedString(rule.Object, "spec", "host")
		if !names(written, service, namespace) {
			continue
		}
		list, _, _ := unstructured.NestedSlice(rule.Object, "spec", "subsets")
		for _, item := range list {
			subset, _ := item.(map[string]any)
			name, _ := subset["name"].(string)
			all[name], _, _ = unstructured.NestedStringMap(subset, "labels")
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no DestinationRule in namespace %s has subsets of %s", ErrRefused, namespace, service)
	}
	return all, nil
}

func checkWeights(weights map[string]int, subsets map[string]map[string]string) error {
	total := 0
	var faults []error
	known := strings.Join(slices.Sorted(maps.Keys(subsets)), ", ")
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := subsets[name]; !ok {
			faults = append(faults, fmt.Errorf("%w: there is no subset %q; the DestinationRule has %s", ErrPlan, name, known))
		}
		if w := weights[name]; w < 0 || w > 100 {
			faults = append(faults, fmt.Errorf("%w: %s=%d: expected 0 to 100", ErrPlan, name, w))
		}
		total += weights[name]
	}
	if total != 100 {
		faults = append(faults, fmt.Errorf("%w: the weights add up to %d, not to 100", ErrPlan, total))
	}
	return errors.Join(faults...)
}

// checkPods refuses weights that would be answered with 503.
func (e *Engine) checkPods(ctx context.Context, namespace, service string, weights map[string]int, subsets map[string]map[string]string) error {
	object, err := e.get(ctx, services, namespace, service)
	if err != nil {
		return err
	}
	if object == nil {
		return fmt.Errorf("%w: there is no Service %s in namespace %s", ErrRefused, service, namespace)
	}
	selector, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector")
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if weights[name] == 0 {
			continue
		}
		all := maps.Clone(selector)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, subsets[name])
		pods, err := e.Client.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set(all).String()})
		if err != nil {
			return cluster.Explain(err)
		}
		if !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return podReady(&p) }) {
			faults = append(faults, fmt.Errorf("%w: the subset %s has no ready pod (%s), so its %d %% would be answered with 503; --force moves them all the same", ErrRefused, name, labels.Set(all), weights[name]))
		}
	}
	return errors.Join(faults...)
}

func podReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// subsetsKnown waits until the proxies have what gets weight.
func (e *Engine) subsetsKnown(ctx context.Context, namespace string, q ShiftRequest, routes []*unstructured.Unstructured) error {
	object, err := e.get(ctx, services, namespace, q.Service)
	if err != nil || object == nil {
		return err
	}
	x := proxies.Expectation{Namespace: namespace}
	for _, port := range ports(object) {
		for _, name := range slices.Sorted(maps.Keys(q.Weights)) {
			if q.Weights[name] > 0 {
				x.Clusters = append(x.Clusters, proxies.ClusterName(port, name, host(q.Service, namespace)))
			}
		}
	}
	if err := e.addProxies(ctx, &x, routes); err != nil {
		return err
	}
	return e.sync(ctx, x, nil)
}
