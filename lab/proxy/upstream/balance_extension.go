package upstream

import (
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	providedv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/cluster_provided/v3"
	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/common/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	maglevv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/maglev/v3"
	randomv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/random/v3"
	ringv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	roundv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// extend takes the first policy of load_balancing_policy that is known, as Envoy
// does; lb_policy then counts for nothing.
func (p *policy) extend(lb *clusterv3.LoadBalancingPolicy) {
	var names []string
	for _, candidate := range lb.GetPolicies() {
		extension := candidate.GetTypedExtensionConfig()
		m, err := extension.GetTypedConfig().UnmarshalNew()
		if err == nil && p.extendWith(m) {
			return
		}
		names = append(names, extension.GetName())
	}
	p.kind, p.unsupported = clusterv3.Cluster_ROUND_ROBIN, strings.Join(names, ", ")
}

func (p *policy) extendWith(m any) bool {
	switch m := m.(type) {
	case *roundv3.RoundRobin:
		p.kind = clusterv3.Cluster_ROUND_ROBIN
		p.slowStart = extensionSlowStart(m.GetSlowStartConfig())
		p.byLocality(m.GetLocalityLbConfig())
	case *leastv3.LeastRequest:
		p.kind = clusterv3.Cluster_LEAST_REQUEST
		p.choices = int(orDefault(m.GetChoiceCount(), defaultChoices))
		p.activeBias = runtimeDouble(m.GetActiveRequestBias(), 1)
		p.scanAll = m.GetSelectionMethod() == leastv3.LeastRequest_FULL_SCAN
		p.slowStart = extensionSlowStart(m.GetSlowStartConfig())
		p.byLocality(m.GetLocalityLbConfig())
	case *randomv3.Random:
		p.kind = clusterv3.Cluster_RANDOM
		p.byLocality(m.GetLocalityLbConfig())
	case *ringv3.RingHash:
		p.kind = clusterv3.Cluster_RING_HASH
		p.ring(m.GetMinimumRingSize(), m.GetMaximumRingSize())
		p.murmur = m.GetHashFunction() == ringv3.RingHash_MURMUR_HASH_2
		p.useHostname = m.GetUseHostnameForHashing() || m.GetConsistentHashingLbConfig().GetUseHostnameForHashing()
		p.localityWeighted = m.GetLocalityWeightedLbConfig() != nil
	case *maglevv3.Maglev:
		p.kind = clusterv3.Cluster_MAGLEV
		if m.GetTableSize() != nil {
			p.tableSize = m.GetTableSize().GetValue()
		}
		p.useHostname = m.GetConsistentHashingLbConfig().GetUseHostnameForHashing()
		p.localityWeighted = m.GetLocalityWeightedLbConfig() != nil
	case *providedv3.ClusterProvided:
		p.kind = clusterv3.Cluster_CLUSTER_PROVIDED
	default:
		return false
	}
	return true
}

func (p *policy) byLocality(c *commonv3.LocalityLbConfig) {
	p.localityWeighted = c.GetLocalityWeightedLbConfig() != nil
}

// slowStartConfig is what the messages of clusters and of extensions share.
type slowStartConfig interface {
	GetSlowStartWindow() *durationpb.Duration
	GetAggression() *corev3.RuntimeDouble
	GetMinWeightPercent() *typev3.Percent
}

func extensionSlowStart(c *commonv3.SlowStartConfig) *slowStart {
	if c == nil {
		return nil
	}
	return newSlowStart(c)
}

func runtimeDouble(v *corev3.RuntimeDouble, otherwise float64) float64 {
	if v == nil {
		return otherwise
	}
	return v.GetDefaultValue()
}
