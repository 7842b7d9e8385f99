package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster/proxies"
)

const (
	// syncTimeout is how long proxies have to take new configuration.
	syncTimeout = 10 * time.Second
	// blindWait stands for asking istiod where there is no right to.
	blindWait = 3 * time.Second
	// settle is how long the endpoints of pods that have just become ready may
	// need to istiod, before it can be asked whether proxies acknowledged them.
	settle = time.Second
)

func (l *live) known(ctx context.Context, s *State) error {
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	e, err := l.expectation(ctx, s)
	if err != nil {
		return err
	}
	for _, port := range e.ports {
		for _, subset := range []string{s.Stable, s.Canary} {
			e.Clusters = append(e.Clusters, proxies.ClusterName(port, subset, host(s.Plan.Service, s.Plan.Namespace)))
		}
	}
	return l.sync(ctx, e.Expectation)
}

func (l *live) left(ctx context.Context, s *State, subset string) error {
	e, err := l.expectation(ctx, s)
	if err != nil {
		return err
	}
	for _, port := range e.ports {
		e.Weights = append(e.Weights, proxies.Weight{Cluster: proxies.ClusterName(port, subset, host(s.Plan.Service, s.Plan.Namespace))})
	}
	return l.sync(ctx, e.Expectation)
}

type expectation struct {
	proxies.Expectation
	ports []int
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
	routes, err := l.routes(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return e, err
	}
	return e, l.addProxies(ctx, &e.Expectation, routes)
}

func (e *Engine) addProxies(ctx context.Context, x *proxies.Expectation, routes []*unstructured.Unstructured) error {
	for _, vs := range routes {
		gateways, sidecars, err := e.Client.GatewaySelectors(ctx, vs)
		if err != nil {
			return err
		}
		x.Gateways = append(x.Gateways, gateways...)
		if sidecars && len(x.Sidecars) == 0 {
			x.Sidecars = []string{x.Namespace}
		}
	}
	return nil
}

// sync waits for the proxies.
func (e *Engine) sync(ctx context.Context, x proxies.Expectation) error {
	if e.Sync != nil {
		return e.Sync(ctx, x)
	}
	mesh, err := proxies.Open(ctx, e.Client)
	if errors.Is(err, proxies.ErrForbidden) {
		e.warn("%v: waiting %s for the proxies instead of asking", err, blindWait)
		return sleep(ctx, blindWait)
	}
	if err != nil {
		return err
	}
	defer mesh.Close()
	within, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	report, err := mesh.Wait(within, x)
	if err != nil && len(report.Missing) > 0 && ctx.Err() == nil {
		return fmt.Errorf("%w: %s; no traffic was moved", err, report.Missing[0])
	}
	return err
}
