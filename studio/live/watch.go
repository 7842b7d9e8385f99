package live

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/meshstorm/meshstorm/cluster/overview"
)

// retryAfter is the pause before a cluster that did not answer is asked again.
const retryAfter = 3 * time.Second

// Watch hands what runs at a place to show, at once and whenever it changes,
// until ctx ends or show fails. All who watch a place share one watch.
func (l *Clusters) Watch(ctx context.Context, p Place, show func(Cluster) error) error {
	t, err := l.Find(ctx, p.Context)
	if err == nil {
		p.Context = t.Name
	}
	return l.watches.follow(ctx, p, show)
}

// look watches until nobody is left. Whatever ends a round, the next finds the
// cluster anew: its kubeconfig may be another by then.
func (l *Clusters) look(ctx context.Context, p Place, tell func(Cluster)) {
	tell = news(tell)
	for ctx.Err() == nil {
		v, c := l.view(ctx, p)
		if v != nil {
			c = v.base(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if !c.Reachable || !c.NamespaceExists {
			tell(c)
		} else if err := l.follow(ctx, v, tell); err != nil && ctx.Err() == nil {
			if c = v.base(ctx); c.Reachable {
				c.Problem = err.Error()
			}
			tell(c)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// follow shows what runs as long as the cluster answers.
func (l *Clusters) follow(ctx context.Context, v *view, tell func(Cluster)) error {
	return overview.Watch(ctx, v.client, overview.Options{}, func(o *overview.Overview) error {
		c := v.base(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.Reachable && c.NamespaceExists {
			c = v.history(ctx, v.with(c, o))
		}
		tell(c)
		return nil
	})
}

// news tells only what differs from what was told last.
func news(tell func(Cluster)) func(Cluster) {
	var last []byte
	return func(c Cluster) {
		text, err := json.Marshal(c)
		if err != nil || bytes.Equal(text, last) {
			return
		}
		last = text
		tell(c)
	}
}
