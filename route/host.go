package route

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// domains finds the virtual host of an authority, in the order that
// VirtualHost.domains gives: exact names, suffix wildcards, prefix wildcards,
// and "*"; the longest wildcard first.
type domains struct {
	exact    map[string]*VirtualHost
	suffixes wildcards
	prefixes wildcards
	any      *VirtualHost

	ignorePort bool
	header     *headerName // instead of the authority (vhost_header)
}

// wildcards are the literal parts of wildcard domains.
type wildcards struct {
	hosts   map[string]*VirtualHost
	lengths []int // descending
}

func newDomains(rc *routev3.RouteConfiguration) domains {
	d := domains{exact: map[string]*VirtualHost{}, ignorePort: rc.GetIgnorePortInHostMatching()}
	d.suffixes.hosts, d.prefixes.hosts = map[string]*VirtualHost{}, map[string]*VirtualHost{}
	if name := rc.GetVhostHeader(); name != "" {
		h := newHeaderName(name)
		d.header = &h
	}
	return d
}

// add enters a virtual host; a domain must be unique across all of them.
func (d *domains) add(host *VirtualHost) []error {
	var faults []error
	for _, domain := range host.Domains {
		var before *VirtualHost
		name := lowerASCII(domain)
		switch {
		case name == "*":
			if before = d.any; before == nil {
				d.any = host
			}
		case strings.HasPrefix(name, "*"):
			before = d.suffixes.add(name[1:], host)
		case strings.HasSuffix(name, "*"):
			before = d.prefixes.add(name[:len(name)-1], host)
		default:
			if before = d.exact[name]; before == nil {
				d.exact[name] = host
			}
		}
		if before != nil {
			faults = append(faults, fmt.Errorf("domain %q is already taken by virtual host %q; a domain must be unique in a route configuration", domain, before.Name))
		}
	}
	return faults
}

func (w *wildcards) add(text string, host *VirtualHost) *VirtualHost {
	if before := w.hosts[text]; before != nil {
		return before
	}
	w.hosts[text] = host
	// Descending, so that the longest wildcard is found first.
	if i, found := slices.BinarySearchFunc(w.lengths, len(text), func(a, b int) int { return b - a }); !found {
		w.lengths = slices.Insert(w.lengths, i, len(text))
	}
	return nil
}

// find gives the virtual host of a request, or nil.
func (d *domains) find(v *view) *VirtualHost {
	if len(d.exact) == 0 && len(d.suffixes.hosts) == 0 && len(d.prefixes.hosts) == 0 {
		return d.any
	}
	name := v.r.Authority
	if d.header != nil {
		value, n := v.first(*d.header)
		if n == 0 {
			return nil // not even "*", as Envoy does it
		}
		name = value
	}
	if d.ignorePort {
		name = withoutPort(name)
	}
	name = lowerASCII(name)
	if host := d.exact[name]; host != nil {
		return host
	}
	// "<" because a wildcard never stands for the empty string.
	for _, n := range d.suffixes.lengths {
		if n < len(name) {
			if host := d.suffixes.hosts[name[len(name)-n:]]; host != nil {
				return host
			}
		}
	}
	for _, n := range d.prefixes.lengths {
		if n < len(name) {
			if host := d.prefixes.hosts[name[:n]]; host != nil {
				return host
			}
		}
	}
	return d.any
}

// withoutPort drops what stands behind the last colon, unless that colon is
// part of an IPv6 address in brackets.
func withoutPort(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.LastIndexByte(authority, ']') > i {
		return authority
	}
	return authority[:i]
}

// wantsTLS says whether VirtualHost.require_tls sends this request to https.
func (h *VirtualHost) wantsTLS(v *view) bool {
	kind := h.Proto.GetRequireTls()
	if kind == routev3.VirtualHost_NONE {
		return false
	}
	if proto, _ := v.first(headerName{text: "x-forwarded-proto", from: fromForwarded}); proto == "https" {
		return false
	}
	if kind == routev3.VirtualHost_ALL {
		return true
	}
	return !v.internal()
}
