package check

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/manifest"
)

// Contest is a finding about a VirtualService of the files and a live one that
// take the same requests at a gateway.
type Contest struct {
	Finding        // about the one of the files
	Live    Object // the other one
	Created string // when the live one was made, as RFC 3339
}

// AgainstLive looks for live routes that take requests of the files' own: at the
// same port of the same gateway's pods, for the same host, and doing something
// else with them. Istio decides between them by their age (MS0504). live are
// documents of objects that the files do not have.
func AgainstLive(ctx context.Context, in *Input, live []*manifest.Document) []Contest {
	isLive := map[*manifest.Document]bool{}
	for _, d := range live {
		isLive[d] = true
	}
	// Live ones first: a finding is about the later of two.
	h := newHosts(&Input{Documents: slices.Concat(live, in.Documents), Namespace: in.Namespace})
	for _, port := range h.mesh.gatewayPorts() {
		for _, host := range port.sorted() {
			if ctx.Err() != nil {
				return nil
			}
			h.order(host)
		}
	}
	var all []Contest
	for i, pair := range h.contests {
		if isLive[pair[0].Document] && !isLive[pair[1].Document] {
			all = append(all, Contest{Finding: h.found[i], Live: pair[0].ID(), Created: pair[0].created()})
		}
	}
	slices.SortFunc(all, func(a, b Contest) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return all
}
