package routercheck

import (
	"errors"
	"fmt"
	"path/filepath"

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
// proxy-config routes -o json` prints it, will do. Errors join *strict.Errors
// with file and line where it cannot be read, and are Envoy's own refusals where
// it can.
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
		if n.Kind == yaml.SequenceNode {
			roots = append(roots, n.Content...)
		} else {
			roots = append(roots, n)
		}
	}
	if len(roots) != 1 {
		return nil, &strict.Error{Path: c.Path, Msg: fmt.Sprintf("the file holds %d route configurations, expected one", len(roots)),
			Hint: "choose one; docs/route-tests.md shows how"}
	}
	root := strict.Resolve(roots[0])
	if root.Kind != yaml.MappingNode {
		return nil, &strict.Error{Path: c.Path, Line: root.Line, Column: root.Column,
			Msg: "expected a RouteConfiguration: virtual_hosts: and below them routes:"}
	}
	return root, nil
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
