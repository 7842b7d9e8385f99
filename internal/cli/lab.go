package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// labProgram is the binary that is the lab. It is a module of its own, since it
// links Kubernetes' control plane.
const labProgram = "meshstorm-lab"

func newLab(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "lab up|status|down|kubeconfig|logs",
		Short: "Run a Kubernetes cluster with Istio on this machine",
		Long: `The lab is a real Kubernetes control plane and istiod on this machine, for those who have no cluster:
no root, no containers, nothing outside of loopback. meshstorm-lab, beside meshstorm or on PATH, is its program.`,
		Example: `  meshstorm lab up --detach -f examples/12st-mall
  meshstorm lab status
  meshstorm lab down`,
		DisableFlagParsing: true, // the flags are meshstorm-lab's
		RunE: func(cmd *cobra.Command, args []string) error {
			program, err := findLab()
			if err != nil {
				return outside(err)
			}
			return a.runLab(cmd.Context(), program, args)
		},
	}
}

// findLab looks beside this program, then on PATH.
func findLab() (string, error) {
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		path := filepath.Join(filepath.Dir(self), labProgram)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	if path, err := exec.LookPath(labProgram); err == nil {
		return path, nil
	}
	if runtime.GOOS == "windows" {
		return "", errors.New("the lab runs on Linux and macOS; on Windows use WSL")
	}
	return "", fmt.Errorf("%s is neither beside this program nor on PATH: releases carry both; from a clone, `make build` "+
		"builds it (minutes the first time; `go install` cannot, since its module replaces others)", labProgram)
}

// runLab hands everything over to the lab's program, signals included.
func (a *app) runLab(ctx context.Context, program string, args []string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.In, a.Out, a.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		if ctx.Err() != nil {
			return &exit{code: ExitInterrupted}
		}
		return &exit{code: failed.ExitCode()} // it has said why
	}
	if err != nil {
		return outside(err)
	}
	return nil
}
