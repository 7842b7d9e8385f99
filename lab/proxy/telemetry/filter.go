package telemetry

import (
	"fmt"
	"hash/fnv"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/route"
)

// filter says whether a record is logged.
type filter func(r *flow.Record) bool

// filter compiles an access log filter; nil takes every record.
func (t *Telemetry) filter(f *accesslogv3.AccessLogFilter) (filter, error) {
	switch spec := f.GetFilterSpecifier().(type) {
	case nil:
		return nil, nil
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		return compare(spec.StatusCodeFilter.GetComparison(), func(r *flow.Record) int64 { return int64(r.Status) })
	case *accesslogv3.AccessLogFilter_DurationFilter:
		return compare(spec.DurationFilter.GetComparison(), func(r *flow.Record) int64 { return r.Duration.Milliseconds() })
	case *accesslogv3.AccessLogFilter_NotHealthCheckFilter:
		return nil, nil // only the health check filter marks health checks, and this proxy has none
	case *accesslogv3.AccessLogFilter_RuntimeFilter:
		return t.sampled(spec.RuntimeFilter), nil
	case *accesslogv3.AccessLogFilter_AndFilter:
		return t.all(spec.AndFilter.GetFilters(), false)
	case *accesslogv3.AccessLogFilter_OrFilter:
		return t.all(spec.OrFilter.GetFilters(), true)
	case *accesslogv3.AccessLogFilter_HeaderFilter:
		return headerFilter(spec.HeaderFilter.GetHeader())
	case *accesslogv3.AccessLogFilter_ResponseFlagFilter:
		return flagFilter(spec.ResponseFlagFilter)
	case *accesslogv3.AccessLogFilter_GrpcStatusFilter:
		return grpcFilter(spec.GrpcStatusFilter), nil
	case *accesslogv3.AccessLogFilter_LogTypeFilter:
		return typeFilter(spec.LogTypeFilter), nil
	case *accesslogv3.AccessLogFilter_ExtensionFilter:
		t.unsupported("access log filter " + spec.ExtensionFilter.GetName() + ": every record is logged")
		return nil, nil
	case *accesslogv3.AccessLogFilter_MetadataFilter:
		t.unsupported("access log filter metadata_filter: every record is logged")
		return nil, nil
	case *accesslogv3.AccessLogFilter_TraceableFilter:
		t.unsupported("access log filter traceable_filter: every record is logged")
		return nil, nil
	}
	return nil, fmt.Errorf("access log filter %T is not supported by the lab's proxy", f.GetFilterSpecifier())
}

// compare uses the comparison's default value: the lab's proxy has no runtime
// layer that could override it.
func compare(c *accesslogv3.ComparisonFilter, get func(*flow.Record) int64) (filter, error) {
	want := int64(c.GetValue().GetDefaultValue())
	switch c.GetOp() {
	case accesslogv3.ComparisonFilter_EQ:
		return func(r *flow.Record) bool { return get(r) == want }, nil
	case accesslogv3.ComparisonFilter_GE:
		return func(r *flow.Record) bool { return get(r) >= want }, nil
	case accesslogv3.ComparisonFilter_LE:
		return func(r *flow.Record) bool { return get(r) <= want }, nil
	case accesslogv3.ComparisonFilter_NE:
		return func(r *flow.Record) bool { return get(r) != want }, nil
	}
	return nil, fmt.Errorf("a comparison by %s is not known", c.GetOp())
}

// sampled takes a share of the records: by the request's id, so that all
// proxies take the same ones, or independently.
func (t *Telemetry) sampled(f *accesslogv3.RuntimeFilter) filter {
	numerator := uint64(f.GetPercentSampled().GetNumerator())
	total := uint64(100)
	switch f.GetPercentSampled().GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		total = 10_000
	case typev3.FractionalPercent_MILLION:
		total = 1_000_000
	}
	return func(r *flow.Record) bool {
		id := r.RequestHeaders.Get("X-Request-Id")
		if id == "" || f.GetUseIndependentRandomness() {
			return t.o.Random()%total < numerator
		}
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(id))
		return hash.Sum64()%total < numerator
	}
}

func (t *Telemetry) all(list []*accesslogv3.AccessLogFilter, any bool) (filter, error) {
	if len(list) < 2 {
		return nil, fmt.Errorf("an and_filter or or_filter has fewer than two filters")
	}
	filters := make([]filter, len(list))
	for i, one := range list {
		f, err := t.filter(one)
		if err != nil {
			return nil, err
		}
		if f == nil {
			f = func(*flow.Record) bool { return true }
		}
		filters[i] = f
	}
	return func(r *flow.Record) bool {
		for _, f := range filters {
			if f(r) == any {
				return any
			}
		}
		return !any
	}, nil
}

// headerFilter matches as routes match headers.
func headerFilter(m *routev3.HeaderMatcher) (filter, error) {
	config, err := route.Compile(&routev3.RouteConfiguration{Name: "access log", VirtualHosts: []*routev3.VirtualHost{{
		Name: "filter", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Name:   "filter",
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: []*routev3.HeaderMatcher{m}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
		}},
	}}})
	if err != nil {
		return nil, fmt.Errorf("header_filter: %w", err)
	}
	return func(r *flow.Record) bool {
		request := route.Request{Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Path: r.Path}
		for name, values := range r.RequestHeaders {
			for _, v := range values {
				request.Headers = append(request.Headers, route.Header{Name: name, Value: v})
			}
		}
		d := config.Decide(&request)
		return d.Route != nil && d.Unsupported == ""
	}, nil
}

func flagFilter(f *accesslogv3.ResponseFlagFilter) (filter, error) {
	for _, flag := range f.GetFlags() {
		if !slices.Contains(envoyFlags, flag) {
			return nil, fmt.Errorf("response_flag_filter: Envoy has no response flag %q", flag)
		}
	}
	return func(r *flow.Record) bool {
		if len(f.GetFlags()) == 0 {
			return len(r.Flags) > 0
		}
		for _, flag := range r.Flags {
			if slices.Contains(f.GetFlags(), flag) {
				return true
			}
		}
		return false
	}, nil
}

// envoyFlags are all that a filter may name; the proxy sets those of package
// flow.
var envoyFlags = []string{
	"LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH", "DPE",
	"UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
}

func grpcFilter(f *accesslogv3.GrpcStatusFilter) filter {
	return func(r *flow.Record) bool {
		status := r.GRPCStatus
		if !r.GRPC || status < 0 {
			status = grpcFromHTTP(r.Status)
		}
		listed := slices.Contains(f.GetStatuses(), accesslogv3.GrpcStatusFilter_Status(status))
		return listed != f.GetExclude()
	}
}

// grpcFromHTTP is the gRPC project's "HTTP to gRPC Status Code Mapping".
func grpcFromHTTP(status int) int {
	switch status {
	case 200:
		return 0
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return 14
	}
	return 2
}

func typeFilter(f *accesslogv3.LogTypeFilter) filter {
	return func(r *flow.Record) bool {
		listed := false
		for _, one := range f.GetTypes() {
			listed = listed || one.String() == logType(r)
		}
		return listed != f.GetExclude()
	}
}
