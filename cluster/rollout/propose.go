package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/shift"
)

// Proposal is a plan that was checked against the cluster.
type Proposal struct {
	State    *State   `json:"state"`
	Does     []string `json:"does"` // what would happen, a sentence each
	Warnings []string `json:"warnings,omitempty"`
}

// Consent is what a person has been told and wants all the same.
type Consent struct {
	// Events are those that the service consumes. Its canary consumes them too,
	// at weight 0 as well, unless AcceptEvents says so or the plan's CanaryEnv
	// keeps it from that.
	Events       []string
	AcceptEvents bool
	// GitOps says that the tool that would set the rules back is paused.
	GitOps bool
}

// Propose checks a plan against the cluster and says what it would do; it
// changes nothing. Errors wrap ErrPlan or ErrRefused, and name all reasons.
func (e *Engine) Propose(ctx context.Context, p Plan, c Consent) (*Proposal, error) {
	if err := p.Complete(); err != nil {
		return nil, err
	}
	_, st := e.parts(p.Namespace, p.Service)
	if old, _, err := st.load(ctx); err != nil {
		return nil, err
	} else if old != nil && !old.Phase.Ended() {
		return nil, running(old)
	}
	s := &State{Plan: p, Phase: Preparing, Before: map[string][]shift.Weight{}}
	proposal := &Proposal{State: s}
	stable, err := e.deployment(ctx, p.Namespace, p.Service)
	if err != nil {
		return nil, err
	}
	s.Replicas = replicas(stable)
	service, err := e.get(ctx, services, p.Namespace, p.Service)
	if err != nil {
		return nil, err
	}
	if service == nil {
		return nil, fmt.Errorf("%w: there is no Service %s in namespace %s", ErrRefused, p.Service, p.Namespace)
	}
	backends, err := e.backends(ctx, p.Namespace, p.Service, podLabels(stable))
	if err != nil {
		return nil, err
	}
	if s.Workspace, err = e.Client.WorkspaceOf(ctx, p.Namespace, deploymentID(p.Namespace, p.Service)); err != nil {
		return nil, err
	}
	s.Stable, s.Canary = backends.stable, backends.canary
	if s.Canary == "" {
		s.Canary, s.MadeSubset = canaryTrack, backends.rule.GetName()
		proposal.does("add the subset %q to the DestinationRule %s", s.Canary, s.MadeSubset)
	}
	var refusals []error
	refusals = append(refusals, e.checkWorkload(ctx, s, stable)...)
	more, err := e.checkRoutes(ctx, proposal, c)
	if err != nil {
		return nil, err
	}
	refusals = append(refusals, more...)
	if len(c.Events) > 0 && !c.AcceptEvents && len(p.CanaryEnv) == 0 {
		refusals = append(refusals, fmt.Errorf("%w: %s consumes events (%s): as soon as the canary is ready it joins the consumer group and handles its partitions, at weight 0 as well; "+
			"--accept-events takes that, --canary-env NAME=VALUE (or canary.env in the settings) sets a variable that keeps the application from it", ErrRefused, p.Service, strings.Join(c.Events, ", ")))
	}
	if len(refusals) > 0 {
		return nil, errors.Join(refusals...)
	}
	proposal.warn(s, backends, c)
	proposal.steps()
	return proposal, nil
}

func (p *Proposal) does(format string, args ...any) {
	p.Does = append(p.Does, fmt.Sprintf(format, args...))
}

// checkWorkload says what is wrong with the stable Deployment for a canary.
func (e *Engine) checkWorkload(ctx context.Context, s *State, stable *unstructured.Unstructured) []error {
	var refusals []error
	refuse := func(format string, args ...any) {
		refusals = append(refusals, fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...)))
	}
	p := &s.Plan
	selector, _, _ := unstructured.NestedStringMap(stable.Object, "spec", "selector", "matchLabels")
	if selector[trackLabel] != stableTrack || podLabels(stable)[trackLabel] != stableTrack {
		refuse("the selector of Deployment %s has no track: stable, so that it would take the canary's pods for its own; `meshstorm apply --replace %s` makes it anew with one", p.Service, p.Service)
	}
	if s.Replicas == 0 {
		refuse("Deployment %s has no pods; scale it up first", p.Service)
	}
	canary, err := e.get(ctx, deployments, p.Namespace, p.Deployment())
	switch {
	case err != nil:
		refusals = append(refusals, err)
	case canary != nil:
		refuse("there is a Deployment %s already; remove it, or take it out of the workspace's files, since a canary makes its own", p.Deployment())
	}
	containers, _, _ := unstructured.NestedSlice(stable.Object, "spec", "template", "spec", "containers")
	var all []string
	for _, item := range containers {
		container, _ := item.(map[string]any)
		name, _ := container["name"].(string)
		all = append(all, name)
	}
	switch {
	case p.Container != "" && !slices.Contains(all, p.Container):
		refuse("the pods have no container %q; they have %s", p.Container, strings.Join(all, ", "))
	case p.Container != "":
	case slices.Contains(all, p.Service):
		p.Container = p.Service
	case len(all) == 1:
		p.Container = all[0]
	default:
		refuse("the pods have the containers %s; name the one to change with --container", strings.Join(all, ", "))
	}
	return refusals
}

// checkRoutes looks at all VirtualServices of the service.
func (e *Engine) checkRoutes(ctx context.Context, proposal *Proposal, c Consent) ([]error, error) {
	s := proposal.State
	p := &s.Plan
	routes, err := e.routes(ctx, p.Namespace, p.Service)
	if err != nil {
		return nil, err
	}
	var refusals []error
	for _, vs := range routes {
		refusals = append(refusals, e.checkRoute(vs, s, c)...)
		s.Before[vs.GetName()] = shift.Current(vs, p.Service, p.Namespace)
	}
	if !meshRoute(routes, p.Service, p.Namespace) {
		id := cluster.ID{Group: virtualServices.Group, Kind: virtualServices.Kind, Namespace: p.Namespace, Name: "vsvc-" + p.Service + "-mesh"}
		if other, err := e.get(ctx, virtualServices, p.Namespace, id.Name); err != nil {
			return nil, err
		} else if other != nil {
			refusals = append(refusals, fmt.Errorf("%w: VirtualService %s does not route to %s inside the mesh; mend or remove it", ErrRefused, id.Name, p.Service))
		}
		s.Made = append(s.Made, id)
		proposal.does("make the VirtualService %s, so that callers inside the mesh get the same split", id.Name)
	}
	return refusals, nil
}

func (e *Engine) checkRoute(vs *unstructured.Unstructured, s *State, c Consent) []error {
	var refusals []error
	p := &s.Plan
	if tool, setting := shift.GitOps(vs); tool != "" && !c.GitOps {
		refusals = append(refusals, gitOpsError(vs, tool, setting))
	}
	state, err := shift.Read(vs)
	switch {
	case err != nil:
		refusals = append(refusals, fmt.Errorf("VirtualService %s: %w", vs.GetName(), err))
	case state != nil:
		refusals = append(refusals, fmt.Errorf("%w: VirtualService %s holds a shift since %s; `meshstorm shift %s --end` ends it", ErrRefused, vs.GetName(), clock(state.Since), p.Service))
	}
	for _, w := range shift.Current(vs, p.Service, p.Namespace) {
		if w.Subset == s.Canary && w.Weight > 0 && state == nil {
			refusals = append(refusals, fmt.Errorf("%w: rule %q of VirtualService %s sends %d %% to the subset %s already", ErrRefused, w.Rule, vs.GetName(), w.Weight, w.Subset))
		}
	}
	return refusals
}

// gitOpsError refuses to move weights that a tool would set back.
func gitOpsError(vs *unstructured.Unstructured, tool, setting string) error {
	return fmt.Errorf("%w: %s applies spec.http of VirtualService %s and would set the weights back at its next sync; give it this setting, or pause it and say --i-paused-gitops:\n%s", ErrRefused, tool, vs.GetName(), setting)
}

// warn tells where weights cannot do what is asked.
func (p *Proposal) warn(s *State, b *backends, c Consent) {
	warn := func(format string, args ...any) { p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...)) }
	if len(c.Events) > 0 && c.AcceptEvents {
		warn("%s consumes events (%s): the canary handles its partitions of them whatever its weight", s.Plan.Service, strings.Join(c.Events, ", "))
	}
	if hashed(b.rule) {
		warn("DestinationRule %s has session affinity (consistentHash), which works within a subset only: a client can change sides when weights change; --sticky keeps it", b.rule.GetName())
	}
	if s.Replicas == 1 {
		warn("%s has one replica: the canary has one as well, and bears whatever its share is", s.Plan.Service)
	}
	if m := s.Plan.Mirror; m != nil && m.Unsafe {
		warn("mirrored commands are executed and published twice")
	}
}

// hashed reports session affinity, of the whole service or of a subset.
func hashed(rule *unstructured.Unstructured) bool {
	policies := []map[string]any{}
	if spec, ok, _ := unstructured.NestedMap(rule.Object, "spec"); ok {
		policies = append(policies, spec)
	}
	subsets, _, _ := unstructured.NestedSlice(rule.Object, "spec", "subsets")
	for _, item := range subsets {
		if subset, ok := item.(map[string]any); ok {
			policies = append(policies, subset)
		}
	}
	return slices.ContainsFunc(policies, func(m map[string]any) bool {
		_, ok, _ := unstructured.NestedMap(m, "trafficPolicy", "loadBalancer", "consistentHash")
		return ok
	})
}

// steps says what the plan does.
func (p *Proposal) steps() {
	s := p.State
	plan := &s.Plan
	p.does("make the Deployment %s with %s and %s of %s, and wait until they are ready and the proxies know them", plan.Deployment(), plan.Image, pods(plan.size(plan.Steps[0], s.Replicas)), plan.Service+"'s "+fmt.Sprint(s.Replicas))
	if t := plan.Testers; t != nil {
		p.does("send requests with the header %s: %s to the canary", t.Header, t.Value)
	}
	if m := plan.Mirror; m != nil {
		what := "GET and HEAD requests"
		if m.Unsafe {
			what = "requests"
		}
		p.does("mirror %d %% of the %s to the canary", m.Percent, what)
	}
	if plan.Sticky != "" {
		p.does("keep each client on its side with the cookie %s", plan.Sticky)
	}
	bounds := fmt.Sprintf("at most %s errors", percentText(plan.Bounds.MaxErrorRate))
	if plan.Bounds.MaxP95.Duration > 0 {
		bounds += fmt.Sprintf(", p95 at most %s", plan.Bounds.MaxP95.Duration)
	}
	for _, step := range plan.Steps {
		switch every := plan.Every.Duration; {
		case step == 0:
			p.does("show the new version to testers only, then wait for `meshstorm canary resume %s`", plan.Service)
		case every == 0:
			p.does("send %d %% to the canary, then wait for `meshstorm canary resume %s`", step, plan.Service)
		default:
			p.does("send %d %% to the canary for %s: %s, judged by at least %d requests", step, every, bounds, plan.Bounds.MinRequests)
		}
	}
	if plan.promotes() {
		p.does("make %s the new version, give it the traffic back, and remove the canary after %s", plan.Service, plan.Drain.Duration)
	} else {
		p.does("wait for `meshstorm canary promote %s`", plan.Service)
	}
}

func pods(n int32) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}
