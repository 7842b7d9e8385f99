package server

import "github.com/meshstorm/meshstorm/lab/proxy/fields"

// Fields is how this package deals with the messages of listeners, their
// filters, the TCP proxy and TLS.
func Fields() []fields.Field { return nil }
