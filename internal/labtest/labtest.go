// Package labtest gives tests a real cluster with Istio: the one that
// MESHSTORM_TEST_KUBECONFIG names, else a lab of their own, which lives as long
// as the test binary.
package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/cluster"
)

// Variable names the kubeconfig of a lab that runs already; `make test` sets it.
const Variable = "MESHSTORM_TEST_KUBECONFIG"

var (
	once       sync.Once
	kubeconfig string
	failed     error
	stop       = func() {}
)

// Main runs the tests of a package and stops the lab after them:
//
//	func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }
func Main(m *testing.M) int {
	defer func() { stop() }()
	return m.Run()
}

// Kubeconfig is the path of the cluster's. Without the lab's program the test
// is skipped, and fails where CI is set.
func Kubeconfig(t testing.TB) string {
	t.Helper()
	once.Do(func() { kubeconfig, failed = start() })
	if failed != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(failed)
		}
		t.Skip(failed)
	}
	return kubeconfig
}

// Bin finds a program that `make build` makes.
func Bin(name string) (string, error) {
	dir := os.Getenv("MESHSTORM_BIN_DIR")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "..", "..", "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: `make build` makes it: %w", name, err)
	}
	return path, nil
}

func start() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	lab, err := Bin("meshstorm-lab")
	if err != nil {
		return "", err
	}
	data, err := os.MkdirTemp("", "meshstorm-labtest-")
	if err != nil {
		return "", err
	}
	stop = func() {
		_ = exec.Command(lab, "down", "--data", data).Run()
		_ = os.RemoveAll(data)
	}
	if out, err := exec.Command(lab, "up", "--detach", "--data", data).CombinedOutput(); err != nil {
		return "", fmt.Errorf("the lab does not start: %w\n%s", err, out)
	}
	return filepath.Join(data, "kubeconfig"), nil
}

// Gateway is the address of the ingress gateway on this machine, "http://HOST:PORT":
// what the lab of this kubeconfig says, for it takes another port where the node
// port is in use; else the node port itself.
func Gateway(t testing.TB, kubeconfig string) string {
	t.Helper()
	if lab, err := Bin("meshstorm-lab"); err == nil {
		out, err := exec.Command(lab, "status", "--data", filepath.Dir(kubeconfig), "-o", "json").Output()
		var status struct {
			Gateway struct {
				URL string `json:"url"`
			} `json:"gateway"`
		}
		if err == nil && json.Unmarshal(out, &status) == nil && status.Gateway.URL != "" {
			return status.Gateway.URL
		}
	}
	c, err := cluster.Connect(cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	ingress, err := c.Kube.CoreV1().Services("istio-system").Get(t.Context(), "istio-ingressgateway", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ingress.Spec.Ports {
		if p.Port == 80 {
			return fmt.Sprintf("http://127.0.0.1:%d", p.NodePort)
		}
	}
	t.Fatal("the ingress gateway has no port 80")
	return ""
}

// Client connects to the cluster with a namespace of the test's own, labelled
// for injection, which goes with the test.
func Client(t testing.TB) *cluster.Client {
	t.Helper()
	admin, err := cluster.Connect(cluster.Options{Kubeconfig: Kubeconfig(t)})
	if err != nil {
		t.Fatal(err)
	}
	name := "t-" + strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name())), "-")
	name = strings.Trim(name[:min(len(name), 40)], "-") + fmt.Sprintf("-%x", time.Now().UnixNano()&0xffffff)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"istio-injection": "enabled"}}}
	if _, err := admin.Kube.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = admin.Kube.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
	})
	c, err := cluster.Connect(cluster.Options{Kubeconfig: Kubeconfig(t), Namespace: name})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
