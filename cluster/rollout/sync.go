package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/proxies"
)

const (
	// syncTries and syncTry are how often and how long proxies are waited for
	// before nothing is done: 40 seconds in all. An apply gives up sooner, for a
	// person waits for it; a rollout that ends in its middle leaves two versions
	// behind.
	syncTries = 12
	syncTry   = 3300 * time.Millisecond
	// blindWait stands for asking istiod where there is no right to.
	blindWait = 3 * time.Second
	// settle is how long istiod has to send what was just written or has just
	// become ready, before it is asked. Asking sooner can do harm: to show what a
	// proxy is given istiod computes it, and while a change is on its way it can
	// keep the old routes in its cache as if they were new (pilot/pkg/xds/debug.go
	// gives the computation the present time, ads.go says why it must not).
	settle = time.Second
)

// nudgeAnnotation makes istiod forget what it has cached of an object and send
// it again: any change of an annotation with "istio.io" in its name does
// (pilot/pkg/model/config_compare.go).
const (
	nudgeAnnotation = "meshstorm.io/nudge.istio.io"
	nudgeManager    = "meshstorm-nudge"
)

func (l *live) known(ctx context.Context, s *State) error {
	e, err := l.expectation(ctx, s)
	if err != nil {
		return err
	}
	for _, port := range e.ports {
		for _, subset := range []string{s.Stable, s.Canary} {
			e.Clusters = append(e.Clusters, proxies.ClusterName(port, subset, host(s.Plan.Service, s.Plan.Namespace)))
		}
	}
	rules, err := l.list(ctx, destinationRules, s.Plan.Namespace)
	if err != nil {
		return err
	}
	rules = slices.DeleteFunc(rules, func(rule *unstructured.Unstructured) bool {
		written, _, _ := unstructured.NestedString(rule.Object, "spec", "host")
		return !names(written, s.Plan.Service, s.Plan.Namespace)
	})
	return l.sync(ctx, e.Expectation, rules)
}

func (l *live) left(ctx context.Context, s *State, subset string) error {
	e, err := l.expectation(ctx, s)
	if err != nil {
		return err
	}
	for _, port := range e.ports {
		e.Weights = append(e.Weights, proxies.Weight{Cluster: proxies.ClusterName(port, subset, host(s.Plan.Service, s.Plan.Namespace))})
	}
	return l.sync(ctx, e.Expectation, e.routes)
}

type expectation struct {
	proxies.Expectation
	ports  []int
	routes []*unstructured.Unstructured
}

// expectation says which proxies matter to the service.
func (l *live) expectation(ctx context.Context, s *State) (expectation, error) {
	e := expectation{Expectation: proxies.Expectation{Namespace: s.Plan.Namespace}}
	service, err := l.get(ctx, services, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return e, err
	}
	if service == nil {
		return e, fmt.Errorf("%w: Service %s is gone", ErrRefused, s.Plan.Service)
	}
	e.ports = ports(service)
	if e.routes, err = l.routes(ctx, s.Plan.Namespace, s.Plan.Service); err != nil {
		return e, err
	}
	return e, l.addProxies(ctx, &e.Expectation, e.routes)
}

func (e *Engine) addProxies(ctx context.Context, x *proxies.Expectation, routes []*unstructured.Unstructured) error {
	for _, vs := range routes {
		gateways, sidecars, err := e.Client.GatewaySelectors(ctx, vs)
		if err != nil {
			return err
		}
		x.Gateways = append(x.Gateways, gateways...)
		if sidecars && len(x.Sidecars) == 0 {
			x.Sidecars = []string{"*"} // who calls the service may be anywhere
		}
	}
	return nil
}

// sync waits for the proxies. Where they lag, istiod is made to send the objects
// in question again.
func (e *Engine) sync(ctx context.Context, x proxies.Expectation, about []*unstructured.Unstructured) error {
	if e.Sync != nil {
		return e.Sync(ctx, x)
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	mesh, err := proxies.Open(ctx, e.Client)
	if proxies.Unseen(err) {
		return e.waitBlindly(ctx, err)
	}
	if err != nil {
		return err
	}
	defer mesh.Close()
	for try := 1; ; try++ {
		report, err := wait(ctx, mesh, x)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case proxies.Unseen(err):
			return e.waitBlindly(ctx, err)
		case !errors.Is(err, proxies.ErrTimeout) || len(report.Missing) == 0:
			return err
		case try == syncTries:
			return fmt.Errorf("%w: %s; nothing was moved; is istiod well?", err, report.Missing[0])
		}
		if try == 3 {
			e.warn("still waiting for the proxies: %s", report.Missing[0])
		}
		if err := e.nudge(ctx, about); err != nil {
			return err
		}
	}
}

func (e *Engine) waitBlindly(ctx context.Context, why error) error {
	e.warn("%v: waiting %s for the proxies instead of asking", why, blindWait)
	return sleep(ctx, blindWait)
}

func wait(ctx context.Context, mesh *proxies.Mesh, x proxies.Expectation) (proxies.Report, error) {
	within, cancel := context.WithTimeout(ctx, syncTry)
	defer cancel()
	return mesh.Wait(within, x)
}

// nudge leaves no trace on the objects.
func (e *Engine) nudge(ctx context.Context, about []*unstructured.Unstructured) error {
	for _, o := range about {
		set := bare(o)
		set.SetAnnotations(map[string]string{nudgeAnnotation: "now"})
		for _, part := range []*unstructured.Unstructured{set, bare(o)} {
			if _, err := e.Client.ApplyObject(ctx, part, cluster.ApplyObjectOptions{Manager: nudgeManager, Force: true}); err != nil {
				return err
			}
		}
	}
	return sleep(ctx, settle/2)
}
