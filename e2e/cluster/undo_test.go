package cluster

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/internal/load"
)

// startCanary starts a canary of order that goes on for a minute, and waits
// until it has traffic.
func (s *shop) startCanary(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := s.command(t, "canary", "start", "order", "--image", "order:v2", "--steps", "20,100", "--every", "1m", "--accept-events", "--yes")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(pipe), []string{}
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "watching") {
			go func() {
				for lines.Scan() {
				}
			}()
			return cmd
		}
	}
	t.Fatalf("the canary got no traffic: %v\n%s", cmd.Wait(), strings.Join(said, "\n"))
	return nil
}

// tookBack expects the process of a canary to end with exit code 1.
func tookBack(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	failed := (*exec.ExitError)(nil)
	if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 1 {
		t.Errorf("the canary's process ended with %v, want exit code 1", err)
	}
}

func TestUndoAndDeleteEndARunningCanary(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.run(t, 0, "apply", "--yes")
	s.edit(t, "kubernetes/template/template.yml", "replicas: 1", "replicas: 2")
	s.run(t, 0, "apply")
	canary := s.startCanary(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	traffic, err := load.Start(ctx, load.Options{URL: s.gateway + "/orders", Host: s.host, Rate: 200})
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := s.run(t, 0, "undo", "--yes"); !strings.Contains(errs, "this ends the canary of order (order:v2, at 20 %), which ") {
		t.Errorf("undo does not say that a canary ends: %s", errs)
	}
	tookBack(t, canary)
	s.podsAre(t, "order", 1)
	if err := traffic.Stop().Err(); err != nil {
		t.Error(err)
	}
	if out, _ := s.run(t, 0, "canary", "status", "order"); !strings.Contains(out, "aborted") || !strings.Contains(out, "`meshstorm undo` went back") {
		t.Errorf("status does not say how it ended: %s", out)
	}
	again := s.startCanary(t)
	if _, errs := s.run(t, 0, "delete", "--yes"); !strings.Contains(errs, "this ends the canary of order") {
		t.Errorf("delete does not say that a canary ends: %s", errs)
	}
	tookBack(t, again)
	eventually(t, "nothing to be left", func() bool { return len(s.versions(t)) == 0 })
}
