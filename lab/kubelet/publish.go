package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
	same := equality.Semantic.DeepEqual
	if same(old.Status, status) && (w.sent == nil || same(*w.sent, status)) {
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
		w.sent = &status
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

// ownConditions are the conditions that a kubelet sets; all others are left.
var ownConditions = map[corev1.PodConditionType]bool{
	corev1.PodReadyToStartContainers: true, corev1.PodInitialized: true, corev1.ContainersReady: true,
	corev1.PodReady: true, corev1.PodScheduled: true,
}

// statusPatch says all that the kubelet knows, not the difference to what the
// watch has brought so far, which may be behind. It is for this very pod: the
// UID makes it fail on another one of the same name.
func statusPatch(p *corev1.Pod, status corev1.PodStatus) ([]byte, error) {
	s := *status.DeepCopy()
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c corev1.PodCondition) bool { return !ownConditions[c.Type] })
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("pod status: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("pod status: %w", err)
	}
	for _, c := range fields["conditions"].([]any) {
		for _, name := range []string{"reason", "message"} { // merged by type: what is empty now must be removed
			if c := c.(map[string]any); c[name] == nil {
				c[name] = nil
			}
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.UID}, "status": fields})
}
