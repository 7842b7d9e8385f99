// Package cluster tests the verbs that speak with a cluster through the built
// program and a real lab.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

// shop is a workspace of the example in a namespace and on a host of its own.
type shop struct {
	*cluster.Client
	dir        string
	kubeconfig string
	gateway    string // http://HOST:PORT
	host       string
}

func newShop(t *testing.T, kubeconfig, namespace string) *shop {
	t.Helper()
	c, err := cluster.Connect(cluster.Options{Kubeconfig: kubeconfig, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Kube.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{})
	})
	s := &shop{Client: c, dir: filepath.Join(t.TempDir(), "shop"), kubeconfig: kubeconfig, host: namespace + ".example"}
	s.gateway = labtest.Gateway(t, kubeconfig)
	example, err := filepath.Abs("../../examples/12st-mall")
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, 0, "new", s.dir, "--from", example)
	s.edit(t, "meshstorm.yaml", "workspace: 12st-mall", "workspace: 12st-mall\nnamespace: "+namespace+"\ngateway:\n  hosts: ["+s.host+"]")
	s.run(t, 0, "generate", s.dir)
	return s
}

// edit replaces text in a file of the workspace.
func (s *shop) edit(t *testing.T, file, old, text string) {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(file))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(old)) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(path, bytes.Replace(content, []byte(old), []byte(text), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := labtest.Bin("meshstorm")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
	if _, err := os.Stat(s.dir); err == nil {
		cmd.Dir = s.dir
	}
	return cmd
}

// run runs the program and expects an exit code; it gives stdout and stderr.
func (s *shop) run(t *testing.T, code int, args ...string) (string, string) {
	t.Helper()
	cmd := s.command(t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	got := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Fatalf("meshstorm %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errOut.String())
	}
	return out.String(), errOut.String()
}

// get asks the gateway, and gives the answer's status and content type.
func (s *shop) get(t *testing.T, path string) (int, string) {
	t.Helper()
	status, content, err := s.ask(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return status, content
}

func (s *shop) ask(ctx context.Context, path string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.gateway+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Host = s.host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	return response.StatusCode, response.Header.Get("Content-Type"), response.Body.Close()
}

// answers waits until the gateway answers a path with 200. Before a gateway has
// its first route nobody listens there.
func (s *shop) answers(t *testing.T, path string) {
	t.Helper()
	eventually(t, "GET "+path+" to answer 200", func() bool {
		status, _, err := s.ask(t.Context(), path)
		return err == nil && status == http.StatusOK
	})
}

// pods names the pods of an app, ending ones included.
func (s *shop) pods(t *testing.T, app string) []string {
	t.Helper()
	pods, err := s.Kube.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range pods.Items {
		names = append(names, pods.Items[i].Name)
	}
	return names
}

// podsAre waits until so many pods of an app are left, ending ones included.
func (s *shop) podsAre(t *testing.T, app string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("the pods of %s to be %d", app, n), func() bool {
		return len(s.pods(t, app)) == n
	})
}

// eventually asks until it is so, at most a minute.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited a minute for %s", what)
		case <-again.C:
		}
	}
}

// killAt runs the program and kills it when it prints a line on stderr; false
// says that it ended before.
func (s *shop) killAt(t *testing.T, line string, args ...string) bool {
	t.Helper()
	cmd := s.command(t, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if !killed && strings.HasPrefix(lines.Text(), line) {
			killed = cmd.Process.Kill() == nil
		}
	}
	// A busy machine may let it end before the signal arrives.
	return cmd.Wait() != nil && killed
}

func name(t *testing.T) string {
	return fmt.Sprintf("e2e-%s-%x", strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))[:8], time.Now().UnixNano()&0xffff)
}

func gvk(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "networking.istio.io", Kind: kind}
}
