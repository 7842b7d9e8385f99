package routes

import (
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshstorm/meshstorm/route"
)

// forward tells what a route does that sends requests on.
func (s *side) forward(t Treatment, r *route.Route, a *routev3.RouteAction) {
	s.destinations(t, a)
	rewrites(t, r.Proto.GetMatch(), a)
	timeouts(t, a)
	host, config := r.Host.Proto, s.Config.Proto()
	switch {
	case a.GetRetryPolicy() != nil:
		retries(t, a.GetRetryPolicy())
	case a.GetRetryPolicyTypedConfig() != nil:
		t.add(Retries, "", "%s", text(a.GetRetryPolicyTypedConfig()))
	case host.GetRetryPolicy() != nil:
		retries(t, host.GetRetryPolicy())
	case host.GetRetryPolicyTypedConfig() != nil:
		t.add(Retries, "", "%s", text(host.GetRetryPolicyTypedConfig()))
	}
	mirrors := a.GetRequestMirrorPolicies()
	if len(mirrors) == 0 {
		mirrors = host.GetRequestMirrorPolicies()
	}
	if len(mirrors) == 0 {
		mirrors = config.GetRequestMirrorPolicies()
	}
	for _, m := range mirrors {
		s.mirror(t, m)
	}
	for _, h := range a.GetHashPolicy() {
		t.add(Hash, "", "%s", text(h))
	}
	if a.GetClusterSpecifierPlugin() != "" {
		for _, p := range config.GetClusterSpecifierPlugins() {
			if p.GetExtension().GetName() == a.GetClusterSpecifierPlugin() {
				t.add(Destination, "", "%s", text(p))
			}
		}
	}
	rest(t, "", a, toldAction)
}

// retries tells a retry policy; Envoy retries once where it does not say how
// often (RetryPolicy.num_retries).
func retries(t Treatment, p *routev3.RetryPolicy) {
	n := uint32(1)
	if p.GetNumRetries() != nil {
		n = p.GetNumRetries().GetValue()
	}
	if n == 0 || p.GetRetryOn() == "" && len(p.GetRetriableHeaders()) == 0 && len(p.GetRetriableRequestHeaders()) == 0 {
		return
	}
	t.add(Retries, "", "%d on %s", n, p.GetRetryOn())
	if p.GetPerTryTimeout() != nil {
		t.add(Retries, "", "each try within %s", p.GetPerTryTimeout().AsDuration())
	}
	told := "num_retries retry_on per_try_timeout"
	// What Istio adds to every policy of its own.
	if hosts := p.GetRetryHostPredicate(); len(hosts) == 1 && hosts[0].GetName() == "envoy.retry_host_predicates.previous_hosts" {
		t.add(Retries, "", "on another host (%d attempts to choose one)", max(p.GetHostSelectionRetryMaxAttempts(), 1))
		told += " retry_host_predicate host_selection_retry_max_attempts"
	}
	more := without(p, set(told))
	if what := text(more); what != "{}" {
		t.add(Retries, "", "%s", what)
	}
}

func (s *side) destinations(t Treatment, a *routev3.RouteAction) {
	switch c := a.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		t.add(Destination, c.Cluster, "%s", s.cluster(c.Cluster).Name)
		s.behind(t, c.Cluster)
	case *routev3.RouteAction_ClusterHeader:
		t.add(Destination, "", "the cluster that header %s names", strings.ToLower(c.ClusterHeader))
	case *routev3.RouteAction_WeightedClusters:
		s.weighted(t, c.WeightedClusters)
	}
}

// weighted tells the entries that get requests: their order and the total that
// their weights are out of do not matter.
func (s *side) weighted(t Treatment, w *routev3.WeightedCluster) {
	type entry struct {
		name, label string
		weight      uint64
		of          *routev3.WeightedCluster_ClusterWeight
	}
	var entries []entry
	total := uint64(0)
	for _, c := range w.GetClusters() {
		e := entry{name: c.GetName(), weight: uint64(c.GetWeight().GetValue()), of: c}
		e.label = s.cluster(c.GetName()).Name
		if c.GetClusterHeader() != "" {
			e.label = "the cluster that header " + strings.ToLower(c.GetClusterHeader()) + " names"
		}
		if total += e.weight; e.weight > 0 {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.name+a.label, b.name+b.label) })
	for i, e := range entries {
		same := i > 0 && entries[i-1].name == e.name && entries[i-1].label == e.label
		if !same {
			t.add(Destination, e.name, "%s", e.label)
			s.behind(t, e.name)
		}
		if len(entries) > 1 {
			t.add(Shares, e.name, "%s %s %%", e.label, percent(e.weight, total))
		}
		to := ""
		if len(entries) > 1 {
			to = e.label
		}
		headers(t, to, e.of)
		if e.of.GetHostRewriteLiteral() != "" {
			t.add(Rewrite, to, "host %s%s", e.of.GetHostRewriteLiteral(), of(to))
		}
		for _, f := range sortedKeys(e.of.GetTypedPerFilterConfig()) {
			t.add(Filters, to, "%s%s: %s", f, of(to), text(e.of.GetTypedPerFilterConfig()[f]))
		}
		rest(t, strings.TrimPrefix(of(to)+": ", ": "), e.of, toldWeight)
	}
	rest(t, "weighted clusters: ", w, toldWeighted)
}

func of(label string) string {
	if label == "" {
		return ""
	}
	return " for " + label
}

// percent is a share with as many places as it takes to tell it from others.
func percent(part, total uint64) string {
	return strconv.FormatFloat(100*float64(part)/float64(total), 'g', 12, 64)
}

// behind tells the workloads and the policy of a cluster.
func (s *side) behind(t Treatment, name string) {
	if name == "" {
		return
	}
	c := s.cluster(name)
	switch {
	case c.Missing:
		t.add(Workloads, name, "%s: the proxy has no such cluster (503 NC)", c.Name)
	case c.Known && len(c.Workloads) == 0:
		t.add(Workloads, name, "%s: none (503 UH)", c.Name)
	case c.Known:
		t.add(Workloads, name, "%s: %s", c.Name, strings.Join(c.Workloads, ", "))
	}
	for _, p := range c.Policy {
		t.add(Policy, name, "%s: %s", c.Name, p)
	}
}

func (s *side) mirror(t Treatment, m *routev3.RouteAction_RequestMirrorPolicy) {
	name := m.GetCluster()
	label := s.cluster(name).Name
	if name == "" {
		label = "the cluster that header " + strings.ToLower(m.GetClusterHeader()) + " names"
	}
	if f := m.GetRuntimeFraction(); f.GetRuntimeKey() == "" && f.GetDefaultValue() != nil {
		label += " " + fractionText(f.GetDefaultValue())
	} else if f != nil {
		label += " " + text(f)
	}
	more := text(without(m, set("cluster cluster_header runtime_fraction")))
	// What Istio says of all mirrors is not worth telling.
	if more != "{}" && more != "{trace_sampled: false, disable_shadow_host_suffix_append: true}" {
		label += " " + more
	}
	t.add(Mirrors, name, "%s", label)
	s.behind(t, name)
}

// fractionText is a share in percent.
func fractionText(f *typev3.FractionalPercent) string {
	of := uint64(100)
	switch f.GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		of = 10_000
	case typev3.FractionalPercent_MILLION:
		of = 1_000_000
	}
	return percent(uint64(f.GetNumerator()), of) + " %"
}

// faultText is the configuration of Envoy's fault filter.
func faultText(config *anypb.Any) string {
	f := &faultv3.HTTPFault{}
	if !config.MessageIs(f) || config.UnmarshalTo(f) != nil {
		return text(config)
	}
	var parts []string
	if d := f.GetDelay(); d.GetFixedDelay() != nil {
		parts = append(parts, "delay of "+d.GetFixedDelay().AsDuration().String()+" for "+fractionText(d.GetPercentage()))
	} else if d != nil {
		parts = append(parts, "delay "+text(d))
	}
	switch a := f.GetAbort(); a.GetErrorType().(type) {
	case *faultv3.FaultAbort_HttpStatus:
		parts = append(parts, "abort with "+strconv.Itoa(int(a.GetHttpStatus()))+" for "+fractionText(a.GetPercentage()))
	case nil:
	default:
		parts = append(parts, "abort "+text(a))
	}
	if more := text(without(f, set("delay abort"))); more != "{}" {
		parts = append(parts, more)
	}
	return strings.Join(parts, ", ")
}

// rewrites tells what is changed of the path and host. Rewrites of a prefix
// start from the route's condition on the path.
func rewrites(t Treatment, m *routev3.RouteMatch, a *routev3.RouteAction) {
	if a.GetPrefixRewrite() != "" {
		t.add(Rewrite, "", "%s becomes %q", pathText(m), a.GetPrefixRewrite())
	}
	if a.GetRegexRewrite() != nil {
		t.add(Rewrite, "", "path %s", text(a.GetRegexRewrite()))
	}
	if a.GetPathRewritePolicy() != nil {
		t.add(Rewrite, "", "path %s of %s", text(a.GetPathRewritePolicy()), pathText(m))
	}
	if a.GetPathRewrite() != "" {
		t.add(Rewrite, "", "path %q", a.GetPathRewrite())
	}
	switch h := a.GetHostRewriteSpecifier().(type) {
	case *routev3.RouteAction_HostRewriteLiteral:
		t.add(Rewrite, "", "host %s", h.HostRewriteLiteral)
	case *routev3.RouteAction_AutoHostRewrite:
		if h.AutoHostRewrite.GetValue() {
			t.add(Rewrite, "", "host of the endpoint")
		}
	case *routev3.RouteAction_HostRewriteHeader:
		t.add(Rewrite, "", "host from header %s", strings.ToLower(h.HostRewriteHeader))
	case *routev3.RouteAction_HostRewritePathRegex:
		t.add(Rewrite, "", "host from path %s", text(h.HostRewritePathRegex))
	case *routev3.RouteAction_HostRewrite:
		t.add(Rewrite, "", "host %s", h.HostRewrite)
	}
	if a.GetAppendXForwardedHost() && a.GetHostRewriteSpecifier() != nil {
		t.add(Rewrite, "", "the old host goes to x-forwarded-host")
	}
}

// timeouts tells limits of time. Without a timeout Envoy takes 15 s
// (RouteAction.timeout); 0 is none.
func timeouts(t Treatment, a *routev3.RouteAction) {
	switch d := a.GetTimeout(); {
	case d == nil:
		t.add(Timeout, "", "15s")
	case d.AsDuration() == 0:
		t.add(Timeout, "", "none")
	default:
		t.add(Timeout, "", "%s", d.AsDuration())
	}
	for _, limit := range []struct {
		name string
		d    *durationpb.Duration
	}{
		{"idle", a.GetIdleTimeout()}, {"flush", a.GetFlushTimeout()},
		{"largest of gRPC", a.GetMaxGrpcTimeout()}, {"offset of gRPC", a.GetGrpcTimeoutOffset()},
	} {
		// Istio sets gRPC's largest timeout to the timeout itself.
		if limit.d != nil && limit.d.AsDuration() != a.GetTimeout().AsDuration() {
			t.add(Timeout, "", "%s %s", limit.name, limit.d.AsDuration())
		}
	}
	if m := a.GetMaxStreamDuration(); m != nil && proto.Size(m) > 0 {
		t.add(Timeout, "", "stream %s", text(m))
	}
}
