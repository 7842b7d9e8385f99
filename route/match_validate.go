package route

import routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

func (b *builder) validate(rc *routev3.RouteConfiguration) {}
