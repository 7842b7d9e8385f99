package route

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// action is how a route chooses its cluster.
type action struct {
	cluster string      // the cluster, where it is known beforehand
	header  *headerName // the header that names it

	weights []weight
	total   uint64
	random  *headerName // the header that replaces the random value

	unsupported string // why the cluster cannot be told
}

// weight is an entry of the weighted clusters.
type weight struct {
	cluster string
	header  *headerName
	upTo    uint64 // this entry's weight and those before it
}

func (b *builder) action(rt *routev3.Route) (action, error) {
	b.unknown = b.unknown[:0]
	var out action
	var err error
	switch a := rt.GetAction().(type) {
	case *routev3.Route_Route:
		out, err = b.forward(a.Route)
	case *routev3.Route_FilterAction:
		b.unsupported("Route.filter_action", "")
	case *routev3.Route_NonForwardingAction:
		b.unsupported("Route.non_forwarding_action", "")
	}
	out.unsupported = strings.Join(b.unknown, "; ")
	return out, err
}

func (b *builder) forward(a *routev3.RouteAction) (action, error) {
	switch c := a.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		return action{cluster: c.Cluster}, nil
	case *routev3.RouteAction_ClusterHeader:
		name := newHeaderName(c.ClusterHeader)
		return action{header: &name}, nil
	case *routev3.RouteAction_WeightedClusters:
		return b.weighted(a, c.WeightedClusters)
	case *routev3.RouteAction_ClusterSpecifierPlugin:
		b.unsupported("RouteAction.cluster_specifier_plugin", c.ClusterSpecifierPlugin)
		if !b.plugins[c.ClusterSpecifierPlugin] {
			return action{}, fmt.Errorf("cluster_specifier_plugin %q is not among the route configuration's cluster_specifier_plugins", c.ClusterSpecifierPlugin)
		}
		return action{}, nil
	case *routev3.RouteAction_InlineClusterSpecifierPlugin:
		b.unsupported("RouteAction.inline_cluster_specifier_plugin", extensionName(c.InlineClusterSpecifierPlugin.GetExtension()))
		return action{}, nil
	}
	return action{}, nil // refused by validate
}

// weighted sums the weights; WeightedCluster.total_weight is deprecated, and
// the sum holds instead.
func (b *builder) weighted(a *routev3.RouteAction, w *routev3.WeightedCluster) (action, error) {
	var out action
	var faults []error
	for i, c := range w.GetClusters() {
		if c.GetWeight() == nil {
			faults = append(faults, fmt.Errorf("weighted_clusters: clusters[%d] has no weight", i))
		}
		entry := weight{cluster: c.GetName()}
		if name := c.GetClusterHeader(); name != "" {
			header := newHeaderName(name)
			entry.header = &header
		}
		if (entry.cluster == "") == (entry.header == nil) {
			faults = append(faults, fmt.Errorf("weighted_clusters: clusters[%d] needs one of name and cluster_header, not both", i))
		}
		out.total += uint64(c.GetWeight().GetValue())
		entry.upTo = out.total
		out.weights = append(out.weights, entry)
	}
	if out.total == 0 || out.total > math.MaxUint32 {
		faults = append(faults, fmt.Errorf("weighted_clusters: the weights add up to %d, which is not between 1 and %d", out.total, uint32(math.MaxUint32)))
	}
	switch s := w.GetRandomValueSpecifier().(type) {
	case *routev3.WeightedCluster_HeaderName:
		if s.HeaderName != "" {
			name := newHeaderName(s.HeaderName)
			out.random = &name
		}
	case *routev3.WeightedCluster_UseHashPolicy:
		if s.UseHashPolicy.GetValue() && len(a.GetHashPolicy()) > 0 {
			b.unsupported("WeightedCluster.use_hash_policy", "")
		}
	}
	return out, errors.Join(faults...)
}

// directResponse checks RouteConfiguration.max_direct_response_body_size_bytes.
func (b *builder) directResponse(d *routev3.DirectResponseAction) error {
	n := max(len(d.GetBody().GetInlineBytes()), len(d.GetBody().GetInlineString()))
	if uint64(n) > uint64(b.maxBody) {
		return fmt.Errorf("direct_response: the body has %d bytes, %d are allowed (max_direct_response_body_size_bytes)", n, b.maxBody)
	}
	return nil
}

// choose gives the cluster, and the index of the weighted entry or -1.
func (a *action) choose(v *view) (string, int) {
	if len(a.weights) == 0 {
		return named(v, a.cluster, a.header), -1
	}
	draw := a.draw(v) % a.total
	for i := range a.weights {
		if draw < a.weights[i].upTo {
			return named(v, a.weights[i].cluster, a.weights[i].header), i
		}
	}
	return "", -1
}

// named reads the cluster from a header where there is one; only the first
// value counts (RouteAction.cluster_header).
func named(v *view, cluster string, header *headerName) string {
	if header != nil {
		cluster, _ = v.first(*header)
	}
	return cluster
}

// draw is the random value, or what the header gives that replaces it: one
// unsigned number (WeightedCluster.header_name).
func (a *action) draw(v *view) uint64 {
	if a.random == nil {
		return v.r.Random
	}
	text, n := v.first(*a.random)
	if n != 1 {
		return v.r.Random
	}
	given, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return v.r.Random
	}
	return given
}
