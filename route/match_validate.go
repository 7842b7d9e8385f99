package route

import (
	"errors"
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// validate holds the configuration to the rules that its own protobuf
// definitions carry, with which Envoy begins as well.
func (b *builder) validate(rc *routev3.RouteConfiguration) {
	for _, f := range violations(rc.ValidateAll(), nil) {
		b.faults = append(b.faults, fmt.Errorf("%s%s", place(rc, &f.path), f))
	}
}

// violation is one rule that one field breaks.
type violation struct {
	path   []string // as the generated code names fields: "Routes[2]", "Match"
	reason string
}

func (f violation) String() string {
	var out strings.Builder
	for i, step := range f.path {
		if i > 0 {
			out.WriteByte('.')
		}
		out.WriteString(snake(step))
	}
	if f.reason == "value is required" {
		return out.String() + " is missing"
	}
	return out.String() + ": " + f.reason
}

// violations takes the nested errors of the generated code apart.
func violations(err error, path []string) []violation {
	var all interface{ AllErrors() []error }
	var one interface {
		Field() string
		Reason() string
		Cause() error
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &all):
		var out []violation
		for _, e := range all.AllErrors() {
			out = append(out, violations(e, path)...)
		}
		return out
	case errors.As(err, &one):
		path = append(path[:len(path):len(path)], one.Field())
		if one.Cause() != nil {
			return violations(one.Cause(), path)
		}
		return []violation{{path: path, reason: one.Reason()}}
	}
	return []violation{{path: path, reason: err.Error()}}
}

// place names the virtual host and route that a path begins with, and takes
// them off the path.
func place(rc *routev3.RouteConfiguration, path *[]string) string {
	var i, j int
	if len(*path) == 0 || !numbered((*path)[0], "VirtualHosts", &i) {
		return ""
	}
	host := rc.GetVirtualHosts()[i]
	*path = (*path)[1:]
	text := fmt.Sprintf("virtual host %q", host.GetName())
	if len(*path) == 0 || !numbered((*path)[0], "Routes", &j) {
		return text + ": "
	}
	*path = (*path)[1:]
	rt := Route{Name: host.GetRoutes()[j].GetName(), Index: j}
	return text + ", " + rt.place() + ": "
}

func numbered(step, field string, n *int) bool {
	rest, ok := strings.CutPrefix(step, field)
	if !ok {
		return false
	}
	_, err := fmt.Sscanf(rest, "[%d]", n)
	return err == nil
}

// snake turns a generated Go name into the field's name.
func snake(name string) string {
	var out strings.Builder
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			if i > 0 && name[i-1] >= 'a' {
				out.WriteByte('_')
			}
			out.WriteByte(toLower(c))
			continue
		}
		out.WriteByte(name[i])
	}
	return out.String()
}
