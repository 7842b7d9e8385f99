package kubelet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// view is what a status is made of.
type view struct {
	containers      []container
	ip, nodeIP      string
	startTime       metav1.Time
	prepared        bool // address and volumes are there
	stopped         bool
	reason, message string
}

// podStatus is the status of a pod as a kubelet writes it. It starts from the
// old one, whose other conditions stay and whose transition times count.
func podStatus(p *corev1.Pod, v view, now time.Time) corev1.PodStatus {
	s := *p.Status.DeepCopy()
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	for i := range v.containers {
		c := &v.containers[i]
		cs := c.status(p, v)
		if c.role == mainContainer {
			s.ContainerStatuses = append(s.ContainerStatuses, cs)
		} else {
			s.InitContainerStatuses = append(s.InitContainerStatuses, cs)
		}
	}
	s.EphemeralContainerStatuses = nil
	for i := range p.Spec.EphemeralContainers {
		e := &p.Spec.EphemeralContainers[i]
		s.EphemeralContainerStatuses = append(s.EphemeralContainerStatuses, corev1.ContainerStatus{
			Name: e.Name, Image: e.Image, State: waiting("CreateContainerError", noShell), // kubectl debug
		})
	}
	s.Phase = phase(p, v)
	if v.reason != "" {
		s.Phase, s.Reason, s.Message = corev1.PodFailed, v.reason, v.message
	}
	if old := p.Status.Phase; old == corev1.PodSucceeded || old == corev1.PodFailed {
		s.Phase = old // nothing leaves these
	}
	if !v.startTime.IsZero() {
		s.StartTime = &v.startTime
		s.HostIP, s.HostIPs = v.nodeIP, []corev1.HostIP{{IP: v.nodeIP}}
	}
	if v.ip != "" {
		s.PodIP, s.PodIPs = v.ip, []corev1.PodIP{{IP: v.ip}}
	}
	s.ObservedGeneration = p.Generation
	conditions(p, &s, v, now)
	return s
}

func (c *container) status(p *corev1.Pod, v view) corev1.ContainerStatus {
	started := c.started || c.role == initContainer && c.state.Running != nil
	cs := corev1.ContainerStatus{
		Name: c.name, State: c.state, LastTerminationState: c.last, Ready: c.ready, Started: &started,
		RestartCount: c.restarts, Image: c.image, ImageID: c.imageID, ContainerID: c.id,
	}
	if v.stopped && c.state.Running != nil { // can't be: its process is gone
		cs.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown", ContainerID: c.id}}
	}
	if spec := containerSpec(p, c.name); spec != nil && cs.State.Running != nil {
		cs.Resources = spec.Resources.DeepCopy()
		cs.Resources.Claims = nil
		cs.AllocatedResources = spec.Resources.Requests.DeepCopy()
		for _, m := range spec.VolumeMounts {
			cs.VolumeMounts = append(cs.VolumeMounts, corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly})
		}
	}
	return cs
}

// phase follows the kubelet's rules (Kubernetes, "Pod lifecycle").
func phase(p *corev1.Pod, v view) corev1.PodPhase {
	var waiting, running, stopped, succeeded, pendingInit, failedInit int
	for i := range v.containers {
		c := &v.containers[i]
		ended := c.ended()
		switch {
		case c.role == initContainer && c.passed:
		case c.role == initContainer && ended != nil && ended.ExitCode != 0 && p.Spec.RestartPolicy == corev1.RestartPolicyNever:
			failedInit++
		case c.role == sidecar && c.passed:
		case c.role != mainContainer:
			pendingInit++
		case c.state.Running != nil:
			running++
		case ended == nil:
			waiting++
		default:
			stopped++
			if ended.ExitCode == 0 {
				succeeded++
			}
		}
	}
	if v.stopped && waiting > 0 { // never started, and never will
		stopped, waiting = stopped+waiting, 0
	}
	switch {
	case failedInit > 0:
		return corev1.PodFailed
	case v.stopped:
		if stopped == succeeded && stopped > 0 {
			return corev1.PodSucceeded
		}
		return corev1.PodFailed
	case pendingInit > 0 || waiting > 0:
		return corev1.PodPending
	case running > 0 || p.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		return corev1.PodRunning
	// What follows waits for the sidecars to end.
	case p.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && stopped != succeeded:
		return corev1.PodRunning
	}
	return corev1.PodRunning
}

func conditions(p *corev1.Pod, s *corev1.PodStatus, v view, now time.Time) {
	terminal := s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
	set := func(kind corev1.PodConditionType, ok bool, reason, message string) {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message, ObservedGeneration: p.Generation}
		if ok {
			c.Status = corev1.ConditionTrue
		}
		setCondition(s, c, now)
	}
	set(corev1.PodReadyToStartContainers, v.prepared && !v.stopped && !terminal, "", "")
	ok, reason, message := initialized(v, s.Phase)
	set(corev1.PodInitialized, ok, reason, message)
	ok, reason, message = containersReady(v, s.Phase)
	set(corev1.ContainersReady, ok, reason, message)
	if ok {
		ok, reason, message = gates(p)
	}
	set(corev1.PodReady, ok, reason, message)
	set(corev1.PodScheduled, true, "", "")
}

func setCondition(s *corev1.PodStatus, c corev1.PodCondition, now time.Time) {
	c.LastTransitionTime = seconds(now)
	at := slices.IndexFunc(s.Conditions, func(o corev1.PodCondition) bool { return o.Type == c.Type })
	if at < 0 {
		s.Conditions = append(s.Conditions, c)
		return
	}
	if old := s.Conditions[at]; old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
		c.LastProbeTime = old.LastProbeTime
	}
	s.Conditions[at] = c
}

const (
	podCompleted     = "PodCompleted"
	podFailed        = "PodFailed"
	containersUnseen = "ContainersNotInitialized"
	containersNot    = "ContainersNotReady"
)

func initialized(v view, ph corev1.PodPhase) (bool, string, string) {
	var not []string
	for i := range v.containers {
		if c := &v.containers[i]; c.role != mainContainer && !c.passed && (c.role != sidecar || !c.started) {
			not = append(not, c.name)
		}
	}
	switch {
	case len(not) == 0 && ph == corev1.PodSucceeded:
		return true, podCompleted, ""
	case len(not) == 0:
		return true, "", ""
	}
	return false, containersUnseen, fmt.Sprintf("containers with incomplete status: %s", list(not))
}

func containersReady(v view, ph corev1.PodPhase) (bool, string, string) {
	if ph == corev1.PodSucceeded {
		return false, podCompleted, ""
	}
	if ph == corev1.PodFailed {
		return false, podFailed, ""
	}
	var unready []string
	for i := range v.containers {
		if c := &v.containers[i]; c.role != initContainer && !c.ready {
			unready = append(unready, c.name)
		}
	}
	if len(unready) == 0 {
		return true, "", ""
	}
	return false, containersNot, fmt.Sprintf("containers with unready status: %s", list(unready))
}

// gates asks the conditions that others set, as the pod's readinessGates want.
func gates(p *corev1.Pod) (bool, string, string) {
	var messages []string
	for _, g := range p.Spec.ReadinessGates {
		at := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == g.ConditionType })
		switch {
		case at < 0:
			messages = append(messages, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", g.ConditionType))
		case p.Status.Conditions[at].Status != corev1.ConditionTrue:
			messages = append(messages, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %s", g.ConditionType, p.Status.Conditions[at].Status))
		}
	}
	if len(messages) == 0 {
		return true, "", ""
	}
	return false, "ReadinessGatesNotReady", strings.Join(messages, ", ")
}

func list(names []string) string { return "[" + strings.Join(names, " ") + "]" }
