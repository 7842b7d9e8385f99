package check

import (
	"context"
	"fmt"

	networking "istio.io/api/networking/v1alpha3"
)

// CodeSticky is the code of stickiness that a split undoes.
const CodeSticky = "MS0612"

// Sticky looks for splits between subsets that are load balanced by a hash: the
// subset is drawn anew for every request, and the hash chooses only among the
// pods of the one that was drawn (istio/istio#33343).
func Sticky() Rule {
	return Rule{
		Codes: []string{CodeSticky},
		Name:  "sticky-weights",
		Doc:   "Requests of one user stick to a pod, but a split draws the subset anew for each of them.",
		Rows: []Row{
			{Code: CodeSticky, Severity: "info",
				Means: "`consistentHash` keeps a user at one pod of a subset, but weights choose the subset anew for every request",
				Todo:  "route by a header or cookie instead of by weight where users must stay in one version"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			m := in.Mesh()
			hashed := map[subsetName]bool{}
			for _, d := range m.DestinationRules {
				whole := hashes(d.Spec.GetTrafficPolicy())
				hashed[subsetName{d.Host, ""}] = whole
				for _, sub := range d.Spec.GetSubsets() {
					own := sub.GetTrafficPolicy()
					hashed[subsetName{d.Host, sub.GetName()}] = hashes(own) || whole && own.GetLoadBalancer() == nil
				}
			}
			var found []Finding
			for _, s := range m.splits() {
				sharing := s.sharing()
				if len(sharing) < 2 || s.http == nil {
					continue
				}
				for _, t := range sharing {
					if !hashed[subsetName{t.host, t.subset}] {
						continue
					}
					f := s.vs.Finding(CodeSticky, Info, s.field+".route",
						fmt.Sprintf("rule %s draws one of %d destinations for every request; the consistentHash of %s only chooses among the pods of the one that was drawn, so users change between versions",
							s.name, len(sharing), t))
					f.Fix = "where users must stay in one version, let a rule before this one match a header or cookie; else this is as it should be"
					found = append(found, f)
					break
				}
			}
			return found
		},
	}
}

func hashes(p *networking.TrafficPolicy) bool {
	return p.GetLoadBalancer().GetConsistentHash() != nil
}
