package route

import (
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

type compiled struct {
	domains      domains
	ignoreParams bool
	internalOnly []string // lower-case
	effects      *level
}

type compiledHost struct {
	index *index
	tree  *tree // VirtualHost.matcher; nil where routes are tried in order

	effects *hostEffects
}

type compiledRoute struct {
	conditions
	action  action
	effects *routeEffects
}

// defaultMaxBody is Envoy's default for max_direct_response_body_size_bytes.
const defaultMaxBody = 4096

// Compile prepares a route configuration. The error names every fault by
// virtual host and route, as Envoy would refuse them: invalid regular
// expressions, repeated domains, actions that are missing.
func Compile(rc *routev3.RouteConfiguration) (*Config, error) {
	if rc == nil {
		return nil, errors.New("route configuration: nothing given")
	}
	b := newBuilder(rc)
	c := &Config{proto: rc}
	c.domains = newDomains(rc)
	c.ignoreParams = rc.GetIgnorePathParametersInPathMatching()
	for _, name := range rc.GetInternalOnlyHeaders() {
		c.internalOnly = append(c.internalOnly, lowerASCII(name))
	}
	b.validate(rc)
	var err error
	if c.effects, err = b.configEffects(rc); err != nil {
		b.faults = append(b.faults, err)
	}
	for _, proto := range rc.GetVirtualHosts() {
		host := b.virtualHost(proto)
		c.hosts = append(c.hosts, host)
		for _, err := range c.domains.add(host) {
			b.fault(host, nil, err)
		}
	}
	if len(b.faults) > 0 {
		return nil, fmt.Errorf("route configuration %q: %w", rc.GetName(), errors.Join(b.faults...))
	}
	return c, nil
}

// Proto is what the configuration was compiled from.
func (c *Config) Proto() *routev3.RouteConfiguration { return c.proto }

// VirtualHosts are the virtual hosts in the configuration's order.
func (c *Config) VirtualHosts() []*VirtualHost { return c.hosts }

// builder holds what is shared while a configuration is compiled.
type builder struct {
	patterns      map[string]*pattern
	patternErrors map[string]error
	templates     map[string]*template
	plugins       map[string]bool
	maxBody       uint32

	unknown []string // unsupported fields of what is being compiled
	faults  []error
}

func newBuilder(rc *routev3.RouteConfiguration) *builder {
	b := &builder{
		patterns:      map[string]*pattern{},
		patternErrors: map[string]error{},
		templates:     map[string]*template{},
		plugins:       map[string]bool{},
		maxBody:       defaultMaxBody,
	}
	if m := rc.GetMaxDirectResponseBodySizeBytes(); m != nil {
		b.maxBody = m.GetValue()
	}
	for _, p := range rc.GetClusterSpecifierPlugins() {
		b.plugins[p.GetExtension().GetName()] = true
	}
	return b
}

func (b *builder) virtualHost(proto *routev3.VirtualHost) *VirtualHost {
	host := &VirtualHost{Name: proto.GetName(), Domains: proto.GetDomains(), Proto: proto}
	for _, rt := range proto.GetRoutes() {
		b.route(host, rt)
	}
	host.index = newIndex(host.Routes)
	var err error
	if host.effects, err = b.hostEffects(proto); err != nil {
		b.fault(host, nil, err)
	}
	if proto.GetMatcher() != nil {
		b.matcherTree(host)
	}
	return host
}

// route appends a route to its virtual host.
func (b *builder) route(host *VirtualHost, proto *routev3.Route) *Route {
	rt := &Route{Name: proto.GetName(), Index: len(host.Routes), Host: host, Proto: proto}
	host.Routes = append(host.Routes, rt)
	var err error
	if rt.conditions, err = b.conditions(proto.GetMatch()); err != nil {
		b.fault(host, rt, err)
	}
	if rt.action, err = b.action(proto); err != nil {
		b.fault(host, rt, err)
	}
	if err := b.checkAction(proto); err != nil {
		b.fault(host, rt, err)
	}
	if rt.effects, err = b.routeEffects(rt); err != nil {
		b.fault(host, rt, err)
	}
	return rt
}

// unsupported notes a field that cannot be evaluated, and which extension or
// key it names.
func (b *builder) unsupported(field, name string) {
	text := "unsupported: " + field
	if name != "" {
		text += fmt.Sprintf(" (%s)", name)
	}
	b.unknown = append(b.unknown, text)
}

func (b *builder) fault(host *VirtualHost, rt *Route, err error) {
	place := fmt.Sprintf("virtual host %q", host.Name)
	if rt != nil {
		place += ", " + rt.place()
	}
	b.faults = append(b.faults, fmt.Errorf("%s: %w", place, err))
}

func (r *Route) place() string {
	if r.Name == "" {
		return fmt.Sprintf("route %d", r.Index)
	}
	return fmt.Sprintf("route %d (%q)", r.Index, r.Name)
}

// extensionName is the extension's name, or its type where it has none.
func extensionName(e *corev3.TypedExtensionConfig) string {
	if e.GetName() != "" {
		return e.GetName()
	}
	return e.GetTypedConfig().GetTypeUrl()
}
