package check

import (
	"context"
	"fmt"

	networking "istio.io/api/networking/v1alpha3"
)

// CodePortPolicy is the code of port settings that lose the rule's others.
const CodePortPolicy = "MS0613"

// PortPolicies looks for settings of single ports that silently drop those of
// the whole host: a port's settings stand in their place as a whole
// (MergeTrafficPolicy in pilot/pkg/model), unlike a subset's, which stand in
// the place of the same block only (istio/istio#34508).
func PortPolicies() Rule {
	return Rule{
		Codes: []string{CodePortPolicy},
		Name:  "port-policies",
		Doc:   "The settings of a port drop the settings of the whole host for that port.",
		Rows: []Row{
			{Code: CodePortPolicy, Severity: "warning",
				Means: "the settings of one port (`portLevelSettings`) leave out what the DestinationRule says for all ports: there the port falls back to defaults",
				Todo:  "repeat those blocks for the port"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, d := range in.Mesh().DestinationRules {
				top := d.Spec.GetTrafficPolicy()
				found = append(found, portPolicies(d, "spec.trafficPolicy", top, "the DestinationRule", blocksOf(top))...)
				for i, sub := range d.Spec.GetSubsets() {
					own := sub.GetTrafficPolicy()
					above := blocksOf(top)
					for k, set := range blocksOf(own) {
						above[k] = above[k] || set
					}
					found = append(found, portPolicies(d, fmt.Sprintf("spec.subsets[%d].trafficPolicy", i), own, "subset "+sub.GetName(), above)...)
				}
			}
			return found
		},
	}
}

// policyBlocks are the parts of a policy that a port's settings replace, in the
// order in which messages name them.
var policyBlocks = []string{"tls", "outlierDetection", "connectionPool", "loadBalancer"}

type policy interface {
	GetTls() *networking.ClientTLSSettings
	GetOutlierDetection() *networking.OutlierDetection
	GetConnectionPool() *networking.ConnectionPoolSettings
	GetLoadBalancer() *networking.LoadBalancerSettings
}

func blocksOf(p policy) map[string]bool {
	return map[string]bool{
		"tls": p.GetTls() != nil, "outlierDetection": p.GetOutlierDetection() != nil,
		"connectionPool": p.GetConnectionPool() != nil, "loadBalancer": p.GetLoadBalancer() != nil,
	}
}

func portPolicies(d *DestinationRule, field string, p *networking.TrafficPolicy, whose string, above map[string]bool) []Finding {
	var found []Finding
	for i, port := range p.GetPortLevelSettings() {
		own := blocksOf(port)
		var lost []string
		for _, block := range policyBlocks {
			if above[block] && !own[block] {
				lost = append(lost, block)
			}
		}
		if len(lost) == 0 {
			continue
		}
		message := fmt.Sprintf("the settings of port %d replace all others of %s for that port: %s does not hold there, and Istio's default does",
			port.GetPort().GetNumber(), whose, listed(lost))
		if len(lost) > 1 {
			message = fmt.Sprintf("the settings of port %d replace all others of %s for that port: %s do not hold there, and Istio's defaults do",
				port.GetPort().GetNumber(), whose, listed(lost))
		}
		if lost[0] == "tls" {
			message += "; where the TLS mode matters, its requests get 503"
		}
		f := d.Finding(CodePortPolicy, Warning, fmt.Sprintf("%s.portLevelSettings[%d]", field, i), message)
		f.Fix = "repeat " + listed(lost) + " in the settings of the port"
		found = append(found, f)
	}
	return found
}
