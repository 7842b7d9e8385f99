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

type watchKey = Place

// watch looks at one place for all who want to see it.
type watch struct {
	stop    context.CancelFunc
	viewers map[chan Cluster]bool
	last    *Cluster
	text    []byte // of last, to tell only what is new
}

// Watch hands what runs at a place to show, at once and whenever it changes,
// until ctx ends or show fails. All who watch a place share one watch.
func (l *Clusters) Watch(ctx context.Context, p Place, show func(Cluster) error) error {
	t, err := l.Find(ctx, p.Context)
	if err == nil {
		p.Context = t.Name
	}
	states, leave := l.join(p)
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.life.Done():
			return l.life.Err()
		case c := <-states:
			if err := show(c); err != nil {
				return err
			}
		}
	}
}

// join gives a channel that always holds the newest state.
func (l *Clusters) join(p Place) (<-chan Cluster, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watches[p]
	if w == nil {
		ctx, stop := context.WithCancel(l.life)
		w = &watch{stop: stop, viewers: map[chan Cluster]bool{}}
		l.watches[p] = w
		l.running.Go(func() { l.look(ctx, p, w) })
	}
	states := make(chan Cluster, 1)
	w.viewers[states] = true
	if w.last != nil {
		states <- *w.last
	}
	return states, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if delete(w.viewers, states); len(w.viewers) == 0 && l.watches[p] == w {
			delete(l.watches, p)
			w.stop()
		}
	}
}

// look watches until nobody is left. Whatever ends a round, the next finds the
// cluster anew: its kubeconfig may be another by then.
func (l *Clusters) look(ctx context.Context, p Place, w *watch) {
	for ctx.Err() == nil {
		v, c := l.view(ctx, p)
		if v != nil {
			c = v.base(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if !c.Reachable || !c.NamespaceExists {
			l.tell(w, c)
		} else if err := l.follow(ctx, v, w); err != nil && ctx.Err() == nil {
			if c = v.base(ctx); c.Reachable {
				c.Problem = err.Error()
			}
			l.tell(w, c)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// follow shows what runs as long as the cluster answers.
func (l *Clusters) follow(ctx context.Context, v *view, w *watch) error {
	return overview.Watch(ctx, v.client, overview.Options{}, func(o *overview.Overview) error {
		c := v.base(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.Reachable && c.NamespaceExists {
			c = v.history(ctx, v.with(c, o))
		}
		l.tell(w, c)
		return nil
	})
}

// tell gives every viewer the state, unless they have it.
func (l *Clusters) tell(w *watch, c Cluster) {
	text, err := json.Marshal(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || bytes.Equal(text, w.text) {
		return
	}
	w.last, w.text = &c, text
	for states := range w.viewers {
		select {
		case <-states: // one that was not read
		default:
		}
		states <- c // there is room: only this sends
	}
}
