package routes

import (
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// silentCluster are fields that name a cluster or find its endpoints.
var silentCluster = set("name alt_stat_name metadata eds_cluster_config")

// PolicyOf tells how a cluster treats connections: load balancing, outlier
// detection, limits, TLS; and the addresses of one that istiod gives addresses
// for. known keeps what was told before, by the cluster as written.
func PolicyOf(c *clusterv3.Cluster, known map[string][]string) []string {
	m := without(c, silentCluster)
	key := raw(m)
	if lines, ok := known[key]; ok {
		return lines
	}
	lines := []string{}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		var b strings.Builder
		writeField(&b, f, v)
		lines = append(lines, string(f.Name())+": "+b.String())
		return true
	})
	slices.Sort(lines)
	known[key] = lines
	return lines
}
