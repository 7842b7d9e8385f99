// Package cli is the lab's command line: up, status, down, kubeconfig, logs. It
// takes streams and arguments and gives an exit code: 0 done, 1 the answer is
// no, 2 usage or bad input, 3 the lab or another outside thing failed, 130
// interrupted.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/lab/instance"
)

// Version is set when the program is built.
var Version = "dev"

// Streams are the program's input and outputs.
type Streams struct {
	Out io.Writer // results
	Err io.Writer // progress and messages
}

// exitError carries an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// Run executes the command line and gives the exit code.
func Run(streams Streams, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newCommand(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(streams.Err, "meshstorm lab: %v\n", err)
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	if ctx.Err() != nil {
		return 130
	}
	return 2 // what is left are cobra's own: unknown commands and flags
}

func newCommand(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "meshstorm lab",
		Short: "A Kubernetes cluster with Istio on this machine, for models to run in",
		Long: `The lab is a cluster on this machine: the real Kubernetes API server, etcd and controllers, the
real istiod, and a data plane that runs what istiod sends. Pods are processes; a bounded context's
pods run its model. Nothing listens outside of loopback, and nothing needs root or containers.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.CompletionOptions.DisableDefaultCmd = true
	dir := root.PersistentFlags().String("data", defaultDir(), "the lab's folder")
	root.AddCommand(newUp(streams, dir), newStatus(streams, dir), newDown(streams, dir), newKubeconfig(streams, dir),
		newLogs(streams, dir))
	return root
}

// defaultDir follows the XDG base directory specification.
func defaultDir() string {
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "meshstorm", "lab")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "meshstorm-lab")
	}
	return filepath.Join(home, ".local", "share", "meshstorm", "lab")
}

// absolute is the folder as the lab's own process, which runs elsewhere, needs it.
func absolute(dir string) (string, error) {
	path, err := filepath.Abs(dir)
	return path, exit(2, err)
}

func newKubeconfig(streams Streams, dir *string) *cobra.Command {
	var out string
	var merge bool
	c := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the lab's kubeconfig, write it to a file, or merge it into your own",
		Example: `  meshstorm lab kubeconfig --out lab.kubeconfig
  meshstorm lab kubeconfig --merge      # into ~/.kube/config, and makes it the current context`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&out, "out", "", "write it to this file (mode 0600) instead of stdout")
	c.Flags().BoolVar(&merge, "merge", false, "add it to $KUBECONFIG or ~/.kube/config as context meshstorm-lab")
	c.RunE = func(*cobra.Command, []string) error {
		path, err := absolute(*dir)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(instance.KubeconfigPath(path))
		if err != nil {
			return exit(1, fmt.Errorf("the lab in %s has never run: `meshstorm lab up` starts it", path))
		}
		switch {
		case merge:
			into, err := ownKubeconfig()
			if err != nil {
				return exit(2, err)
			}
			if err := instance.Merge(path, into); err != nil {
				return exit(2, fmt.Errorf("merge into %s: %w", into, err))
			}
			fmt.Fprintf(streams.Err, "%s: context meshstorm-lab is the current one now\n", into)
			return nil
		case out != "":
			if err := os.WriteFile(out, data, 0o600); err != nil {
				return exit(2, err)
			}
			return exit(2, os.Chmod(out, 0o600))
		}
		_, err = streams.Out.Write(data)
		return err
	}
	return c
}

// ownKubeconfig is the file kubectl would write to.
func ownKubeconfig() (string, error) {
	if list := filepath.SplitList(os.Getenv("KUBECONFIG")); len(list) > 0 && list[0] != "" {
		return list[0], nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".kube", "config"), err
}
