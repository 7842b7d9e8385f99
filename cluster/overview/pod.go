package overview

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// proxyName is the container of Istio's sidecar.
const proxyName = "istio-proxy"

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func hasProxy(p *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.InitContainers, p.Spec.Containers), func(c corev1.Container) bool { return c.Name == proxyName })
}

func podOf(p *corev1.Pod) Pod {
	out := Pod{
		Namespace: p.Namespace, Name: p.Name, Created: p.CreationTimestamp.Time, Total: len(p.Spec.Containers),
		App: p.Labels["app"], Track: p.Labels["track"], Version: p.Labels["version"], IP: p.Status.PodIP, Node: p.Spec.NodeName,
	}
	for _, c := range p.Spec.InitContainers {
		if always(c) {
			out.Total++
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		out.Restarts += int(s.RestartCount)
		if s.Ready {
			out.Ready++
		}
	}
	for _, s := range p.Status.InitContainerStatuses {
		if i := slices.IndexFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == s.Name }); i >= 0 && always(p.Spec.InitContainers[i]) {
			out.Restarts += int(s.RestartCount)
			if s.Ready {
				out.Ready++
			}
		}
	}
	out.Status, out.Reason = status(p), reason(p)
	return out
}

// reason is what a container that waits or failed says, else what the pod's
// conditions say.
func reason(p *corev1.Pod) string {
	if isReady(p) || p.Status.Phase == corev1.PodSucceeded {
		return ""
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch w, t := s.State.Waiting, s.State.Terminated; {
		case w != nil && w.Message != "":
			return s.Name + ": " + w.Message
		case t != nil && t.ExitCode != 0:
			return strings.TrimSuffix(fmt.Sprintf("%s: ended with code %d: %s", s.Name, t.ExitCode, strings.TrimSpace(t.Message)), ": ")
		}
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodReady} {
		for _, c := range p.Status.Conditions {
			if c.Type == kind && c.Status != corev1.ConditionTrue && c.Message != "" {
				return c.Message
			}
		}
	}
	return ""
}

// always: a sidecar in the sense of Kubernetes, an init container that goes on
// (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers).
func always(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// status is the word that kubectl's table has for a pod.
func status(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		if p.Status.Reason == "NodeLost" {
			return "Unknown"
		}
		return "Terminating"
	}
	if word, initializing := initStatus(p); initializing {
		return word
	}
	word := string(p.Status.Phase)
	if p.Status.Reason != "" {
		word = p.Status.Reason
	}
	running := false
	for _, s := range slices.Backward(p.Status.ContainerStatuses) {
		switch {
		case s.State.Waiting != nil && s.State.Waiting.Reason != "":
			word = s.State.Waiting.Reason
		case s.State.Terminated != nil && s.State.Terminated.Reason != "":
			word = s.State.Terminated.Reason
		case s.State.Terminated != nil:
			word = ended(s.State.Terminated)
		case s.Ready && s.State.Running != nil:
			running = true
		}
	}
	if word == "Completed" && running {
		if isReady(p) {
			return "Running"
		}
		return "NotReady"
	}
	return word
}

func ended(t *corev1.ContainerStateTerminated) string {
	if t.Signal != 0 {
		return fmt.Sprintf("Signal:%d", t.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", t.ExitCode)
}

// initStatus is the word while init containers run.
func initStatus(p *corev1.Pod) (string, bool) {
	for i, s := range p.Status.InitContainerStatuses {
		sidecar := i < len(p.Spec.InitContainers) && always(p.Spec.InitContainers[i])
		switch {
		case s.State.Terminated != nil && s.State.Terminated.ExitCode == 0, sidecar && s.Started != nil && *s.Started:
			continue
		case s.State.Terminated != nil && s.State.Terminated.Reason != "":
			return "Init:" + s.State.Terminated.Reason, true
		case s.State.Terminated != nil:
			return "Init:" + ended(s.State.Terminated), true
		case s.State.Waiting != nil && s.State.Waiting.Reason != "" && s.State.Waiting.Reason != "PodInitializing":
			return "Init:" + s.State.Waiting.Reason, true
		}
		return fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers)), true
	}
	return "", false
}
