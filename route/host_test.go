package route_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestVirtualHosts(t *testing.T) {
	config := `
virtual_hosts:
- {name: exact, domains: [www.foo.com, WWW.UPPER.com, "port.com:8080", "[::1]"]}
- {name: suffix, domains: ["*.foo.com"]}
- {name: longer suffix, domains: ["*.bar.foo.com"]}
- {name: dash, domains: ["*-bar.foo.com"]}
- {name: prefix, domains: ["foo.*"]}
- {name: longer prefix, domains: ["foo.bar.*"]}
- {name: dashed prefix, domains: ["foo-*"]}
`
	catchAll := config + `- {name: any, domains: ["*"]}` + "\n"
	for _, tc := range []struct{ name, doc, config, authority, want string }{
		{"an exact domain", "VirtualHost.domains, 1", catchAll, "www.foo.com", "exact"},
		{"an exact domain in another case", "RFC 4343; VirtualHost.domains", catchAll, "WWW.Foo.Com", "exact"},
		{"a domain configured in upper case", "VirtualHost.domains", catchAll, "www.upper.com", "exact"},
		{"an exact domain before a wildcard", "VirtualHost.domains, 1", config, "www.foo.com", "exact"},
		{"a suffix wildcard", "VirtualHost.domains, 2", catchAll, "a.foo.com", "suffix"},
		{"a suffix wildcard over several labels", "VirtualHost.domains, 2", catchAll, "a.b.foo.com", "suffix"},
		{"the longest suffix wildcard", "VirtualHost.domains: the longest wildcards match first", catchAll, "a.bar.foo.com", "longer suffix"},
		{"a suffix wildcard within a label", "VirtualHost.domains, note", catchAll, "baz-bar.foo.com", "dash"},
		{"a wildcard is not the empty string", "VirtualHost.domains, note", catchAll, "-bar.foo.com", "suffix"},
		{"nor is it for a whole label", "VirtualHost.domains, note", catchAll, ".foo.com", "any"},
		{"a suffix before a prefix", "VirtualHost.domains, 2 before 3", catchAll, "foo.a.foo.com", "suffix"},
		{"a prefix wildcard", "VirtualHost.domains, 3", catchAll, "foo.com", "prefix"},
		{"the longest prefix wildcard", "VirtualHost.domains", catchAll, "foo.bar.baz", "longer prefix"},
		{"a prefix wildcard within a label", "VirtualHost.domains, 3", catchAll, "foo-1.com", "dashed prefix"},
		{"a prefix wildcard is not the empty string", "VirtualHost.domains, note", catchAll, "foo.", "any"},
		{"anything else", "VirtualHost.domains, 4", catchAll, "example.org", "any"},
		{"no authority", "VirtualHost.domains, 4", catchAll, "", "any"},
		{"nothing fits", "VirtualHost.domains", config, "example.org", ""},
		{"a port is part of the authority", "RouteConfiguration.ignore_port_in_host_matching", catchAll, "www.foo.com:80", "any"},
		{"a domain may have a port", "RouteConfiguration.ignore_port_in_host_matching", catchAll, "port.com:8080", "exact"},
		{"a port can be ignored", "RouteConfiguration.ignore_port_in_host_matching", catchAll + "ignore_port_in_host_matching: true", "www.foo.com:80", "exact"},
		{"a port can be ignored before a suffix wildcard", "RouteConfiguration.ignore_port_in_host_matching", catchAll + "ignore_port_in_host_matching: true", "a.foo.com:80", "suffix"},
		{"a port in a domain stays", "RouteConfiguration.ignore_port_in_host_matching, note", catchAll + "ignore_port_in_host_matching: true", "port.com:8080", "any"},
		{"an address in brackets keeps its colons", "RFC 3986, 3.2.2", catchAll + "ignore_port_in_host_matching: true", "[::1]", "exact"},
		{"an address in brackets loses its port", "RFC 3986, 3.2.2", catchAll + "ignore_port_in_host_matching: true", "[::1]:80", "exact"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := compile(t, tc.config).Decide(&route.Request{Authority: tc.authority})
			got := ""
			if d.VirtualHost != nil {
				got = d.VirtualHost.Name
			}
			if got != tc.want {
				t.Errorf("%q goes to virtual host %q, not %q (%s)", tc.authority, got, tc.want, tc.doc)
			}
			if d.Route != nil || d.Weighted != -1 || d.Unsupported != "" {
				t.Errorf("decision %+v", d)
			}
		})
	}
}

// RouteConfiguration.vhost_header.
func TestAnotherHeaderMayNameTheHost(t *testing.T) {
	c := compile(t, `
vhost_header: X-Host
ignore_port_in_host_matching: true
virtual_hosts:
- {name: a, domains: [a.example]}
- {name: any, domains: ["*"]}`)
	for text, want := range map[string]string{
		"GET / | x-host: A.example:1":           "a",
		"GET / | x-host: b":                     "any",
		"GET / | x-host: a.example | x-host: b": "a",
		"GET / | :authority: a.example":         "",
	} {
		got := ""
		if d := c.Decide(request(t, text)); d.VirtualHost != nil {
			got = d.VirtualHost.Name
		}
		if got != want {
			t.Errorf("%s goes to virtual host %q, not %q", text, got, want)
		}
	}
}

// VirtualHost.require_tls.
func TestAVirtualHostMayAskForTLS(t *testing.T) {
	for _, tc := range []struct {
		require, request string
		redirected       bool
	}{
		{"NONE", "GET /", false},
		{"ALL", "GET /", true},
		{"ALL", "GET / | !internal", true},
		{"ALL", "GET / | !tls", false},
		{"ALL", "GET / | :scheme: https", false},
		{"ALL", "GET / | x-forwarded-proto: https", false},
		{"ALL", "GET / | !tls | x-forwarded-proto: http", true},
		{"EXTERNAL_ONLY", "GET /", true},
		{"EXTERNAL_ONLY", "GET / | !internal", false},
		{"EXTERNAL_ONLY", "GET / | x-envoy-internal: true", false},
		{"EXTERNAL_ONLY", "GET / | !tls", false},
	} {
		c := compile(t, `{virtual_hosts: [{name: a, domains: ["*"], require_tls: `+tc.require+`, routes: [{match: {prefix: /}, route: {cluster: here}}]}]}`)
		d := c.Decide(request(t, tc.request))
		if d.TLSRedirect != tc.redirected || (d.Route == nil) != tc.redirected || (d.Cluster == "here") == tc.redirected {
			t.Errorf("require_tls %s, %s: redirected %v, route %v", tc.require, tc.request, d.TLSRedirect, d.Route)
		}
	}
}

// RouteConfiguration.vhds.
func TestVirtualHostsThatAreLoadedOnDemandAreUnsupported(t *testing.T) {
	c := compile(t, `
vhds: {config_source: {ads: {}}}
virtual_hosts:
- {name: a, domains: [a.example]}`)
	want := "unsupported: RouteConfiguration.vhds (no virtual host given here takes the authority, one loaded on demand may)"
	if d := c.Decide(&route.Request{Authority: "b.example"}); d.Unsupported != want {
		t.Errorf("unsupported: %q", d.Unsupported)
	}
	if d := c.Decide(&route.Request{Authority: "a.example"}); d.Unsupported != "" {
		t.Errorf("unsupported: %q", d.Unsupported)
	}
}
