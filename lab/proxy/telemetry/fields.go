package telemetry

import "github.com/meshstorm/meshstorm/lab/proxy/fields"

// Fields is how this package deals with the messages of access loggers and of
// the istio.stats filter.
func Fields() []fields.Field { return nil }
