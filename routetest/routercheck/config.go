package routercheck

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest/strict"
)

// Config is a route configuration from a file.
type Config struct {
	*route.Config
	Path string
	// Notes say which settings were left out because nobody here knows their
	// type; what depends on them is answered as unsupported.
	Notes []string
	lines map[*routev3.Route]int
}

// LoadConfig reads an Envoy RouteConfiguration (v3) as YAML, JSON, text protobuf
// (.pb_text) or protobuf (.pb), and compiles it. A list of one, as `istioctl
// proxy-config routes -o json` prints it, will do, and so will a configuration
// dump, a discovery response or a bootstrap configuration with one in it. Errors
// join *strict.Errors with file and line where it cannot be read, and are Envoy's
// own refusals where it can.
func LoadConfig(path string, data []byte) (*Config, error) {
	c := &Config{Path: path, lines: map[*routev3.Route]int{}}
	rc := &routev3.RouteConfiguration{}
	switch {
	case filepath.Ext(path) == ".pb":
		if err := proto.Unmarshal(data, rc); err != nil {
			return nil, &strict.Error{Path: path, Msg: err.Error()}
		}
	case IsTextProto(path):
		if err := (prototext.UnmarshalOptions{Resolver: newTypes()}).Unmarshal(data, rc); err != nil {
			return nil, placed(path, err)
		}
	default:
		n, err := c.node(data)
		if err != nil {
			return nil, err
		}
		r := &strict.Reader{Path: path}
		ok, notes := decode(r, n, rc)
		if !ok {
			return nil, errors.Join(r.Errors...)
		}
		c.Notes = notes
		c.locate(n, rc)
	}
	// The connection manager takes these from requests before they are routed; the
	// tool has none, and routes what a test gives.
	rc.InternalOnlyHeaders = nil
	var err error
	if c.Config, err = route.Compile(rc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// node is the configuration's mapping.
func (c *Config) node(data []byte) (*yaml.Node, error) {
	docs, errs := strict.Documents(c.Path, data)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var roots []*yaml.Node
	for _, n := range docs {
		roots = append(roots, unwrap(n, true)...)
	}
	if len(roots) != 1 {
		return nil, &strict.Error{Path: c.Path, Msg: fmt.Sprintf("the file holds %d route configurations%s, expected one", len(roots), names(roots)),
			Hint: "choose one; docs/route-tests.md shows how"}
	}
	root := roots[0]
	if root.Kind != yaml.MappingNode {
		return nil, &strict.Error{Path: c.Path, Line: root.Line, Column: root.Column,
			Msg: "expected a RouteConfiguration: virtual_hosts: and below them routes:"}
	}
	return withoutType(root), nil
}

// wrappers are the fields by which other messages hold route configurations:
// Envoy's /config_dump, DiscoveryResponse and its delta form,
// HttpConnectionManager, and the bootstrap configuration around it. Those that
// are true hold nothing else.
var wrappers = []struct {
	key  string
	only bool
}{
	{"configs", false}, {"static_resources", false}, {"listeners", false}, {"filter_chains", false}, {"filters", false},
	{"typed_config", false}, {"static_route_configs", false}, {"staticRouteConfigs", false}, {"dynamic_route_configs", false},
	{"dynamicRouteConfigs", false}, {"route_config", true}, {"routeConfig", true}, {"resources", true}, {"resource", true},
}

// unwrap gives the route configurations of a document, itself where it is one
// or nothing says that it is not.
func unwrap(n *yaml.Node, sure bool) []*yaml.Node {
	n = strict.Resolve(n)
	var found []*yaml.Node
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			found = append(found, unwrap(item, sure)...)
		}
		return found
	}
	wraps := false
	for _, w := range wrappers {
		if inner := strict.Get(n, w.key); inner != nil {
			wraps = true
			found = append(found, unwrap(inner, w.only)...)
		}
	}
	if t := strict.Get(n, "@type"); t != nil {
		sure = strings.HasSuffix(t.Value, ".RouteConfiguration")
	}
	if wraps || !sure {
		return found
	}
	return []*yaml.Node{n}
}

// names lists the configurations' names, for a message.
func names(all []*yaml.Node) string {
	var list []string
	for _, n := range all {
		if name := strict.Get(n, "name"); name != nil && len(list) < 8 {
			list = append(list, name.Value)
		}
	}
	if len(list) == 0 {
		return ""
	}
	if len(all) > len(list) {
		list = append(list, "...")
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// withoutType drops the "@type" that a message from an Any begins with.
func withoutType(n *yaml.Node) *yaml.Node {
	if strict.Get(n, "@type") == nil {
		return n
	}
	out := *n
	out.Content = nil
	for _, p := range strict.Pairs(n) {
		if p.Key.Value != "@type" {
			out.Content = append(out.Content, p.Key, p.Value)
		}
	}
	return &out
}

// locate remembers the line of every route.
func (c *Config) locate(n *yaml.Node, rc *routev3.RouteConfiguration) {
	entry := func(n *yaml.Node, keys ...string) *yaml.Node {
		for _, key := range keys {
			if v := strict.Get(n, key); v != nil && v.Kind == yaml.SequenceNode {
				return v
			}
		}
		return &yaml.Node{}
	}
	hosts := entry(n, "virtual_hosts", "virtualHosts")
	for i, host := range rc.GetVirtualHosts() {
		if i >= len(hosts.Content) {
			return
		}
		routes := entry(hosts.Content[i], "routes")
		for k, r := range host.GetRoutes() {
			if k < len(routes.Content) {
				c.lines[r] = strict.Resolve(routes.Content[k]).Line
			}
		}
	}
}
