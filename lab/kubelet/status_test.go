package kubelet

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPhase(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
	}
	creating := waiting("ContainerCreating", "")
	one := func(s corev1.ContainerState) []container {
		return []container{{name: "c", role: mainContainer, state: s}}
	}
	for _, c := range []struct {
		name       string
		policy     corev1.RestartPolicy
		containers []container
		stopped    bool
		want       corev1.PodPhase
	}{
		{"nothing started", corev1.RestartPolicyAlways, one(creating), false, corev1.PodPending},
		{"it runs", corev1.RestartPolicyAlways, one(running), false, corev1.PodRunning},
		{"it crashed and waits", corev1.RestartPolicyAlways, []container{{role: mainContainer, state: waiting("CrashLoopBackOff", ""), last: ended(1)}}, false, corev1.PodRunning},
		{"an image is missing beside one that runs", corev1.RestartPolicyAlways, append(one(running), one(waiting("ErrImagePull", ""))...), false, corev1.PodPending},
		{"an init container runs", corev1.RestartPolicyAlways, append([]container{{role: initContainer, state: running}}, one(creating)...), false, corev1.PodPending},
		{"an init container failed for good", corev1.RestartPolicyNever, append([]container{{role: initContainer, state: ended(1)}}, one(creating)...), false, corev1.PodFailed},
		{"an init container failed and is tried again", corev1.RestartPolicyOnFailure, append([]container{{role: initContainer, state: ended(1)}}, one(creating)...), false, corev1.PodPending},
		{"a native sidecar starts", corev1.RestartPolicyAlways, append([]container{{role: sidecar, state: running}}, one(creating)...), false, corev1.PodPending},
		{"a job is done and its sidecar still ends", corev1.RestartPolicyNever, append([]container{{role: sidecar, passed: true, state: running}}, one(ended(0))...), false, corev1.PodRunning},
		{"a job is done", corev1.RestartPolicyNever, append([]container{{role: sidecar, passed: true, state: ended(143)}}, one(ended(0))...), true, corev1.PodSucceeded},
		{"a job failed", corev1.RestartPolicyNever, one(ended(2)), true, corev1.PodFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: c.policy}}
			if got := phase(p, view{containers: c.containers, stopped: c.stopped}); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestConditionsKeepTheirTransitionTimeAndOthersConditions(t *testing.T) {
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: "acme.io/x", Status: corev1.ConditionTrue}}}}
	v := view{containers: []container{{name: "c", role: mainContainer, ready: true, started: true,
		state: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}, prepared: true, ip: "10.244.0.10"}
	p.Status = podStatus(p, v, begin)
	v.containers[0].ready = false
	s := podStatus(p, v, begin.Add(time.Minute))
	want := map[corev1.PodConditionType]time.Time{
		"acme.io/x": {}, corev1.PodInitialized: begin, corev1.PodReadyToStartContainers: begin,
		corev1.ContainersReady: begin.Add(time.Minute), corev1.PodReady: begin.Add(time.Minute), corev1.PodScheduled: begin,
	}
	if len(s.Conditions) != len(want) {
		t.Errorf("%d conditions", len(s.Conditions))
	}
	for _, c := range s.Conditions {
		if at := metav1.NewTime(want[c.Type]); !c.LastTransitionTime.Equal(&at) && !want[c.Type].IsZero() {
			t.Errorf("%s changed at %s, want %s", c.Type, c.LastTransitionTime, at)
		}
	}
}
