package kubelet

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type role int

const (
	initContainer role = iota // runs to its end before the next
	sidecar                   // an init container with restartPolicy Always
	mainContainer
)

// container is what the kubelet knows about one container of a pod. Its fields
// are guarded by the worker's lock.
type container struct {
	name string
	role role

	state    corev1.ContainerState
	last     corev1.ContainerState
	restarts int32
	started  bool // running, postStart done and the startup probe passed
	ready    bool
	passed   bool // an init container that ended well, or a sidecar that has started once

	id, image, imageID string
	proc               *process // of the newest run
	alive              bool     // that run has not been noted as ended
	stopProbes         context.CancelFunc
	killing            bool
	finished           time.Time // precise; the status knows seconds only

	restart    wait
	pull       wait
	pullFailed time.Time
	retry      time.Time // not before, after an error that has no back-off of its own
}

func newContainers(p *corev1.Pod) []*container {
	var all []*container
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		r := initContainer
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			r = sidecar
		}
		all = append(all, &container{name: c.Name, role: r, image: c.Image})
	}
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		all = append(all, &container{name: c.Name, role: mainContainer, image: c.Image})
	}
	reason := "ContainerCreating"
	if len(p.Spec.InitContainers) > 0 {
		reason = "PodInitializing"
	}
	for _, c := range all {
		c.state = waiting(reason, "")
	}
	return all
}

// recover takes over what the API says of a container that the lab ran before it
// was stopped. Its process is gone, as after a reboot of a node: what ran counts
// as ended with an unknown code, 255, as containerd reports it.
func (c *container) recover(s *corev1.ContainerStatus, now time.Time) {
	c.restarts, c.last, c.id, c.imageID = s.RestartCount, s.LastTerminationState, s.ContainerID, s.ImageID
	switch {
	case s.State.Running != nil:
		c.finished = now
		c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 255, Reason: "Unknown", ContainerID: s.ContainerID,
			StartedAt: s.State.Running.StartedAt, FinishedAt: seconds(now),
		}}
	case s.State.Terminated != nil:
		c.state = s.State
		c.finished = s.State.Terminated.FinishedAt.Time
	case s.LastTerminationState.Terminated != nil: // it was in its back-off
		c.state, c.last = s.LastTerminationState, corev1.ContainerState{}
		c.finished = s.LastTerminationState.Terminated.FinishedAt.Time
	}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// ended is how the container ended, when it is not running and has run before.
func (c *container) ended() *corev1.ContainerStateTerminated {
	if c.state.Terminated != nil {
		return c.state.Terminated
	}
	if c.state.Waiting != nil {
		return c.last.Terminated
	}
	return nil
}

func (c *container) running() bool { return c.alive }

// restartable tells whether a container that ended is to be started again.
func (c *container) restartable(policy corev1.RestartPolicy) bool {
	e := c.ended()
	switch {
	case e == nil || c.role == sidecar:
		return true
	case c.role == initContainer:
		return e.ExitCode != 0 && policy != corev1.RestartPolicyNever
	case policy == corev1.RestartPolicyNever:
		return false
	case policy == corev1.RestartPolicyOnFailure:
		return e.ExitCode != 0
	}
	return true
}
