package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/instance"
)

// The tests of this file stop and start the lab; Go runs them after the others,
// since files are taken by name.

func TestASecondUpSaysThatTheFirstRuns(t *testing.T) {
	out, err := w.lab("up", "--detach")
	if err != nil || !strings.Contains(out, "runs already") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := w.lab("up", "--detach", "--fresh"); err == nil || !strings.Contains(out, "lab down") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWhatWasThereSurvivesKillingTheLab(t *testing.T) {
	if a := send(t, "POST", "/orders", `{"userId":"u9","qty":1}`); a.StatusCode != 201 {
		t.Fatal(a)
	}
	orders, name := total(t, "/orders"), pod(t, "order").Name
	if err := syscall.Kill(refresh(t).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all its processes to end", func() string { return strings.Join(processes(t), "\n") })
	began := time.Now()
	if out, err := w.lab("up", "--detach"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	refresh(t)
	serves(t, "/orders")
	t.Logf("serving again after %v", time.Since(began).Round(time.Millisecond))
	if n := total(t, "/orders"); n != orders {
		t.Errorf("%d orders, want %d", n, orders)
	}
	if now := pod(t, "order").Name; now != name {
		t.Errorf("pod %s was replaced by %s; a reboot keeps pods", name, now)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	s := refresh(t)
	if out, err := w.lab("down"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left := processes(t); len(left) > 0 {
		t.Errorf("left: %s", strings.Join(left, "\n"))
	}
	for _, name := range []string{"lock", "running.json"} {
		if _, err := os.Stat(filepath.Join(w.dir(), name)); !os.IsNotExist(err) {
			t.Errorf("%s is left", name)
		}
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway.URL, "http://")); err == nil {
		_ = c.Close()
		t.Error("the gateway's port is open")
	}
	out, err := w.lab("status")
	if exit := (*exec.ExitError)(nil); err == nil || !strings.Contains(out, "not running") {
		t.Errorf("%v %v: %s", exit, err, out)
	}
	// A taken port is no reason to fail.
	taken, err := net.Listen("tcp", strings.TrimPrefix(s.Gateway.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	if out, err := w.lab("up", "--detach"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if now := refresh(t); now.Gateway.URL == s.Gateway.URL {
		t.Errorf("the gateway is said to be at a port that somebody else has: %s", now.Gateway.URL)
	}
	serves(t, "/orders")
}

func TestABrokenKubeconfigIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte("clusters: [broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := instance.Merge(w.dir(), path); err == nil {
		t.Error("it was merged into")
	}
	if data, _ := os.ReadFile(path); string(data) != "clusters: [broken" {
		t.Errorf("it was changed: %s", data)
	}
}

// processes are those of this test's programs that belong to the lab.
func processes(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("ps", "-axo", "pid,command").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, filepath.Join(w.bin, "meshstorm-")) {
			found = append(found, line)
		}
	}
	return found
}
