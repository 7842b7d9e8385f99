package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
)

// BenchmarkMeshRules runs the rules about subsets, weights, lookup, timeouts,
// retries and faults over 1,000 services with routes, subsets and a canary each.
func BenchmarkMeshRules(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		name := fmt.Sprintf("service-%d", i)
		fmt.Fprintf(&text, "apiVersion: v1\nkind: Service\nmetadata: {name: %[1]s}\nspec: {selector: {app: %[1]s}, ports: [{name: http, port: 80}]}\n---\n", name)
		fmt.Fprintf(&text, "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: %[1]s}\nspec:\n  host: %[1]s\n  subsets: [{name: stable, labels: {track: stable}}, {name: canary, labels: {track: canary}}]\n---\n", name)
		text.WriteString(httpRoute(name, "  - match: [{uri: {prefix: /a/}, method: {exact: POST}}]\n    retries: {attempts: 0}\n    route: [{destination: {host: "+name+", subset: stable}}]\n"+halves(name)))
		text.WriteString(pods(name, name, "stable", "") + pods(name+"-canary", name, "canary", ""))
	}
	in := input(b, "a.yml", text.String())
	in.Intent = shop()
	in.Mesh()
	rules := []check.Rule{check.Subsets(), check.Weights(), check.EventWeights(), check.Bypass(), check.Sticky(), check.PortPolicies(),
		check.Lookup(), check.Timeouts(), check.Retries(), check.Faults()}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if n := len(check.Run(b.Context(), in, rules).Findings); n > 0 {
			b.Fatalf("%d findings", n)
		}
	}
}
