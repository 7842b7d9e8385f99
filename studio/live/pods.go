package live

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/meshstorm/meshstorm/cluster"
)

const (
	proxyName = "istio-proxy"
	maxLog    = 2 << 20 // bytes of a log that is read at once
	maxEvents = 50
	// linesAtOnce is how many lines of a log that is followed go together.
	linesAtOnce = 200
)

// PodDetail is a pod with why it is as it is.
type PodDetail struct {
	Pod        string         `json:"pod"`
	Phase      string         `json:"phase" example:"Running"`
	Message    string         `json:"message,omitempty" doc:"What Kubernetes says of the whole pod: why it is not scheduled."`
	Node       string         `json:"node,omitempty"`
	IP         string         `json:"ip,omitempty"`
	Containers []PodContainer `json:"containers" doc:"The applications' first, then the proxy, then those that only begin."`
	Events     []PodEvent     `json:"events" doc:"The newest first."`
}

// PodContainer is a container of a pod.
type PodContainer struct {
	Name     string `json:"name"`
	Ready    bool   `json:"ready"`
	State    string `json:"state" doc:"running, or why it is not: CrashLoopBackOff, Completed." example:"running"`
	Message  string `json:"message,omitempty"`
	Restarts int    `json:"restarts"`
	Image    string `json:"image"`
	Proxy    bool   `json:"proxy" doc:"Istio's sidecar."`
	Init     bool   `json:"init" doc:"It runs before the others."`
}

// PodEvent is what Kubernetes noted.
type PodEvent struct {
	Type    string    `json:"type" enum:"Normal,Warning"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int       `json:"count"`
	Last    time.Time `json:"last"`
}

// ErrNoPod says that the pod is not there.
var ErrNoPod = fmt.Errorf("no such pod; it may have been replaced meanwhile")

// Pod describes a pod. The error wraps ErrNoPod.
func (l *Clusters) Pod(ctx context.Context, p Place, name string) (*PodDetail, error) {
	c, _, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	pod, err := c.Kube.CoreV1().Pods(p.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, podError(err, name)
	}
	out := &PodDetail{
		Pod: name, Phase: string(pod.Status.Phase), Message: pod.Status.Message, Node: pod.Spec.NodeName, IP: pod.Status.PodIP,
		Containers: []PodContainer{}, Events: []PodEvent{},
	}
	for _, condition := range pod.Status.Conditions {
		if out.Message == "" && condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			out.Message = condition.Message
		}
	}
	add := func(list []corev1.Container, states []corev1.ContainerStatus, init bool) {
		for _, spec := range list {
			i := slices.IndexFunc(states, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name })
			var state corev1.ContainerStatus
			if i >= 0 {
				state = states[i]
			}
			out.Containers = append(out.Containers, containerOf(spec, state, init))
		}
	}
	add(pod.Spec.Containers, pod.Status.ContainerStatuses, false)
	add(pod.Spec.InitContainers, pod.Status.InitContainerStatuses, true)
	rank := func(c PodContainer) int {
		switch {
		case c.Proxy:
			return 1
		case c.Init:
			return 2
		}
		return 0
	}
	slices.SortStableFunc(out.Containers, func(a, b PodContainer) int { return rank(a) - rank(b) })
	if out.Events, err = events(ctx, c, pod); err != nil && !apierrors.IsForbidden(err) {
		return nil, cluster.Explain(err)
	}
	return out, nil
}

func containerOf(spec corev1.Container, s corev1.ContainerStatus, init bool) PodContainer {
	c := PodContainer{Name: spec.Name, Ready: s.Ready, Restarts: int(s.RestartCount), Image: spec.Image, Proxy: spec.Name == proxyName, Init: init, State: "waiting"}
	switch {
	case s.State.Running != nil:
		c.State = "running"
	case s.State.Waiting != nil:
		c.State, c.Message = cmp.Or(s.State.Waiting.Reason, "waiting"), s.State.Waiting.Message
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.Message = cmp.Or(t.Reason, "terminated"), t.Message
		if c.Message == "" && t.ExitCode != 0 {
			c.Message = fmt.Sprintf("exit code %d", t.ExitCode)
		}
	}
	if t := s.LastTerminationState.Terminated; c.Message == "" && t != nil && t.ExitCode != 0 {
		c.Message = fmt.Sprintf("it ended before with exit code %d: %s", t.ExitCode, cmp.Or(t.Message, t.Reason))
	}
	return c
}

func events(ctx context.Context, c *cluster.Client, pod *corev1.Pod) ([]PodEvent, error) {
	out := []PodEvent{}
	list, err := c.Kube.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.kind": "Pod", "involvedObject.name": pod.Name}.AsSelector().String(),
	})
	if err != nil {
		return out, err
	}
	for i := range list.Items {
		e := &list.Items[i]
		last := e.LastTimestamp.Time
		if last.IsZero() {
			last = e.EventTime.Time
		}
		if e.Series != nil && e.Series.LastObservedTime.After(last) {
			last = e.Series.LastObservedTime.Time
		}
		if last.IsZero() {
			last = e.CreationTimestamp.Time
		}
		out = append(out, PodEvent{Type: e.Type, Reason: e.Reason, Message: e.Message, Count: max(1, int(e.Count)), Last: last})
	}
	slices.SortStableFunc(out, func(a, b PodEvent) int { return b.Last.Compare(a.Last) })
	return out[:min(len(out), maxEvents)], nil
}

func podError(err error, name string) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w", name, ErrNoPod)
	}
	return cluster.Explain(err)
}

// LogOptions say which part of a log.
type LogOptions struct {
	Container string // "" for the application's
	Lines     int    // the last ones
	Previous  bool   // of the container before the last restart
}

// Log reads the end of a log. The error wraps ErrNoPod.
func (l *Clusters) Log(ctx context.Context, p Place, pod string, o LogOptions) (string, error) {
	stream, err := l.log(ctx, p, pod, o, false)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, maxLog))
	return strings.ToValidUTF8(string(text), "\uFFFD"), err
}

// FollowLog hands the end of a log to show, and then its lines as they come.
func (l *Clusters) FollowLog(ctx context.Context, p Place, pod string, o LogOptions, show func([]string) error) error {
	stream, err := l.log(ctx, p, pod, o, true)
	if err != nil {
		return err
	}
	defer stream.Close()
	reader := bufio.NewReaderSize(stream, 64<<10)
	var lines []string
	for {
		text, more, err := reader.ReadLine() // longer ones come in parts
		if err == nil {
			lines = append(lines, strings.ToValidUTF8(string(text), "\uFFFD"))
		}
		if len(lines) > 0 && (err != nil || len(lines) == linesAtOnce || reader.Buffered() == 0 && !more) {
			if failed := show(lines); failed != nil {
				return failed
			}
			lines = nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *Clusters) log(ctx context.Context, p Place, pod string, o LogOptions, follow bool) (io.ReadCloser, error) {
	c, _, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	if o.Container == "" {
		of, err := c.Kube.CoreV1().Pods(p.Namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return nil, podError(err, pod)
		}
		i := slices.IndexFunc(of.Spec.Containers, func(c corev1.Container) bool { return c.Name != proxyName })
		o.Container = of.Spec.Containers[max(i, 0)].Name
	}
	options := &corev1.PodLogOptions{Container: o.Container, Previous: o.Previous, Follow: follow}
	if o.Lines > 0 {
		lines := int64(o.Lines)
		options.TailLines = &lines
	}
	stream, err := c.Kube.CoreV1().Pods(p.Namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return nil, podError(err, pod)
	}
	return stream, nil
}
