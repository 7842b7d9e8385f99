package route

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// defaultTimeout is RouteAction.timeout where it is not set.
const defaultTimeout = 15 * time.Second

func (e *evaluation) timeouts(a *routev3.RouteAction) {
	out := e.out
	out.Timeout, out.TimeoutSet = defaultTimeout, a.GetTimeout() != nil
	if out.TimeoutSet {
		out.Timeout = a.GetTimeout().AsDuration()
	}
	if most, offset := oldGRPCTimeout(a); most != nil && isGRPC(&e.v) {
		out.Timeout, out.TimeoutSet = e.grpcTimeout(most.AsDuration(), offset.AsDuration()), true
	}
	if idle := a.GetIdleTimeout(); idle != nil {
		out.IdleTimeout, out.IdleTimeoutSet = idle.AsDuration(), true
	}
	if flush := a.GetFlushTimeout(); flush != nil {
		out.FlushTimeout, out.FlushTimeoutSet = flush.AsDuration(), true
	}
	e.maxStream(a.GetMaxStreamDuration())
	for _, name := range overrides {
		if e.request.has(name) {
			e.unsupported("unsupported: request header " + name + ", which overrides the route's own setting where the proxy trusts the client")
		}
	}
}

// overrides are the request headers that the router takes instead of the
// route's own timeouts and retries (docs:
// configuration/http/http_filters/router_filter, "HTTP headers (consumed)").
var overrides = []string{
	"x-envoy-hedge-on-per-try-timeout", "x-envoy-max-retries", "x-envoy-retriable-header-names",
	"x-envoy-retriable-status-codes", "x-envoy-retry-grpc-on", "x-envoy-retry-on",
	"x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-upstream-rq-timeout-alt-response",
	"x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-stream-duration-ms",
}

// grpcTimeout follows RouteAction.max_grpc_timeout and grpc_timeout_offset; 0
// is no limit.
func (e *evaluation) grpcTimeout(most, offset time.Duration) time.Duration {
	text, _ := e.request.first("grpc-timeout")
	asked, _ := parseGRPCTimeout(text)
	if offset > 0 && offset < asked {
		asked -= offset
	}
	if most > 0 && (asked == 0 || asked > most) {
		return most
	}
	return asked
}

// maxStream follows RouteAction.MaxStreamDuration.
func (e *evaluation) maxStream(m *routev3.RouteAction_MaxStreamDuration) {
	if d := m.GetMaxStreamDuration(); d != nil {
		e.out.MaxStream, e.out.MaxStreamSet = d.AsDuration(), true
	}
	most := m.GetGrpcTimeoutHeaderMax()
	if most == nil {
		return
	}
	text, _ := e.request.first("grpc-timeout")
	asked, ok := parseGRPCTimeout(text)
	if !ok {
		return
	}
	if limit := most.AsDuration(); limit > 0 && asked > limit {
		asked = limit
	}
	if asked -= m.GetGrpcTimeoutHeaderOffset().AsDuration(); asked <= 0 {
		asked = 1 // at once; 0 would be no limit
	}
	e.out.MaxStream, e.out.MaxStreamSet = asked, true
}

// parseGRPCTimeout reads a grpc-timeout header: up to eight digits and a unit
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func parseGRPCTimeout(text string) (time.Duration, bool) {
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func (b *builder) retryPolicy(m *routev3.RetryPolicy) ([]headerMatcher, error) {
	if m == nil {
		return nil, nil
	}
	if _, err := b.headerMatchers(m.GetRetriableHeaders()); err != nil {
		return nil, fmt.Errorf("retry_policy: %w", err)
	}
	if b := m.GetRetryBackOff(); b.GetMaxInterval() != nil && b.GetMaxInterval().AsDuration() < b.GetBaseInterval().AsDuration() {
		return nil, fmt.Errorf("retry_policy: retry_back_off.max_interval is %s, less than base_interval %s", b.GetMaxInterval().AsDuration(), b.GetBaseInterval().AsDuration())
	}
	out, err := b.headerMatchers(m.GetRetriableRequestHeaders())
	if err != nil {
		return nil, fmt.Errorf("retry_policy: %w", err)
	}
	return out, nil
}

// retries finds the policy: the route's takes the place of the virtual host's
// as a whole (RouteAction.retry_policy).
func (e *evaluation) retries(a *routev3.RouteAction) {
	m, only := a.GetRetryPolicy(), e.d.Route.effects.retry
	host := e.d.VirtualHost
	if m == nil && a.GetRetryPolicyTypedConfig() == nil {
		m, only = host.Proto.GetRetryPolicy(), host.effects.retry
		if m != nil {
			e.notes(m)
		}
	}
	if m == nil {
		return
	}
	if len(only) > 0 && !slices.ContainsFunc(only, func(h headerMatcher) bool { return h.match(&e.v) == yes }) {
		return // retriable_request_headers: none of them is there
	}
	hedge := a.GetHedgePolicy()
	if hedge == nil {
		if hedge = host.Proto.GetHedgePolicy(); hedge != nil {
			e.notes(hedge)
		}
	}
	out := newRetry(m)
	out.Hedge = hedge.GetHedgeOnPerTryTimeout()
	out.TimeoutHeader = host.Proto.GetIncludeIsTimeoutRetryHeader()
	e.out.Retry = out
}

func newRetry(m *routev3.RetryPolicy) *Retry {
	out := &Retry{
		Attempts:           1,
		PerTryTimeout:      m.GetPerTryTimeout().AsDuration(),
		PerTryIdleTimeout:  m.GetPerTryIdleTimeout().AsDuration(),
		RetriableCodes:     m.GetRetriableStatusCodes(),
		HostSelectionTries: max(m.GetHostSelectionRetryMaxAttempts(), 1),
		Priority:           m.GetRetryPriority().GetName(),
		BackOffBase:        25 * time.Millisecond,
	}
	for _, on := range strings.Split(m.GetRetryOn(), ",") {
		if on = strings.TrimSpace(on); on != "" {
			out.On = append(out.On, on)
		}
	}
	if n := m.GetNumRetries(); n != nil {
		out.Attempts = n.GetValue()
	}
	if b := m.GetRetryBackOff(); b != nil {
		out.BackOffBase = max(b.GetBaseInterval().AsDuration(), time.Millisecond)
		out.BackOffMax = b.GetMaxInterval().AsDuration()
	}
	if out.BackOffMax == 0 {
		out.BackOffMax = 10 * out.BackOffBase
	}
	for _, p := range m.GetRetryHostPredicate() {
		out.HostPredicates = append(out.HostPredicates, p.GetName())
	}
	var b builder // the policy was compiled before; only the words are wanted
	b.patterns, b.patternErrors = map[string]*pattern{}, map[string]error{}
	for _, h := range m.GetRetriableHeaders() {
		if c, err := b.headerMatcher(h); err == nil {
			out.RetriableHeaders = append(out.RetriableHeaders, c.words())
		}
	}
	if r := m.GetRateLimitedRetryBackOff(); r != nil {
		most := 300 * time.Second
		if r.GetMaxInterval() != nil {
			most = r.GetMaxInterval().AsDuration()
		}
		for _, h := range r.GetResetHeaders() {
			out.RateLimitedBackOff = append(out.RateLimitedBackOff, fmt.Sprintf("response header %s in %s, at most %s",
				strings.ToLower(h.GetName()), strings.ToLower(h.GetFormat().String()), most))
		}
	}
	return out
}

var notFoundCodes = map[routev3.RouteAction_ClusterNotFoundResponseCode]int{
	routev3.RouteAction_SERVICE_UNAVAILABLE:   http.StatusServiceUnavailable,
	routev3.RouteAction_NOT_FOUND:             http.StatusNotFound,
	routev3.RouteAction_INTERNAL_SERVER_ERROR: http.StatusInternalServerError,
}

// upstream is what else the route asks of the forwarding.
func (e *evaluation) upstream(a *routev3.RouteAction) {
	out := e.out
	out.ClusterNotFoundCode = notFoundCodes[a.GetClusterNotFoundResponseCode()]
	out.HighPriority = a.GetPriority() == corev3.RoutingPriority_HIGH
	for _, u := range a.GetUpgradeConfigs() {
		word := strings.ToLower(u.GetUpgradeType())
		if u.GetEnabled() != nil && !u.GetEnabled().GetValue() {
			word += " (off)"
		}
		out.Upgrades = append(out.Upgrades, word)
	}
	out.Endpoints = endpointWords(a.GetMetadataMatch(), e.weightedProto().GetMetadataMatch())
	e.internalRedirect(a)
}

// endpointWords are the labels that endpoints need: those of the weighted
// cluster replace those of the route (ClusterWeight.metadata_match).
func endpointWords(all ...*corev3.Metadata) []string {
	labels := map[string]*structpb.Value{}
	for _, m := range all {
		for name, value := range m.GetFilterMetadata()["envoy.lb"].GetFields() {
			labels[name] = value
		}
	}
	var out []string
	for name, value := range labels {
		text := value.GetStringValue()
		if _, ok := value.GetKind().(*structpb.Value_StringValue); !ok {
			data, err := json.Marshal(value.AsInterface()) // not protojson, whose spaces vary
			if err != nil {
				continue
			}
			text = string(data)
		}
		out = append(out, name+"="+text)
	}
	slices.Sort(out)
	return out
}

func (e *evaluation) internalRedirect(a *routev3.RouteAction) {
	out := &InternalRedirect{Max: 1, Codes: []uint32{http.StatusFound}}
	follow, most := oldInternalRedirect(a)
	switch m := a.GetInternalRedirectPolicy(); {
	case m != nil:
		most = m.GetMaxInternalRedirects()
		if codes := m.GetRedirectResponseCodes(); len(codes) > 0 {
			out.Codes = slices.DeleteFunc(slices.Clone(codes), func(code uint32) bool {
				return code < 301 || code > 303 && code != 307 && code != 308
			})
		}
		for _, p := range m.GetPredicates() {
			out.Predicates = append(out.Predicates, extensionName(p))
		}
		out.CrossScheme = m.GetAllowCrossSchemeRedirect()
		out.CopyHeaders = m.GetResponseHeadersToCopy()
	case !follow:
		return
	}
	if most != nil {
		out.Max = most.GetValue()
	}
	e.out.InternalRedirect = out
}
