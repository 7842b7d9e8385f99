package kubelet

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// worker runs one pod: its goroutine decides what is to be done whenever
// something happened (the pod changed, a process ended, a probe spoke, a time
// came), and another one tells the API what came of it.
type worker struct {
	k   *Kubelet
	uid types.UID
	log *slog.Logger
	dir string // pods/UID

	wake  chan struct{}
	dirty chan struct{}
	done  chan struct{} // closed when the pod is no longer this kubelet's

	mu         sync.Mutex
	pod        *corev1.Pod // the newest that is known
	gone       bool        // no longer in the API
	containers []*container
	ip         netip.Addr
	startTime  metav1.Time
	prepared   bool // address and volumes are there: containers may start
	stale      bool // a volume's source may have changed
	reason     string
	message    string
	ending     *ending
	stopped    bool // all processes ended for good

	volumes    *volumes
	interrupt  context.CancelFunc // ends what sync waits for, when the pod is to end
	mountTry   time.Duration
	mountAfter time.Time
	publishing sync.Mutex
	written    *corev1.Pod       // the API's answer to the last status written
	sent       *corev1.PodStatus // that status; with the lock publishing
}

func newWorker(k *Kubelet, p *corev1.Pod) *worker {
	w := &worker{
		k: k, uid: p.UID, pod: p,
		log: k.log.With("pod", p.Namespace+"/"+p.Name), dir: filepath.Join(k.o.Dir, "pods", string(p.UID)),
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1), done: make(chan struct{}),
		containers: newContainers(p),
	}
	w.volumes = &volumes{w: w, dir: filepath.Join(w.dir, "volumes"), host: map[string]string{}, tokens: map[string]*token{}}
	w.recover(p)
	return w
}

// recover takes over a pod that an earlier run of the lab had started.
func (w *worker) recover(p *corev1.Pod) {
	ran := false
	if p.Status.StartTime != nil {
		w.startTime = *p.Status.StartTime
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for i := range list {
			if c := w.container(list[i].Name); c != nil {
				c.recover(&list[i], w.k.o.Now())
				ran = ran || c.role == mainContainer && c.ended() != nil
			}
		}
	}
	// A pod that never restarts does not begin anew; of all others a new sandbox
	// runs the init containers again, as after a reboot.
	for _, c := range w.containers {
		if c.role == initContainer && c.ended() != nil && c.ended().ExitCode == 0 {
			if c.passed = ran && p.Spec.RestartPolicy == corev1.RestartPolicyNever; !c.passed {
				c.last, c.state = corev1.ContainerState{}, waiting("PodInitializing", "") // it has yet to end
			}
		}
	}
	if ip, err := netip.ParseAddr(p.Status.PodIP); err == nil && !p.Spec.HostNetwork && w.k.ips.keep(ip) {
		w.ip = ip
	}
}

func (w *worker) container(name string) *container {
	for _, c := range w.containers {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (w *worker) addr() netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ip
}

func (w *worker) current() *corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pod
}

// update takes a newer version of the pod.
func (w *worker) update(p *corev1.Pod) {
	w.mu.Lock()
	w.stale = w.stale || toldDiffers(w.pod, p)
	w.pod = p
	if p.DeletionTimestamp != nil && w.interrupt != nil {
		w.interrupt()
	}
	w.mu.Unlock()
	w.poke()
}

// toldDiffers tells whether volumes may hold something of a pod that changed: its
// status changes often and is in none.
func toldDiffers(a, b *corev1.Pod) bool {
	return a.Generation != b.Generation || !maps.Equal(a.Labels, b.Labels) || !maps.Equal(a.Annotations, b.Annotations)
}

// forget says that the pod is no longer in the API.
func (w *worker) forget() {
	w.mu.Lock()
	w.gone = true
	if w.interrupt != nil {
		w.interrupt()
	}
	w.mu.Unlock()
	w.poke()
}

// poke has the pod looked at again.
func (w *worker) poke() {
	notify(w.wake)
	notify(w.dirty)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	publisher := make(chan struct{})
	pctx, stop := context.WithCancel(ctx)
	go func() { defer close(publisher); w.publishChanges(pctx) }()
	defer func() { stop(); <-publisher }()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		next := w.step(ctx)
		notify(w.dirty)
		if w.over() {
			return
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(next.Sub(w.k.o.Now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// over tells whether the pod is gone from the API and its processes too.
func (w *worker) over() bool {
	w.mu.Lock()
	over := w.gone && w.stopped
	w.mu.Unlock()
	if over {
		w.clean()
	}
	return over
}

func (w *worker) clean() {
	p := w.current()
	w.releaseIP()
	for _, dir := range []string{w.dir, w.k.logDir(p)} {
		if err := os.RemoveAll(dir); err != nil {
			w.log.Warn("pod's folder not removed", "err", err)
		}
	}
}

func (w *worker) releaseIP() {
	if ip := w.addr(); ip.IsValid() && ip != loopback.NodeIP {
		w.k.ips.release(ip)
	}
}

// step does what is due and gives the time of the next thing to do.
func (w *worker) step(ctx context.Context) time.Time {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	p, gone, ending, stopped := w.pod, w.gone, w.ending, w.stopped
	if !gone && p.DeletionTimestamp == nil {
		w.interrupt = cancel
	}
	w.mu.Unlock()
	switch {
	case stopped:
		return w.afterEnd(ctx, p, gone)
	case gone:
		w.end(p, time.Second)
	case p.DeletionTimestamp != nil:
		w.end(p, deletionGrace(p))
	case ending != nil:
	case w.expired(p):
		w.fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
		w.end(p, podGrace(p))
	default:
		return earliest(w.live(ctx, p), w.deadline(p))
	}
	return time.Time{}
}

// afterEnd has a deleted pod removed from the API, once its last status is there.
func (w *worker) afterEnd(ctx context.Context, p *corev1.Pod, gone bool) time.Time {
	if gone || p.DeletionTimestamp == nil {
		return time.Time{}
	}
	if err := w.publish(ctx); err != nil {
		w.log.Warn("last status not written", "err", err)
	}
	zero := int64(0)
	err := w.k.o.Client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &zero, Preconditions: metav1.NewUIDPreconditions(string(p.UID)),
	})
	if err == nil || notThere(err) {
		w.mu.Lock()
		// Finalizers keep the object; its processes are gone all the same.
		w.gone = len(p.Finalizers) == 0
		w.mu.Unlock()
		return time.Time{}
	}
	w.log.Warn("deleted pod not removed", "err", err)
	return w.k.o.Now().Add(time.Second)
}

func (w *worker) deadline(p *corev1.Pod) time.Time {
	if p.Spec.ActiveDeadlineSeconds == nil || w.startTime.IsZero() {
		return time.Time{}
	}
	return w.startTime.Add(time.Duration(*p.Spec.ActiveDeadlineSeconds) * time.Second)
}

func (w *worker) expired(p *corev1.Pod) bool {
	d := w.deadline(p)
	return !d.IsZero() && !w.k.o.Now().Before(d)
}

func (w *worker) fail(reason, message string) {
	w.mu.Lock()
	w.reason, w.message = reason, message
	w.mu.Unlock()
	w.k.event(w.current(), "", corev1.EventTypeNormal, reason, message)
}

func podGrace(p *corev1.Pod) time.Duration {
	if p.Spec.TerminationGracePeriodSeconds == nil {
		return 30 * time.Second
	}
	return time.Duration(*p.Spec.TerminationGracePeriodSeconds) * time.Second
}

func deletionGrace(p *corev1.Pod) time.Duration {
	if p.DeletionGracePeriodSeconds == nil {
		return podGrace(p)
	}
	return max(time.Duration(*p.DeletionGracePeriodSeconds)*time.Second, time.Second)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// prepare gives the pod its address and its volumes. A zero time: it is done.
func (w *worker) prepare(ctx context.Context, p *corev1.Pod) time.Time {
	w.mu.Lock()
	if w.startTime.IsZero() {
		w.startTime = seconds(w.k.o.Now())
	}
	prepared, stale := w.prepared, w.stale
	w.stale = false
	w.mu.Unlock()
	now := w.k.o.Now()
	renew := w.volumes.next()
	if prepared && !stale && (renew.IsZero() || now.Before(renew)) {
		return time.Time{}
	}
	if !prepared && !stale && now.Before(w.mountAfter) {
		return w.mountAfter
	}
	err := w.setUp(ctx, p)
	switch {
	case err == nil:
		w.mountTry = 0
		w.mu.Lock()
		w.prepared = true
		w.mu.Unlock()
		return time.Time{}
	case ctx.Err() != nil:
		return time.Time{}
	}
	w.mountTry = min(max(2*w.mountTry, 500*time.Millisecond), 2*time.Minute)
	w.mountAfter = now.Add(w.mountTry)
	for _, e := range split(err) {
		w.k.event(p, "", corev1.EventTypeWarning, "FailedMount", e.Error())
	}
	if prepared {
		return time.Time{} // the containers keep what they have
	}
	return w.mountAfter
}

func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func (w *worker) setUp(ctx context.Context, p *corev1.Pod) error {
	if !w.addr().IsValid() {
		ip := loopback.NodeIP
		if !p.Spec.HostNetwork {
			var err error
			if ip, err = w.k.ips.take(); err != nil {
				return err
			}
		}
		w.mu.Lock()
		w.ip = ip
		w.mu.Unlock()
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return fmt.Errorf("pod's folder: %w", err)
	}
	if data := w.k.dataDir(p); data != "" {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return fmt.Errorf("pod's data: %w", err)
		}
	}
	return w.volumes.sync(ctx, p)
}
