package kubelet

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// live brings a pod that is not to end closer to what its spec says: address and
// volumes, init containers in order, then the main containers, each started
// again when it ended and its back-off is over. It gives the time of the next
// thing to do; zero where only an event brings one.
func (w *worker) live(ctx context.Context, p *corev1.Pod) time.Time {
	if after := w.prepare(ctx, p); !after.IsZero() || !w.isPrepared() {
		return after
	}
	next, ready := w.initialize(ctx, p)
	if !ready {
		return earliest(next, w.volumes.next())
	}
	mains, done := 0, 0
	for _, c := range w.containers {
		if c.role != mainContainer || ctx.Err() != nil {
			continue
		}
		mains++
		if w.finishedForGood(p, c) {
			done++
			continue
		}
		next = earliest(next, w.ensure(ctx, p, c))
	}
	if mains == done {
		w.end(p, podGrace(p)) // the sidecars have nothing to serve any more
		return time.Time{}
	}
	return earliest(next, w.volumes.next())
}

func (w *worker) isPrepared() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.prepared
}

func (w *worker) finishedForGood(p *corev1.Pod, c *container) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !c.running() && c.ended() != nil && !c.restartable(p.Spec.RestartPolicy)
}

// initialize runs the init containers, and tells whether the main ones may
// start. A sidecar is done when it has started; afterwards it is started again
// without holding anything up.
func (w *worker) initialize(ctx context.Context, p *corev1.Pod) (time.Time, bool) {
	var next time.Time
	for _, c := range w.containers {
		if c.role == mainContainer || ctx.Err() != nil {
			continue
		}
		w.mu.Lock()
		running, passed, started := c.running(), c.passed, c.started
		w.mu.Unlock()
		switch {
		case c.role == initContainer && passed:
		case c.role == initContainer:
			if w.finishedForGood(p, c) { // failed, and is not to be tried again
				w.end(p, podGrace(p))
				return next, false
			}
			next = earliest(next, w.ensure(ctx, p, c))
			w.mu.Lock()
			passed = c.passed
			w.mu.Unlock()
			if !passed {
				return next, false
			}
		case running && (started || passed):
			w.pass(c)
		default:
			next = earliest(next, w.ensure(ctx, p, c))
			w.mu.Lock()
			passed = c.passed || c.started
			w.mu.Unlock()
			if !passed {
				return next, false
			}
			w.pass(c)
		}
	}
	return next, ctx.Err() == nil
}

func (w *worker) pass(c *container) {
	w.mu.Lock()
	c.passed = true
	w.mu.Unlock()
}

// ensure has a container running, unless it has to wait; then it gives the time
// of the next try.
func (w *worker) ensure(ctx context.Context, p *corev1.Pod, c *container) time.Time {
	spec := containerSpec(p, c.name)
	now := w.k.o.Now()
	w.mu.Lock()
	running, changed := c.running(), c.image != spec.Image
	ended, retry := c.ended(), c.retry
	until := now
	if ended != nil {
		until = c.restart.until(w.k.backOff, c.finished)
	}
	w.mu.Unlock()
	switch {
	case running && changed && !c.isKilling(w):
		go w.kill(p, c, podGrace(p), fmt.Sprintf("Container %s definition changed, will be restarted", c.name))
		return time.Time{}
	case running:
		return time.Time{}
	case changed:
		w.mu.Lock()
		c.image, c.pull, c.pullFailed, c.retry = spec.Image, wait{}, time.Time{}, time.Time{}
		w.mu.Unlock()
	case now.Before(retry):
		return retry
	}
	if now.Before(until) {
		w.crashLoop(p, c, until.Sub(c.finished))
		return until
	}
	return w.start(ctx, p, c, spec)
}

func (c *container) isKilling(w *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.killing
}

// crashLoop shows that a container waits for its back-off; the event is written
// once for each wait.
func (w *worker) crashLoop(p *corev1.Pod, c *container, delay time.Duration) {
	w.mu.Lock()
	first := c.state.Terminated != nil
	if first {
		c.last = c.state
		c.state = waiting("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
			delay, c.name, p.Name, p.Namespace, p.UID))
	}
	w.mu.Unlock()
	if first {
		w.k.event(p, c.name, corev1.EventTypeWarning, "BackOff",
			fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", c.name, p.Name, p.Namespace, p.UID))
	}
}

// pullAfter is how long ErrImagePull is shown before the back-off is.
const pullAfter = 2 * time.Second

// noImage shows that the lab can't run an image, and backs off.
func (w *worker) noImage(p *corev1.Pod, c *container, image string, err error) time.Time {
	now := w.k.o.Now()
	w.mu.Lock()
	c.pull.tried(w.k.backOff, now, now)
	c.pullFailed = now
	c.state = waiting("ErrImagePull", err.Error())
	delay := c.pull.delay
	c.retry = now.Add(min(pullAfter, delay/2))
	after := c.retry
	w.mu.Unlock()
	w.k.event(p, c.name, corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", image))
	w.k.event(p, c.name, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %s", image, err))
	w.k.event(p, c.name, corev1.EventTypeWarning, "Failed", "Error: ErrImagePull")
	return after
}

// pullBackOff tells how long an image that failed is left alone, and shows it.
func (w *worker) pullBackOff(p *corev1.Pod, c *container, image string) time.Time {
	w.mu.Lock()
	if c.pullFailed.IsZero() {
		w.mu.Unlock()
		return time.Time{}
	}
	until := c.pullFailed.Add(c.pull.delay)
	if !w.k.o.Now().Before(until) {
		w.mu.Unlock()
		return time.Time{}
	}
	first := c.state.Waiting != nil && c.state.Waiting.Reason == "ErrImagePull"
	if first {
		c.state = waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, c.state.Waiting.Message))
	}
	c.retry = until
	w.mu.Unlock()
	if first {
		w.k.event(p, c.name, corev1.EventTypeNormal, "BackOff", fmt.Sprintf("Back-off pulling image %q", image))
		w.k.event(p, c.name, corev1.EventTypeWarning, "Failed", "Error: ImagePullBackOff")
	}
	return until
}

// modelsChanged has images that the lab could not run tried again at once.
func (w *worker) modelsChanged() {
	w.mu.Lock()
	again := false
	for _, c := range w.containers {
		if !c.pullFailed.IsZero() {
			c.pullFailed, c.retry, again = time.Time{}, time.Time{}, true
		}
	}
	w.mu.Unlock()
	if again {
		w.poke()
	}
}

// sourcesChanged has volumes and missing ConfigMaps and Secrets looked at again.
func (w *worker) sourcesChanged() {
	w.mu.Lock()
	w.stale = true
	for _, c := range w.containers {
		if c.state.Waiting != nil && c.pullFailed.IsZero() {
			c.retry = time.Time{}
		}
	}
	w.mu.Unlock()
	w.poke()
}
