package route

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Envoy still obeys these fields, though it deprecates them, and istiod still
// sends some; so they are read here, and only here.

func oldRouteCORS(a *routev3.RouteAction) *routev3.CorsPolicy {
	return a.GetCors() //nolint:staticcheck // see above
}

func oldHostCORS(h *routev3.VirtualHost) *routev3.CorsPolicy {
	return h.GetCors() //nolint:staticcheck // see above
}

func oldAppend(m *corev3.HeaderValueOption) *wrapperspb.BoolValue {
	return m.GetAppend() //nolint:staticcheck // see above
}

func oldTextFormat(m *corev3.SubstitutionFormatString) string {
	return m.GetTextFormat() //nolint:staticcheck // see above
}

func oldGRPCTimeout(a *routev3.RouteAction) (most, offset *durationpb.Duration) {
	return a.GetMaxGrpcTimeout(), a.GetGrpcTimeoutOffset() //nolint:staticcheck // see above
}

// oldInternalRedirect says whether redirects are followed, and how many.
func oldInternalRedirect(a *routev3.RouteAction) (bool, *wrapperspb.UInt32Value) {
	follow := a.GetInternalRedirectAction() == routev3.RouteAction_HANDLE_INTERNAL_REDIRECT //nolint:staticcheck // see above
	return follow, a.GetMaxInternalRedirects()                                              //nolint:staticcheck // see above
}
