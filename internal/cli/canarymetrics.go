package cli

import (
	"context"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
)

// metricsSource is what tells how the tracks answer: Prometheus where an address
// is given, else the proxies' own counters.
func (a *app) metricsSource(ctx context.Context, c *cluster.Client, prometheus string) (metrics.Source, error) {
	if prometheus != "" {
		source, err := metrics.Prometheus(prometheus, a.Getenv(metrics.TokenVariable), nil)
		if err != nil {
			return nil, usage("--prometheus: %v", err)
		}
		return source, nil
	}
	gateways, err := metrics.GatewaySelectors(ctx, c)
	if err != nil {
		return nil, clusterError(err)
	}
	return metrics.Proxies(c, gateways), nil
}
