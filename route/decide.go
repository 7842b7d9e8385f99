package route

import "slices"

// Decide chooses the route and cluster for a request. It does not allocate
// where no regular expression or template is involved.
func (c *Config) Decide(r *Request) Decision {
	v := c.view(r)
	return c.decide(&v)
}

// view prepares a request. The headers that only internal requests may carry
// are taken from others before anything looks at them
// (RouteConfiguration.internal_only_headers).
func (c *Config) view(r *Request) view {
	v := newView(r, c.ignoreParams)
	if len(c.internalOnly) == 0 || v.internal() {
		return v
	}
	cleaned := *r
	cleaned.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h Header) bool {
		return slices.Contains(c.internalOnly, lowerASCII(h.Name))
	})
	v.r = &cleaned
	return v
}

// internal says whether the request is one that the proxy trusts.
func (v *view) internal() bool {
	text, _ := v.first(headerName{text: "x-envoy-internal", from: fromInternal})
	return text == "true"
}

func (c *Config) decide(v *view) Decision {
	d := Decision{Weighted: -1, VirtualHost: c.domains.find(v)}
	switch {
	case d.VirtualHost == nil:
		if c.proto.GetVhds() != nil {
			d.Unsupported = "unsupported: RouteConfiguration.vhds (no virtual host given here takes the authority, one loaded on demand may)"
		}
		return d
	case d.VirtualHost.wantsTLS(v):
		d.TLSRedirect = true
		return d
	}
	routes, index := d.VirtualHost.Routes, d.VirtualHost.index
	if t := d.VirtualHost.tree; t != nil {
		list, got, why := t.find(v)
		if got != yes {
			d.Unsupported = why
			return d
		}
		routes, index = list.routes, list.index
	}
	var matched result
	d.Route, matched = first(routes, index, v)
	switch {
	case d.Route == nil:
	case matched == unknown:
		d.Unsupported = d.Route.unknown
	case d.Route.action.unsupported != "":
		d.Unsupported = d.Route.action.unsupported
	default:
		d.Cluster, d.Weighted = d.Route.action.choose(v)
	}
	return d
}

func first(routes []*Route, ix *index, v *view) (*Route, result) {
	if ix != nil && !v.pathless {
		return ix.first(routes, v)
	}
	for _, rt := range routes {
		if got := rt.match(v, nil); got != no {
			return rt, got
		}
	}
	return nil, no
}
