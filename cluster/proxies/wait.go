package proxies

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	firstPause = 100 * time.Millisecond // about istiod's own debounce
	longPause  = 500 * time.Millisecond
	// shortPause is for the acknowledgement, which takes one way there and back.
	shortPause = 20 * time.Millisecond
	// listEvery is how often pods are looked at again.
	listEvery = time.Second
	// dumpsAtOnce bounds what istiod has to compute for us at a time.
	dumpsAtOnce = 8
)

// Wait returns when istiod gives every proxy in question what is expected, and
// each has acknowledged it. Right after a write istiod still says "synced" for
// the old state, so it is the content that counts first. When ctx's deadline
// passes the error wraps ErrTimeout and context.DeadlineExceeded, and the report
// says who lacks what; when ctx is cancelled it wraps context.Canceled alone.
// Other errors wrap ErrForbidden or ErrNoDebug.
//
// Give istiod a second after the last write before the call: see lookAgain for
// what a look during a push can do.
func (m *Mesh) Wait(ctx context.Context, e Expectation) (Report, error) {
	w := &wait{mesh: m, e: &e, began: time.Now(), states: map[sighting]*state{}, known: map[string]bool{}}
	pause := firstPause
	for {
		missing, progress, err := w.round(ctx)
		report := Report{Proxies: len(w.known), Took: time.Since(w.began), Missing: missing}
		switch {
		case err != nil:
			return report, err
		case len(missing) == 0:
			return report, nil
		case ctx.Err() != nil:
			if w.missing != nil {
				report.Missing = w.missing // what the round before it saw to the end
			}
			return report, ended(ctx)
		}
		w.missing = missing
		next := pause
		if progress {
			next, pause = shortPause, firstPause/2
		} else {
			pause = min(pause*5/4, longPause)
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return report, ended(ctx)
		case <-timer.C:
		}
	}
}

// ended is the error of a wait whose ctx has ended. Whoever interrupts does not
// mean to go on, as after a time that was long enough.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the wait for the proxies was interrupted: %w", ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
}

// sighting is a proxy as one istiod sees it.
type sighting struct {
	istiod *replica
	proxy  string
}

// wait is one run of Wait.
type wait struct {
	mesh  *Mesh
	e     *Expectation
	began time.Time

	missing  []string        // of the last round that was not cut short
	listed   time.Time       // when pods were last looked at
	gateways map[string]bool // by name; true where the pod is ready
	states   map[sighting]*state
	known    map[string]bool // proxies in question; true for gateways
}

// round asks every istiod once, and looks into what it gives to the proxies
// about which something may have changed.
func (w *wait) round(ctx context.Context) (missing []string, progress bool, err error) {
	if time.Since(w.listed) >= listEvery {
		if err := w.list(ctx); err != nil {
			if errors.Is(err, ErrForbidden) {
				return nil, false, err
			}
			missing = append(missing, err.Error())
		}
	}
	asked := time.Now()
	seen := map[string][]*state{}
	var looks []look
	answers := w.mesh.ask(ctx)
	if len(answers) == 0 {
		missing = append(missing, ErrNoIstiod.Error())
	}
	for r, a := range answers {
		if errors.Is(a.err, ErrForbidden) || errors.Is(a.err, ErrNoDebug) {
			return nil, false, a.err
		}
		if a.err != nil {
			missing = append(missing, fmt.Sprintf("istiod %s does not answer: %v", r.name, a.err))
			w.listed = time.Time{}
		}
		for i := range a.statuses {
			s := &a.statuses[i]
			if !w.concerns(s) {
				continue
			}
			st := w.state(sighting{r, s.ID})
			if types := st.step(s, asked); types != "" {
				looks = append(looks, look{sighting{r, s.ID}, st, types})
			}
			seen[s.ID] = append(seen[s.ID], st)
		}
	}
	progress, err = w.look(ctx, looks)
	if err != nil {
		return nil, false, err
	}
	for name, states := range seen {
		missing = append(missing, lacks(name, states)...)
	}
	missing = append(missing, w.unseen(ctx, seen)...)
	slices.Sort(missing)
	return slices.Compact(missing), progress, nil
}

// list looks at the pods of istiod and of the gateways.
func (w *wait) list(ctx context.Context) error {
	if err := w.mesh.refresh(ctx); err != nil {
		return err
	}
	found := map[string]bool{}
	for _, selector := range w.e.Gateways {
		if len(selector) == 0 {
			continue
		}
		pods, err := listPods(ctx, w.mesh.kube, labels.Set(selector), w.e.Namespace)
		if err != nil {
			return err
		}
		for i := range pods {
			if p := &pods[i]; p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
				found[p.Name+"."+p.Namespace] = ready(p)
			}
		}
	}
	w.gateways, w.listed = found, time.Now()
	return nil
}

// concerns reports whether a proxy is in question, and notes it.
func (w *wait) concerns(s *status) bool {
	_, gateway := w.gateways[s.ID]
	if !gateway && s.Type == "router" {
		gateway = slices.ContainsFunc(w.e.Gateways, func(selector map[string]string) bool { return len(selector) == 0 })
	}
	_, namespace := split(s.ID)
	sidecar := (s.Type == "sidecar" || s.Type == "") && (slices.Contains(w.e.Sidecars, namespace) || slices.Contains(w.e.Sidecars, "*"))
	if gateway || sidecar {
		w.known[s.ID] = gateway
	}
	return gateway || sidecar
}

func (w *wait) state(at sighting) *state {
	if w.states[at] == nil {
		w.states[at] = newState(w.e)
	}
	return w.states[at]
}

// look is a page to read: what istiod gives a proxy.
type look struct {
	at    sighting
	state *state
	types string
}

// look reads pages and says whether a proxy is now given all it needs.
func (w *wait) look(ctx context.Context, looks []look) (progress bool, err error) {
	dumps, failures := make([]*dump, len(looks)), make([]error, len(looks))
	var reading errgroup.Group
	reading.SetLimit(dumpsAtOnce)
	for i, l := range looks {
		reading.Go(func() error {
			dumps[i], failures[i] = l.at.istiod.dump(ctx, l.at.proxy, l.types)
			return nil
		})
	}
	_ = reading.Wait()
	for i, l := range looks {
		if errors.Is(failures[i], ErrForbidden) {
			return false, failures[i]
		}
		if failures[i] != nil {
			l.state.failed(l.at.proxy, failures[i])
			continue
		}
		gateway := w.known[l.at.proxy]
		own := !gateway || filtersGateways(l.at.istiod.pod)
		l.state.learn(l.at.proxy, dumps[i], w.e, gateway, own, time.Now())
		progress = progress || l.state.given()
	}
	return progress, nil
}

// unseen says which proxies in question no istiod knows at this moment: gateways
// that should be there, and sidecars that were. When an istiod ends, its proxies
// run on with what they have and come back to another; those whose pod has gone
// are forgotten.
func (w *wait) unseen(ctx context.Context, seen map[string][]*state) []string {
	var missing []string
	for name, isReady := range w.gateways {
		if isReady && seen[name] == nil {
			w.known[name] = true
			missing = append(missing, fmt.Sprintf("gateway %s is connected to no istiod that answers", name))
		}
	}
	alive := map[string]map[string]bool{}
	for _, name := range slices.Collect(maps.Keys(w.known)) {
		if seen[name] != nil || w.gateways[name] {
			continue
		}
		_, namespace := split(name)
		if alive[namespace] == nil {
			alive[namespace] = w.alive(ctx, namespace)
		}
		if alive[namespace][name] {
			missing = append(missing, fmt.Sprintf("%s is connected to no istiod that answers", name))
		} else if ctx.Err() == nil {
			delete(w.known, name)
		}
	}
	return missing
}

// alive lists the ready pods of a namespace. Of one that may not be listed
// nobody is waited for.
func (w *wait) alive(ctx context.Context, namespace string) map[string]bool {
	found := map[string]bool{}
	pods, err := w.mesh.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		if !apierrors.IsForbidden(err) {
			for name := range w.known {
				found[name] = true
			}
		}
		return found
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; runs(p) && ready(p) {
			found[p.Name+"."+p.Namespace] = true
		}
	}
	return found
}
