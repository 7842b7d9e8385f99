// Package routetest is route tests as files: which request goes where, written
// down before anything runs. It takes test files in three formats — its own,
// istio-config-validator's, and that of Envoy's router_check — and something
// that answers requests: a simulated mesh, or an Envoy route configuration. It
// gives every failure of every test, the routes that no test reaches, and the
// tests that a model implies.
package routetest

import (
	"errors"

	"github.com/meshstorm/meshstorm/routetest/routercheck"
	"github.com/meshstorm/meshstorm/routetest/strict"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// Format is the format of a test file.
type Format string

// Formats of test files. The keys of the first mapping tell them apart; see
// docs/route-tests.md.
const (
	FormatOwn       Format = "meshstorm"
	FormatValidator Format = "istio-config-validator"
	FormatEnvoy     Format = "router_check"
)

// Error is what is wrong at one place of a test file; the command line exits
// with 2 for it.
type Error = strict.Error

// File is a test file that was read.
type File struct {
	Path   string
	Format Format              // "" where nothing in the file tells
	Tests  []*Test             // of the formats that ask a mesh
	Envoy  []*routercheck.Test // of FormatEnvoy
	errs   []error
}

// Err joins the *Errors of the file; nil where it is sound. The tests that could
// be read run nevertheless.
func (f *File) Err() error { return errors.Join(f.errs...) }

// Test is one request and what is expected of its answer.
type Test struct {
	Name    string
	Path    string // the file
	Line    int
	Request answer.Request

	want expectation
	// anywhere asks the gateway first, and where it does not know the host the
	// sidecars; ports are then the service's ports to try.
	anywhere bool
	ports    []int
}

// expectation says what of an answer is not as it should be.
type expectation interface {
	check(a *answer.Answer) []Failure
	// aim names what should have taken the request, "" for what is not said.
	aim() aim
}

// aim is the rule and host that a test expects.
type aim struct {
	virtualService, rule, host string
}

// Failure is one expectation that does not hold.
type Failure struct {
	What     string `json:"what"` // what was compared: to, rule, rewrite, ...
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
	// Unsupported is true where the actual value cannot be told, so that the
	// expectation may hold.
	Unsupported bool `json:"unsupported,omitempty"`
}
