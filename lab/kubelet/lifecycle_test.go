package kubelet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

func TestAPodRunsUntilItIsDeleted(t *testing.T) {
	l := newLab(t)
	k := l.start()
	l.create(newPod())
	p := l.wait("ready", "p", ready)
	if p.Spec.NodeName != "lab" || p.Status.Phase != corev1.PodRunning || p.Status.HostIP != "10.244.0.1" {
		t.Errorf("node %q, phase %s, host IP %q", p.Spec.NodeName, p.Status.Phase, p.Status.HostIP)
	}
	if !strings.HasPrefix(p.Status.PodIP, "10.244.") || p.Status.PodIP == "10.244.0.1" {
		t.Errorf("pod IP %q", p.Status.PodIP)
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodScheduled} {
		if condition(p, kind) != corev1.ConditionTrue {
			t.Errorf("condition %s is %q", kind, condition(p, kind))
		}
	}
	cs := p.Status.ContainerStatuses[0]
	if !cs.Ready || cs.Started == nil || !*cs.Started || cs.RestartCount != 0 || cs.ContainerID == "" || p.Status.ObservedGeneration != 1 {
		t.Errorf("container status %+v", cs)
	}
	for _, e := range []string{"Normal Scheduled Successfully assigned default/p to lab", "Normal Pulled Container image \"test:1\"", "Normal Created Container created", "Normal Started Container started"} {
		l.event(e)
	}
	eventually(t, "log", func() bool { return strings.Contains(l.log(p, "c", 0), " stdout F started\n") }, func() string { return l.log(p, "c", 0) })
	stats := k.Stats()
	if len(stats) != 1 || stats[0].Pod != "p" || stats[0].MemoryBytes == 0 || stats[0].PID == 0 {
		t.Errorf("stats %+v", stats)
	}
	l.delete("p", 5)
	eventually(t, "gone", func() bool { return l.get("p") == nil }, func() string { return "still there" })
	l.event("Normal Killing Stopping container c")
	eventually(t, "folders removed", func() bool { e, _ := os.ReadDir(filepath.Join(l.dir, "pods")); return len(e) == 0 }, func() string { return "" })
}

func TestHowPodsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy corev1.RestartPolicy
		args   []string
		phase  corev1.PodPhase
		reason string
	}{
		{"a job's pod that works is Completed", corev1.RestartPolicyNever, []string{"exit 0"}, corev1.PodSucceeded, ""},
		{"a job's pod that fails is in Error", corev1.RestartPolicyNever, []string{"exit 3"}, corev1.PodFailed, "Error"},
		{"success ends a pod that restarts on failure", corev1.RestartPolicyOnFailure, []string{"exit 0"}, corev1.PodSucceeded, ""},
		{"a pod that always restarts is in CrashLoopBackOff", corev1.RestartPolicyAlways, []string{"exit 1"}, corev1.PodRunning, "CrashLoopBackOff"},
		{"so is one that ends well", corev1.RestartPolicyAlways, []string{"exit 0"}, corev1.PodRunning, "CrashLoopBackOff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.start()
			l.create(newPod(policy(c.policy), args(append([]string{"message farewell"}, c.args...)...)))
			p := l.wait(string(c.phase), "p", func(p *corev1.Pod) bool {
				return p.Status.Phase == c.phase && len(p.Status.ContainerStatuses) > 0 && reason(p) == c.reason
			})
			cs := p.Status.ContainerStatuses[0]
			end := cs.State.Terminated
			if end == nil {
				end = cs.LastTerminationState.Terminated
			}
			if end == nil || end.Message != "farewell" || ready(p) {
				t.Errorf("container %+v, ready %v", cs, ready(p))
			}
		})
	}
}

func TestRestartsAreCountedAndThePreviousLogStays(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(args("print one run", "exit 1")))
	p := l.wait("two restarts", "p", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount >= 2
	})
	l.event("Warning BackOff Back-off restarting failed container c in pod p_default(uid-p)")
	if last := p.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 1 || last.Reason != "Error" {
		t.Errorf("last state %+v", p.Status.ContainerStatuses[0].LastTerminationState)
	}
	if !strings.Contains(l.log(p, "c", 1), "one run") {
		t.Error("the log of the run before is gone")
	}
}

func TestImagesThatTheLabCannotRun(t *testing.T) {
	l := newLab(t)
	l.start()
	p := newPod()
	p.Spec.Containers[0].Image, p.Labels = "ghcr.io/acme/order:v1", map[string]string{"app": "order"}
	l.create(p)
	got := l.wait("ErrImagePull", "p", func(p *corev1.Pod) bool { return reason(p) == "ErrImagePull" })
	if m := got.Status.ContainerStatuses[0].State.Waiting.Message; !strings.Contains(m, "label app=order names no bounded context") {
		t.Errorf("message %q", m)
	}
	got = l.wait("ImagePullBackOff", "p", func(p *corev1.Pod) bool { return reason(p) == "ImagePullBackOff" })
	if got.Status.Phase != corev1.PodPending {
		t.Errorf("phase %s", got.Status.Phase)
	}
	l.event("Warning Failed Error: ErrImagePull")
	l.event("Normal BackOff Back-off pulling image \"ghcr.io/acme/order:v1\"")
}

func TestAModelThatArrivesLaterStartsThePod(t *testing.T) {
	l := newLab(t)
	l.start(func(o *kubeletOptions) { o.BackOff.Initial = hour; o.BackOff.Max = hour })
	p := newPod(args("wait"))
	p.Spec.Containers[0].Image, p.Labels = "ghcr.io/acme/order:v1", map[string]string{"app": "order"}
	l.create(p)
	l.wait("refused", "p", func(p *corev1.Pod) bool { return reason(p) == "ErrImagePull" })
	l.models.add("default/order")
	l.wait("running", "p", ready)
}

func TestProbes(t *testing.T) {
	l := newLab(t)
	l.start()
	file := filepath.Join(t.TempDir(), "ok")
	probe := &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("http")}}}
	l.create(newPod(args("serve 8080 "+file, "wait"), func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		c.ReadinessProbe = probe
		c.StartupProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 20, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}}
	}))
	l.event("Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503")
	if ready(l.get("p")) {
		t.Error("ready before its probe says so")
	}
	write(t, file)
	l.wait("ready", "p", ready)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p := l.wait("unready again", "p", func(p *corev1.Pod) bool { return !ready(p) })
	if p.Status.Phase != corev1.PodRunning || p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("phase %s, restarts %d", p.Status.Phase, p.Status.ContainerStatuses[0].RestartCount)
	}
}

func TestALivenessProbeRestartsAContainer(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(args("wait"), func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1,
			ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(9)}}}
	}))
	l.wait("restarted", "p", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount > 0
	})
	l.event("Warning Unhealthy Liveness probe failed: dial tcp 10.244.")
	l.event("Normal Killing Container c failed liveness probe, will be restarted")
}

func TestInitContainersAndSidecarsRunInOrder(t *testing.T) {
	l := newLab(t)
	l.start()
	always := corev1.ContainerRestartPolicyAlways
	hold := filepath.Join(t.TempDir(), "started")
	l.create(newPod(func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{
			{Name: "istio-init", Image: "docker.io/istio/proxyv2:1.31.0", Args: []string{"istio-iptables", "-p", "15001"}},
			{Name: "first", Image: "test:1", Args: []string{"print init", "exit 0"}},
			{Name: "side", Image: "test:1", RestartPolicy: &always, Args: []string{"serve 15021 " + hold, "wait"},
				StartupProbe: &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 60, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromInt32(15021)}}}},
		}
	}))
	p := l.wait("sidecar starting", "p", func(p *corev1.Pod) bool {
		return len(p.Status.InitContainerStatuses) == 3 && p.Status.InitContainerStatuses[2].State.Running != nil
	})
	for _, c := range p.Status.InitContainerStatuses[:2] {
		if c.State.Terminated == nil || c.State.Terminated.Reason != "Completed" || !c.Ready {
			t.Errorf("init container %+v", c)
		}
	}
	if w := p.Status.ContainerStatuses[0].State.Waiting; w == nil || w.Reason != "PodInitializing" || p.Status.Phase != corev1.PodPending {
		t.Errorf("main container %+v, phase %s", p.Status.ContainerStatuses[0].State, p.Status.Phase)
	}
	write(t, hold)
	p = l.wait("ready", "p", ready)
	if !p.Status.InitContainerStatuses[2].Ready {
		t.Error("the sidecar is not ready")
	}
}

func TestSidecarsEndAfterTheMainContainers(t *testing.T) {
	l := newLab(t)
	l.start()
	always := corev1.ContainerRestartPolicyAlways
	order := filepath.Join(t.TempDir(), "order")
	l.create(newPod(args("print up", "record "+order), func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 1}}}
		p.Spec.InitContainers = []corev1.Container{
			{Name: "side-1", Image: "test:1", RestartPolicy: &always, Args: []string{"print up", "record " + order}},
			{Name: "side-2", Image: "test:1", RestartPolicy: &always, Args: []string{"print up", "record " + order}},
		}
	}))
	p := l.wait("ready", "p", ready)
	for _, name := range []string{"c", "side-1", "side-2"} {
		eventually(t, name+" up", func() bool { return strings.Contains(l.log(p, name, 0), "up") }, func() string { return "" })
	}
	l.delete("p", 10)
	eventually(t, "gone", func() bool { return l.get("p") == nil }, func() string { return "still there" })
	got, err := os.ReadFile(order)
	if want := "c\nside-2\nside-1\n"; err != nil || string(got) != want {
		t.Errorf("ended in the order %q, want %q (%v)", got, want, err)
	}
}

func TestAContainerThatIgnoresItsSignalIsKilled(t *testing.T) {
	l := newLab(t)
	k := l.start()
	l.create(newPod(args("deaf")))
	p := l.wait("ready", "p", ready)
	eventually(t, "deaf", func() bool { return strings.Contains(l.log(p, "c", 0), "deaf") }, func() string { return "" })
	l.delete("p", 1)
	eventually(t, "gone", func() bool { return l.get("p") == nil }, func() string { return "still there" })
	if s := k.Stats(); len(s) != 0 {
		t.Errorf("still running: %+v", s)
	}
}

func TestHooks(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "true"}}}}
	}))
	l.event("Warning FailedPostStartHook PostStartHook failed: the lab runs no commands in containers")
	hold := filepath.Join(t.TempDir(), "ready")
	l.create(newPod(func(p *corev1.Pod) {
		p.Name, p.UID = "held", "uid-held"
		p.Spec.Containers = []corev1.Container{
			{Name: "istio-proxy", Image: "test:1", Args: []string{"serve 15021 " + hold, "wait"}, Lifecycle: &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"pilot-agent", "wait"}}}}},
			p.Spec.Containers[0],
		}
	}))
	p := l.wait("has an address", "held", func(p *corev1.Pod) bool { return p.Status.PodIP != "" })
	if p.Status.ContainerStatuses[1].State.Waiting == nil {
		t.Error("the application did not wait for the proxy")
	}
	write(t, hold)
	l.wait("ready", "held", ready)
}

func TestADeadlineFailsThePod(t *testing.T) {
	l := newLab(t)
	l.start()
	one := int64(1)
	l.create(newPod(func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = &one }))
	p := l.wait("failed", "p", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed })
	if p.Status.Reason != "DeadlineExceeded" {
		t.Errorf("reason %q", p.Status.Reason)
	}
}

func TestAfterARestartOfTheLabPodsRunAgainWithTheirAddress(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod())
	l.create(newPod(func(p *corev1.Pod) { p.Name, p.UID = "done", "uid-done" }, policy(corev1.RestartPolicyNever), args("exit 0")))
	before := l.wait("ready", "p", ready)
	l.wait("done", "done", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
	l.stop()
	k := l.start()
	p := l.wait("restarted", "p", func(p *corev1.Pod) bool {
		return ready(p) && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	last := p.Status.ContainerStatuses[0].LastTerminationState.Terminated
	if p.Status.PodIP != before.Status.PodIP || last == nil || last.ExitCode != 255 {
		t.Errorf("IP %s, was %s; last state %+v", p.Status.PodIP, before.Status.PodIP, last)
	}
	if s := k.Stats(); len(s) != 1 {
		t.Errorf("running: %+v", s)
	}
	if done := l.get("done"); done.Status.Phase != corev1.PodSucceeded || done.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the completed pod is now %+v", done.Status)
	}
	l.delete("done", 0)
	eventually(t, "removed", func() bool { return l.get("done") == nil }, func() string { return "" })
}

func TestScheduling(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }))
	p := l.wait("unschedulable", "p", func(p *corev1.Pod) bool { return condition(p, corev1.PodScheduled) == corev1.ConditionFalse })
	if p.Spec.NodeName != "" {
		t.Error("bound all the same")
	}
	l.event("Warning FailedScheduling 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector")
	l.create(newPod(func(p *corev1.Pod) {
		p.Name, p.UID, p.Spec.SchedulingGates = "gated", "uid-g", []corev1.PodSchedulingGate{{Name: "wait"}}
	}))
	l.create(newPod(func(p *corev1.Pod) { p.Name, p.UID, p.Spec.HostNetwork = "host", "uid-h", true }))
	if p := l.wait("ready", "host", ready); p.Status.PodIP != loopback.NodeIP.String() {
		t.Errorf("host network, but IP %s", p.Status.PodIP)
	}
	if l.get("gated").Spec.NodeName != "" {
		t.Error("a gated pod was bound")
	}
}

func TestReadinessGates(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(func(p *corev1.Pod) { p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "acme.io/ok"}} }))
	p := l.wait("containers ready", "p", func(p *corev1.Pod) bool { return condition(p, corev1.ContainersReady) == corev1.ConditionTrue })
	if ready(p) {
		t.Error("ready without its gate")
	}
	p = p.DeepCopy()
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "acme.io/ok", Status: corev1.ConditionTrue})
	if _, err := l.client.CoreV1().Pods("default").UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.wait("ready", "p", ready)
}

func TestTheNodeIsReady(t *testing.T) {
	l := newLab(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "lab"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule}}}})
	l.start()
	eventually(t, "node", func() bool {
		n, err := l.client.CoreV1().Nodes().Get(t.Context(), "lab", metav1.GetOptions{})
		if err != nil || len(n.Status.Conditions) == 0 {
			return false
		}
		last := n.Status.Conditions[len(n.Status.Conditions)-1]
		return last.Type == corev1.NodeReady && last.Status == corev1.ConditionTrue && len(n.Spec.Taints) == 0 &&
			n.Status.NodeInfo.ContainerRuntimeVersion == "meshstorm-lab://test" && n.Status.DaemonEndpoints.KubeletEndpoint.Port == 10250
	}, func() string { return "" })
	eventually(t, "lease", func() bool {
		_, err := l.client.CoordinationV1().Leases("kube-node-lease").Get(t.Context(), "lab", metav1.GetOptions{})
		return err == nil
	}, func() string { return "" })
}
