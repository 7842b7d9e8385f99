package kubelet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// errorRetry is how long a container that could not be created is left alone,
// unless what it lacks changes before.
const errorRetry = 5 * time.Second

// start starts a container: image, environment, process, postStart. It gives
// the time of the next try where that did not work.
func (w *worker) start(ctx context.Context, p *corev1.Pod, c *container, spec *corev1.Container) time.Time {
	if after := w.pullBackOff(p, c, spec.Image); !after.IsZero() {
		return after
	}
	prog, err := w.k.o.Programs.Find(p, spec)
	if err != nil {
		return w.noImage(p, c, spec.Image, err)
	}
	w.mu.Lock()
	c.pull, c.pullFailed, c.retry = wait{}, time.Time{}, time.Time{}
	number := c.restarts
	if c.ended() != nil {
		number++
	}
	w.mu.Unlock()
	w.k.event(p, c.name, corev1.EventTypeNormal, "Pulled",
		fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", spec.Image))
	env, err := w.environment(ctx, p, spec)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return w.notCreated(ctx, p, c, "CreateContainerConfigError", err)
	}
	id := newID()
	l, err := w.launch(p, spec, prog, env, number)
	if err != nil {
		return w.notCreated(ctx, p, c, "CreateContainerError", err)
	}
	w.k.event(p, c.name, corev1.EventTypeNormal, "Created", "Container created")
	w.begin(c, number, id, prog.ID)
	notify(w.dirty) // a postStart hook may take its time
	if prog.Completes {
		w.completed(c)
		w.k.event(p, c.name, corev1.EventTypeNormal, "Started", "Container started")
		return time.Time{}
	}
	proc, err := start(l)
	if err != nil {
		w.startFailed(p, c, err)
		return time.Time{}
	}
	w.k.event(p, c.name, corev1.EventTypeNormal, "Started", "Container started")
	return w.goOn(ctx, p, c, spec, proc)
}

// goOn goes on with a process that started: postStart, probes.
func (w *worker) goOn(ctx context.Context, p *corev1.Pod, c *container, spec *corev1.Container, proc *process) time.Time {
	w.mu.Lock()
	c.proc, c.alive = proc, true
	w.mu.Unlock()
	go func() {
		<-proc.done
		w.exited(c, proc)
	}()
	if spec.Lifecycle != nil && spec.Lifecycle.PostStart != nil {
		if err := w.hook(ctx, spec, spec.Lifecycle.PostStart, proc.done); err != nil && ctx.Err() == nil && proc.running() {
			w.k.event(p, c.name, corev1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed: "+err.Error())
			go w.kill(p, c, podGrace(p), "FailedPostStartHook")
			return time.Time{}
		}
	}
	w.mu.Lock()
	if c.proc == proc && c.alive {
		c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: seconds(proc.started)}}
		w.probe(c, spec, proc)
	}
	w.mu.Unlock()
	notify(w.dirty)
	return time.Time{}
}

// notCreated shows why a container could not even be started.
func (w *worker) notCreated(ctx context.Context, p *corev1.Pod, c *container, reason string, err error) time.Time {
	if ctx.Err() != nil {
		return time.Time{}
	}
	w.mu.Lock()
	if e := c.ended(); c.state.Terminated != nil && e != nil {
		c.last = c.state
	}
	c.state = waiting(reason, err.Error())
	c.retry = w.k.o.Now().Add(errorRetry)
	after := c.retry
	w.mu.Unlock()
	w.k.event(p, c.name, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
	return after
}

// begin counts a start.
func (w *worker) begin(c *container, number int32, id, image string) {
	now := w.k.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := c.ended(); e != nil {
		c.restart.tried(w.k.backOff, c.finished, now)
		c.last = corev1.ContainerState{Terminated: e}
	}
	reason := "ContainerCreating"
	for _, other := range w.containers {
		if other.role != mainContainer {
			reason = "PodInitializing"
		}
	}
	c.state = waiting(reason, "")
	c.restarts, c.id, c.imageID, c.proc, c.killing = number, "meshstorm-lab://"+id, image, nil, false
	c.started, c.ready = false, false
}

// completed is for what needs no process: istio-init.
func (w *worker) completed(c *container) {
	now := w.k.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	c.finished, c.passed, c.ready = now, true, true
	c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: "Completed", ContainerID: c.id, StartedAt: seconds(now), FinishedAt: seconds(now),
	}}
}

func (w *worker) startFailed(p *corev1.Pod, c *container, err error) {
	now := w.k.o.Now()
	w.mu.Lock()
	c.finished = now
	c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: "StartError", Message: err.Error(), ContainerID: c.id,
		StartedAt: seconds(time.Unix(0, 0)), FinishedAt: seconds(now),
	}}
	w.mu.Unlock()
	w.k.event(p, c.name, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
	w.poke()
}

// exited notes how a process ended.
func (w *worker) exited(c *container, proc *process) {
	message := w.terminationMessage(c, proc)
	w.mu.Lock()
	defer func() { w.mu.Unlock(); w.poke() }()
	if c.proc != proc || !c.alive {
		return
	}
	c.alive = false
	if err := proc.log.Err(); err != nil {
		w.log.Warn("a container's log has gaps", "container", c.name, "err", err)
	}
	if c.stopProbes != nil {
		c.stopProbes()
	}
	reason := "Completed"
	if proc.code != 0 {
		reason = "Error"
	}
	c.finished, c.started, c.ready = proc.finished, false, false
	c.passed = c.passed || proc.code == 0 && c.role == initContainer
	c.ready = c.role == initContainer && proc.code == 0
	c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: proc.code, Signal: 0, Reason: reason, Message: message, ContainerID: c.id,
		StartedAt: seconds(proc.started), FinishedAt: seconds(proc.finished),
	}}
}

// launch writes what the process reads and puts its command together.
func (w *worker) launch(p *corev1.Pod, c *corev1.Container, prog Program, env map[string]string, number int32) (launch, error) {
	dir := w.containerDir(c.Name)
	home, tmp := filepath.Join(dir, "home"), filepath.Join(dir, "tmp")
	for _, d := range []string{home, tmp} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return launch{}, err
		}
	}
	message := w.messageFile(c.Name)
	if err := os.WriteFile(message, nil, 0o600); err != nil {
		return launch{}, err
	}
	s, err := w.spec(p, c, env, message)
	if err != nil {
		return launch{}, err
	}
	file := filepath.Join(dir, "pod.json")
	if err := writeJSON(file, s); err != nil {
		return launch{}, err
	}
	own := map[string]string{"PATH": os.Getenv("PATH"), "HOSTNAME": p.Name, "HOME": home, "TMPDIR": tmp}
	maps.Copy(own, env)
	own[pod.Variable], own[pod.LifeVariable] = file, "1"
	if prog.Kubeconfig {
		own["KUBECONFIG"] = filepath.Join(dir, "kubeconfig")
		if err := w.kubeconfig(own["KUBECONFIG"], s); err != nil {
			return launch{}, err
		}
	}
	l := launch{path: prog.Path, args: slices.Clone(prog.Args), dir: home, now: w.k.o.Now,
		log: w.k.logFile(p, c.Name, number)}
	if prog.PassArgs {
		l.args = append(l.args, s.Args...)
	}
	l.env = append(l.env, prog.Env...)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		l.env = append(l.env, name+"="+own[name])
	}
	w.removeOldLogs(p, c.Name, number)
	return l, nil
}

func (w *worker) containerDir(name string) string { return filepath.Join(w.dir, "containers", name) }

func (w *worker) messageFile(name string) string {
	return filepath.Join(w.containerDir(name), "termination-log")
}

func (k *Kubelet) logDir(p *corev1.Pod) string {
	return filepath.Join(k.o.Dir, "pods", p.Namespace+"_"+p.Name+"_"+string(p.UID))
}

func (k *Kubelet) logFile(p *corev1.Pod, name string, number int32) string {
	return filepath.Join(k.logDir(p), name, strconv.Itoa(int(number))+".log")
}

// removeOldLogs keeps the last two runs, as a kubelet keeps one dead container.
func (w *worker) removeOldLogs(p *corev1.Pod, name string, number int32) {
	if number < 2 {
		return
	}
	old := w.k.logFile(p, name, number-2)
	_ = os.Remove(old)
	_ = os.Remove(old + ".1")
}

func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand says
	return hex.EncodeToString(b[:])
}
