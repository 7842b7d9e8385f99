package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ErrNotReady says that objects did not become ready in time.
var ErrNotReady = errors.New("not everything became ready")

// Readiness is how far an object is.
type Readiness struct {
	Object  ID     `json:"object"`
	Ready   bool   `json:"ready"`
	Failed  bool   `json:"failed,omitempty"` // it will not become ready by waiting
	Message string `json:"message"`          // "2 of 3 pods ready; order-77: image cannot be pulled"
}

// WaitReady waits until every object is as it is meant to be: kstatus' "Current",
// and for Deployments and StatefulSets the pods of this generation. changed,
// which may be nil, hears each change. When timeout is over, or one has failed
// for good, the error wraps ErrNotReady and the result says what each waits for,
// pods' own reasons included.
func (c *Client) WaitReady(ctx context.Context, ids []ID, timeout time.Duration, changed func(Readiness)) ([]Readiness, error) {
	all := make([]Readiness, len(ids))
	for i, id := range ids {
		all[i] = Readiness{Object: id, Message: "not looked at yet"}
	}
	deadline, pause := time.Now().Add(timeout), 100*time.Millisecond
	for {
		waiting, err := c.look(ctx, all, changed)
		if err != nil {
			return all, err
		}
		if waiting == 0 {
			return all, notReady(all)
		}
		if time.Now().After(deadline) {
			c.reasons(ctx, all)
			return all, fmt.Errorf("%w in %s", notReady(all), timeout)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return all, ctx.Err()
		case <-timer.C:
		}
		pause = min(pause*3/2, time.Second)
	}
}

// look reads those that are not ready yet and counts those worth waiting for;
// one that has failed for good ends the wait for all.
func (c *Client) look(ctx context.Context, all []Readiness, changed func(Readiness)) (int, error) {
	waiting := 0
	for i := range all {
		r := &all[i]
		if r.Ready || r.Failed {
			continue
		}
		now, err := c.readiness(ctx, r.Object)
		if err != nil {
			return 0, err
		}
		if now != *r {
			*r = now
			if changed != nil {
				changed(now)
			}
		}
		if !r.Ready && !r.Failed {
			waiting++
		}
	}
	if slices.ContainsFunc(all, func(r Readiness) bool { return r.Failed }) {
		c.reasons(ctx, all)
		return 0, nil
	}
	return waiting, nil
}

func (c *Client) readiness(ctx context.Context, id ID) (Readiness, error) {
	r := Readiness{Object: id}
	resource, err := c.Resource(schema.GroupVersionKind{Group: id.Group, Kind: id.Kind}, id.Namespace)
	if err != nil {
		return r, err
	}
	var live *unstructured.Unstructured
	err = retry(ctx, func() (err error) {
		live, err = resource.Get(ctx, id.Name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		r.Message = "it does not exist"
		return r, nil
	}
	if err != nil {
		return r, Explain(err)
	}
	result, err := status.Compute(live)
	if err != nil {
		return r, fmt.Errorf("%s: %w", id, err)
	}
	r.Ready = result.Status == status.CurrentStatus
	r.Failed = result.Status == status.FailedStatus
	r.Message = result.Message
	return r, nil
}

// notReady is nil if everything is.
func notReady(all []Readiness) error {
	var names []string
	for _, r := range all {
		if !r.Ready {
			names = append(names, r.Object.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotReady, strings.Join(names, ", "))
}

// reasons adds what the pods of workloads say to their messages.
func (c *Client) reasons(ctx context.Context, all []Readiness) {
	for i := range all {
		r := &all[i]
		if r.Ready || r.Object.Namespace == "" {
			continue
		}
		if why := c.podReasons(ctx, r.Object); why != "" {
			r.Message = strings.TrimSuffix(r.Message, ".") + "; " + why
		}
	}
}

// podReasons says why pods of a workload are not ready, the newest first.
func (c *Client) podReasons(ctx context.Context, id ID) string {
	resource, err := c.Resource(schema.GroupVersionKind{Group: id.Group, Kind: id.Kind}, id.Namespace)
	if err != nil {
		return ""
	}
	live, err := resource.Get(ctx, id.Name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	selector, ok, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	if !ok {
		return ""
	}
	var labels metav1.LabelSelector
	if fromMap(selector, &labels) != nil {
		return ""
	}
	pods, err := c.Kube.CoreV1().Pods(id.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&labels)})
	if err != nil {
		return ""
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	var all []string
	for n := range pods.Items {
		if why := podReason(&pods.Items[n]); why != "" && len(all) < 3 {
			all = append(all, why)
		}
	}
	if len(all) == 0 && len(pods.Items) == 0 {
		return fmt.Sprintf("it has no pods yet: `kubectl -n %s describe %s -l %s` says why", id.Namespace, maker(id.Kind), metav1.FormatLabelSelector(&labels))
	}
	return strings.Join(all, "; ")
}

// maker is the kind that makes a workload's pods, in kubectl's words.
func maker(kind string) string {
	if kind == "Deployment" {
		return "replicaset"
	}
	return strings.ToLower(kind)
}

func podReason(p *corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		why := ""
		switch {
		case s.State.Waiting != nil && s.State.Waiting.Reason != "PodInitializing" && s.State.Waiting.Reason != "ContainerCreating":
			why = s.State.Waiting.Reason + ": " + s.State.Waiting.Message
		case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
			why = fmt.Sprintf("ended with %d (%s)", s.State.Terminated.ExitCode, s.State.Terminated.Reason)
		case s.State.Running != nil && !s.Ready && s.RestartCount > 0:
			why = fmt.Sprintf("runs and is not ready, %d restarts", s.RestartCount)
		case s.State.Running != nil && !s.Ready:
			why = "runs and is not ready"
		}
		if why != "" {
			return fmt.Sprintf("pod %s, container %s: %s; see `kubectl -n %s logs %s -c %s`", p.Name, s.Name, strings.TrimSuffix(why, ": "), p.Namespace, p.Name, s.Name)
		}
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			return fmt.Sprintf("pod %s: %s: %s", p.Name, cond.Reason, cond.Message)
		}
	}
	return ""
}
