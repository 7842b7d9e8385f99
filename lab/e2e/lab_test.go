// Package e2e tests the lab through its public doors: the programs as they are
// built, kubectl's API, and HTTP at the gateway. One lab runs for all tests;
// those that stop it come last.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/meshstorm/meshstorm/lab/apply"
	"github.com/meshstorm/meshstorm/lab/instance"
)

// world is the lab that runs for the tests.
type world struct {
	bin    string // folder with the programs
	home   string // XDG_DATA_HOME
	config *rest.Config
	client kubernetes.Interface
	dyn    dynamic.Interface
	status *instance.Status
}

var w *world

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	home, err := os.MkdirTemp("", "lab-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(home) }()
	w = &world{home: home, bin: os.Getenv("MESHSTORM_BIN_DIR")}
	if w.bin == "" {
		w.bin = filepath.Join(home, "bin")
		if err := build(w.bin); err != nil {
			return 0, err
		}
	}
	defer func() {
		if out, failed := w.lab("down"); failed != nil {
			err = errors.Join(err, fmt.Errorf("%w\n%s", failed, out))
		}
	}()
	if out, err := w.lab("up", "--detach", "-f", mall); err != nil {
		log, _ := os.ReadFile(filepath.Join(w.dir(), "lab.log"))
		return 0, fmt.Errorf("the lab does not start: %w\n%s\n%s", err, out, tail(log))
	}
	if err := w.connect(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// mall is the example's workspace.
var mall = filepath.Join("..", "..", "examples", "12st-mall")

// build makes the programs once; `make test` has done so already.
func build(dir string) error {
	for _, p := range []struct{ at, pkg string }{
		{"../..", "./cmd/meshstorm"}, {"..", "./cmd/meshstorm-lab"}, {"..", "./cmd/meshstorm-pod"},
	} {
		cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", dir+"/", p.pkg)
		cmd.Dir, cmd.Env = p.at, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.pkg, err, out)
		}
	}
	return nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

func (w *world) dir() string { return filepath.Join(w.home, "meshstorm", "lab") }

// lab runs `meshstorm lab …` and gives what it printed.
func (w *world) lab(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(w.bin, "meshstorm"), append([]string{"lab"}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+w.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// connect reads the status and the kubeconfig of the lab that runs now.
func (w *world) connect() error {
	cmd := exec.Command(filepath.Join(w.bin, "meshstorm"), "lab", "status", "-o", "json")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+w.home)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("lab status: %w\n%s", err, out)
	}
	w.status = &instance.Status{}
	if err := json.Unmarshal(out, w.status); err != nil {
		return err
	}
	if w.config, err = clientcmd.BuildConfigFromFlags("", w.status.Kubeconfig); err != nil {
		return err
	}
	w.config.QPS = -1
	if w.client, err = kubernetes.NewForConfig(w.config); err != nil {
		return err
	}
	w.dyn, err = dynamic.NewForConfig(w.config)
	return err
}

// refresh gives the status as it is now.
func refresh(t *testing.T) *instance.Status {
	t.Helper()
	if err := w.connect(); err != nil {
		t.Fatal(err)
	}
	return w.status
}

// component is a container's process.
func component(t *testing.T, part string) instance.Component {
	t.Helper()
	for _, c := range refresh(t).Components {
		if strings.Contains(c.Name, part) {
			return c
		}
	}
	t.Fatalf("no component %s", part)
	return instance.Component{}
}

// create applies manifests and removes them when the test ends.
func create(t *testing.T, manifests string) {
	t.Helper()
	objects, err := apply.Parse([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	client, err := apply.New(w.config, "e2e")
	if err != nil {
		t.Fatal(err)
	}
	client.Force = true
	if err := client.Apply(t.Context(), objects, "default"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Delete(context.Background(), objects, "default"); err != nil {
			t.Error(err)
		}
	})
}

// update applies manifests for good.
func update(t *testing.T, manifests string) {
	t.Helper()
	objects, err := apply.Parse([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	client, err := apply.New(w.config, "e2e")
	if err != nil {
		t.Fatal(err)
	}
	client.Force = true
	if err := client.Apply(t.Context(), objects, "default"); err != nil {
		t.Fatal(err)
	}
}

// eventually polls until ok says "", and fails with what it said last.
func eventually(t *testing.T, what string, ok func() string) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		why := ok()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %s", what, why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

func (a answer) String() string { return fmt.Sprintf("%d %v %s", a.StatusCode, a.Header, a.body) }

var client = &http.Client{
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func send(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(method, path, body string, headers ...string) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, w.status.Gateway.URL+path, reader)
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if strings.EqualFold(headers[i], "host") {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return answer{res, string(bytes.TrimSpace(data))}, err
}

// pod gives the first running pod with a label app, of the namespace default.
func pod(t *testing.T, app string) *corev1.Pod {
	t.Helper()
	list, err := w.client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if p := &list.Items[i]; p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
			return p
		}
	}
	t.Fatalf("no pod of %s runs", app)
	return nil
}
