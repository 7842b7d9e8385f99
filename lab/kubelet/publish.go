package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// publishChanges writes the status whenever something may have changed it. A
// write that fails is tried again.
func (w *worker) publishChanges(ctx context.Context) {
	delay := 100 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.dirty:
		}
		if err := w.publish(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("pod status not written", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(delay):
			}
			delay = min(2*delay, 5*time.Second)
			notify(w.dirty)
			continue
		}
		delay = 100 * time.Millisecond
	}
}

// publish patches the status if it is not what the API has.
func (w *worker) publish(ctx context.Context) error {
	w.publishing.Lock()
	defer w.publishing.Unlock()
	old, v := w.view()
	if old == nil || v.frozen(old) {
		return nil
	}
	status := podStatus(old, v, w.k.o.Now())
	if equality.Semantic.DeepEqual(old.Status, status) {
		return nil
	}
	patch, err := statusPatch(old, status)
	if err != nil {
		return err
	}
	got, err := w.k.o.Client.CoreV1().Pods(old.Namespace).Patch(ctx, old.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	switch {
	case err == nil:
		w.mu.Lock()
		w.written = got
		w.mu.Unlock()
	case notThere(err): // the watch will say so, too
		return nil
	}
	return err
}

// notThere tells whether the pod is gone, or another one has its name.
func notThere(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

// frozen is a pod that ended in an earlier run of the lab.
func (v view) frozen(p *corev1.Pod) bool {
	return v.stopped && len(v.containers) > 0 && (p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed) &&
		p.Status.ContainerStatuses != nil && !v.prepared
}

// view copies what the status is made of, and gives the newest version of the
// pod: the watch may be behind the last write.
func (w *worker) view() (*corev1.Pod, view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return nil, view{}
	}
	p := w.pod
	if w.written != nil && newer(w.written, p) {
		p = w.written
	}
	v := view{nodeIP: w.k.nodeIP, startTime: w.startTime, prepared: w.prepared, stopped: w.stopped, reason: w.reason, message: w.message}
	if w.ip.IsValid() {
		v.ip = w.ip.String()
	}
	for _, c := range w.containers {
		v.containers = append(v.containers, *c)
	}
	return p, v
}

func newer(a, b *corev1.Pod) bool {
	x, err1 := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, err2 := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return err1 == nil && err2 == nil && x > y
}

// statusPatch is the difference, for this very pod: the UID makes it fail on
// another one of the same name.
func statusPatch(p *corev1.Pod, status corev1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(corev1.Pod{Status: p.Status})
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: p.UID}, Status: status})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("pod status: %w", err)
	}
	return patch, nil
}
