package route

import (
	"errors"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

type (
	compiled      struct{}
	compiledHost  struct{}
	compiledRoute struct{}
)

var errSkeleton = errors.New("not written yet")

// Compile prepares a route configuration. The error names every fault by
// virtual host and route, as Envoy would refuse them: invalid regular
// expressions, repeated domains, actions that are missing.
func Compile(rc *routev3.RouteConfiguration) (*Config, error) { return nil, errSkeleton }

// Proto is what the configuration was compiled from.
func (c *Config) Proto() *routev3.RouteConfiguration { return c.proto }

// VirtualHosts are the virtual hosts in the configuration's order.
func (c *Config) VirtualHosts() []*VirtualHost { return c.hosts }

// Decide chooses the route and cluster for a request. It does not allocate
// where no regular expression or template is involved.
func (c *Config) Decide(r *Request) Decision { panic(errSkeleton) }

// Explain decides as Decide does, and also gives the verdict of every route of
// the chosen virtual host, in order.
func (c *Config) Explain(r *Request) (Decision, []Verdict) { panic(errSkeleton) }
