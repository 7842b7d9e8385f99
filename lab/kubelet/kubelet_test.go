package kubelet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/meshstorm/meshstorm/lab/kubelet"
	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
)

// TestMain runs this binary as a container's program when the kubelet started it.
func TestMain(m *testing.M) {
	if os.Getenv(pod.Variable) != "" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

// program does what its arguments say, one after the other.
func program() int {
	ctx, cancel := pod.Context()
	defer cancel()
	s, err := pod.Load()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, arg := range s.Args {
		verb, rest, _ := strings.Cut(arg, " ")
		switch verb {
		case "print":
			fmt.Println(rest)
		case "complain":
			fmt.Fprintln(os.Stderr, rest)
		case "env":
			fmt.Printf("%s=%s\n", rest, os.Getenv(rest))
		case "cat":
			path, _ := s.HostPath(rest)
			data, err := os.ReadFile(path)
			fmt.Println(string(data), err)
		case "message":
			path, _ := s.HostPath("/dev/termination-log")
			_ = os.WriteFile(path, []byte(rest), 0o600)
		case "record": // RECORD FILE on SIGTERM
			<-ctx.Done()
			f, _ := os.OpenFile(rest, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			fmt.Fprintln(f, s.Container)
			_ = f.Close()
			return 0
		case "serve": // PORT [FILE]: 200 on / while FILE is there
			serve(s, rest)
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
			fmt.Println("deaf")
			select {}
		case "wait":
			<-ctx.Done()
			return 0
		case "exit":
			var code int
			fmt.Sscan(rest, &code)
			return code
		}
	}
	return 0
}

func serve(s *pod.Spec, rest string) {
	var port int
	var file string
	fmt.Sscan(rest, &port, &file)
	l, err := net.Listen("tcp", s.ListenOn(port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(file); file != "" && err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "hello from", s.Container, r.Method, r.URL.Path)
	}))
}

// models are contexts "namespace/app" that can be added.
type models struct {
	mu      sync.Mutex
	names   []string
	changed chan struct{}
}

func (m *models) Context(namespace, app string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.names, namespace+"/"+app)
}
func (m *models) Dir(string) string { return "" }
func (m *models) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}
func (m *models) add(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names = append(m.names, name)
	close(m.changed)
	m.changed = make(chan struct{})
}

// images runs this test binary for every image but those that the lab refuses.
type images struct {
	kubelet.Programs
	self string
}

func (p images) Find(po *corev1.Pod, c *corev1.Container) (kubelet.Program, error) {
	if strings.HasPrefix(c.Image, "test") {
		return kubelet.Program{Path: p.self, ID: "test", Kubeconfig: c.Image == "test:kubeconfig"}, nil
	}
	return p.Programs.Find(po, c)
}

// lab is a kubelet on a fake API.
type lab struct {
	t      *testing.T
	client *fake.Clientset
	models *models
	dir    string
	net    loopback.Net
	stop   func()
	tokens []authv1.TokenRequestSpec
	mu     sync.Mutex
}

var second = struct {
	sync.Mutex
	n byte
}{n: 60}

func newLab(t *testing.T, objects ...runtime.Object) *lab {
	t.Helper()
	second.Lock()
	second.n += 2 // each test has addresses of its own
	l := &lab{t: t, dir: t.TempDir(), net: loopback.Net{Pod: second.n, Twin: second.n + 1},
		models: &models{changed: make(chan struct{})}, client: fake.NewClientset(objects...)}
	second.Unlock()
	l.client.PrependReactor("create", "pods", l.bind)
	l.client.PrependReactor("create", "serviceaccounts", l.token)
	return l
}

// bind does what the API server does with a Binding.
func (l *lab) bind(a clienttesting.Action) (bool, runtime.Object, error) {
	c, ok := a.(clienttesting.CreateAction)
	if !ok || a.GetSubresource() != "binding" {
		return false, nil, nil
	}
	b := c.GetObject().(*corev1.Binding)
	obj, err := l.client.Tracker().Get(a.GetResource(), a.GetNamespace(), b.Name)
	if err != nil {
		return true, nil, err
	}
	p := obj.(*corev1.Pod).DeepCopy()
	p.Spec.NodeName = b.Target.Name
	return true, b, l.client.Tracker().Update(a.GetResource(), p, a.GetNamespace())
}

func (l *lab) token(a clienttesting.Action) (bool, runtime.Object, error) {
	c, ok := a.(clienttesting.CreateAction)
	if !ok || a.GetSubresource() != "token" {
		return false, nil, nil
	}
	r := c.GetObject().(*authv1.TokenRequest).DeepCopy()
	l.mu.Lock()
	l.tokens = append(l.tokens, r.Spec)
	r.Status.Token = fmt.Sprintf("token-%d", len(l.tokens))
	l.mu.Unlock()
	r.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
	return true, r, nil
}

// start runs the kubelet until the test ends or stop is called.
func (l *lab) start(change ...func(*kubelet.Options)) *kubelet.Kubelet {
	l.t.Helper()
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	o := kubelet.Options{
		Client: l.client, Net: l.net, Dir: l.dir, KubernetesVersion: "v1.37.2", Version: "test",
		Node: "127.0.0.1:1", DNS: "127.0.0.1:2", APIServer: "https://127.0.0.1:3",
		Models: l.models, Programs: images{kubelet.DefaultPrograms(self, self, l.models), self},
		BackOff: kubelet.BackOff{Initial: 400 * time.Millisecond, Max: 5 * time.Second},
		Log:     slog.New(slog.NewTextHandler(l.t.Output(), nil)),
	}
	for _, f := range change {
		f(&o)
	}
	k, err := kubelet.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	l.t.Cleanup(l.stop)
	return k
}

// newPod is a pod named p with one container c.
func newPod(change ...func(*corev1.Pod)) *corev1.Pod {
	grace := int64(5)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: types.UID("uid-p"), Generation: 1},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace, ServiceAccountName: "default",
			Containers: []corev1.Container{{Name: "c", Image: "test:1", Args: []string{"print started", "wait"}}},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func args(list ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Args = list }
}

func policy(r corev1.RestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = r }
}

func (l *lab) create(p *corev1.Pod) {
	l.t.Helper()
	if _, err := l.client.CoreV1().Pods(p.Namespace).Create(context.Background(), p, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// delete marks a pod as the API server does; the kubelet then removes it.
func (l *lab) delete(name string, grace int64) {
	l.t.Helper()
	p := l.get(name).DeepCopy()
	now := metav1.Now()
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &now, &grace
	if _, err := l.client.CoreV1().Pods(p.Namespace).Update(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) get(name string) *corev1.Pod {
	p, err := l.client.CoreV1().Pods("default").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return p
}

// wait polls until a pod is as wanted.
func (l *lab) wait(what string, name string, ok func(*corev1.Pod) bool) *corev1.Pod {
	l.t.Helper()
	var p *corev1.Pod
	eventually(l.t, what, func() bool { p = l.get(name); return p != nil && ok(p) }, func() string {
		if p == nil {
			return "no pod"
		}
		return fmt.Sprintf("%+v\nevents: %s", p.Status, strings.Join(l.events(), "\n"))
	})
	return p
}

func eventually(t *testing.T, what string, ok func() bool, show func() string) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never: %s\n%s", what, show())
		}
	}
}

// events are "REASON MESSAGE", in the order in which they were written.
func (l *lab) events() []string {
	all, err := l.client.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range all.Items {
		out = append(out, e.Type+" "+e.Reason+" "+e.Message)
	}
	return out
}

func (l *lab) event(text string) {
	l.t.Helper()
	eventually(l.t, "event "+text, func() bool {
		return slices.ContainsFunc(l.events(), func(e string) bool { return strings.Contains(e, text) })
	}, func() string { return strings.Join(l.events(), "\n") })
}

func (l *lab) log(p *corev1.Pod, container string, restart int) string {
	data, _ := os.ReadFile(filepath.Join(l.dir, "pods", p.Namespace+"_"+p.Name+"_"+string(p.UID), container, fmt.Sprint(restart)+".log"))
	return string(data)
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

func ready(p *corev1.Pod) bool { return condition(p, corev1.PodReady) == corev1.ConditionTrue }

func reason(p *corev1.Pod) string {
	for _, c := range append(slices.Clone(p.Status.InitContainerStatuses), p.Status.ContainerStatuses...) {
		if c.State.Waiting != nil {
			return c.State.Waiting.Reason
		}
		if c.State.Terminated != nil && c.State.Terminated.Reason != "Completed" {
			return c.State.Terminated.Reason
		}
	}
	return ""
}

const hour = time.Hour

type kubeletOptions = kubelet.Options

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}
