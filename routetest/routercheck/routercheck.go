// Package routercheck is the tests of Envoy's router_check tool: what a route
// configuration does with a request, told by cluster, virtual host, rewritten
// path and host, redirect and headers. It takes test files in every form that
// Envoy's repository has (YAML, JSON and text protobuf of the tool's Validation
// message, and the older list) and route configurations; it compares as the
// tool does, on package route instead of Envoy.
package routercheck

import (
	"github.com/meshstorm/meshstorm/route"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Test is one item of a Validation message.
type Test struct {
	Name     string
	Path     string // the file
	Line     int    // 0 where unknown
	Input    Input
	Validate Validate
}

// Input is the request.
type Input struct {
	Authority, Path, Method string // Method "" is GET
	Random                  uint64
	SSL, Internal           bool
	// Runtime is the key of the one fraction that is enabled; all others are
	// off, as in the tool.
	Runtime         string
	RequestHeaders  []route.Header
	ResponseHeaders []route.Header
}

// Validate is what is expected. Nil strings are not compared; "" asserts that
// there is none.
type Validate struct {
	Cluster, VirtualCluster, VirtualHost *string
	PathRewrite, HostRewrite, Redirect   *string
	RequestHeaders, ResponseHeaders      []*routev3.HeaderMatcher
	// RequestFields and ResponseFields are the deprecated form: the value of
	// the header, "" where it must not be there.
	RequestFields, ResponseFields []*corev3.HeaderValue
}

// Failure is one expectation that does not hold.
type Failure struct {
	What, Expected, Actual string
	// Unsupported is true where the actual value cannot be told.
	Unsupported bool
}

// Result is what became of a test.
type Result struct {
	Failures []Failure
	// Covered names the route, and the weighted cluster where there are
	// several, that took the request; it is one of Routes' keys, or "".
	Covered string
	// Taken says in words which route took the request, "" for none.
	Taken string
}
