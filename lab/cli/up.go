package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/lab/instance"
)

type upFlags struct {
	files     []string
	namespace string
	force     bool
	detach    bool
	fresh     bool
	apiPort   int
	child     bool // this is the process that `up --detach` started
}

func newUp(streams Streams, dir *string) *cobra.Command {
	f := &upFlags{}
	c := &cobra.Command{
		Use:   "up",
		Short: "Start the lab: Kubernetes, Istio, Kafka",
		Long: `Starts the lab and stays with it until Ctrl-C; with --detach it returns when the lab is ready. What the
cluster holds survives down and up; --fresh starts anew.`,
		Example: `  meshstorm lab up --detach -f my-workspace
  meshstorm lab status
  meshstorm lab down`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringSliceVarP(&f.files, "filename", "f", nil, "workspace, folder or file to apply when Istio is ready (server-side apply)")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "default", "namespace of objects without one")
	c.Flags().BoolVar(&f.force, "force-conflicts", false, "take over fields of these objects that others changed in the cluster")
	c.Flags().BoolVar(&f.detach, "detach", false, "return when the lab is ready, and leave it running")
	c.Flags().BoolVar(&f.fresh, "fresh", false, "remove what an earlier lab kept, and start anew")
	c.Flags().IntVar(&f.apiPort, "api-port", 6443, "port of the Kubernetes API server; another one is chosen where it is taken")
	c.Flags().BoolVar(&f.child, "detached-child", false, "")
	_ = c.Flags().MarkHidden("detached-child")
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := absolute(*dir)
		if err != nil {
			return err
		}
		for i, file := range f.files {
			if f.files[i], err = filepath.Abs(file); err != nil {
				return exit(2, err)
			}
			if _, err := os.Stat(file); err != nil {
				return exit(2, err)
			}
		}
		return up(c.Context(), streams, path, f)
	}
	return c
}

func up(ctx context.Context, streams Streams, dir string, f *upFlags) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit(3, err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return exit(3, fmt.Errorf("lock %s: %w", dir, err))
	}
	if !got {
		return join(ctx, streams, dir, f)
	}
	if f.fresh && !f.child {
		if err := removeAll(dir); err != nil {
			return exit(3, err)
		}
	}
	if f.detach {
		if err := lock.Unlock(); err != nil {
			return exit(3, err)
		}
		return detach(ctx, streams, dir, f)
	}
	defer func() {
		_ = os.Remove(lock.Path())
		_ = lock.Unlock()
	}()
	return serve(ctx, streams, dir, f)
}

// removeAll empties the lab's folder but for the lock, which is held.
func removeAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// join is up where a lab runs in the folder already.
func join(ctx context.Context, streams Streams, dir string, f *upFlags) error {
	s, err := instance.Ask(ctx, dir)
	if err != nil {
		return exit(3, err)
	}
	if !s.Ready {
		return exit(1, fmt.Errorf("another `meshstorm lab up` is starting or stopping the lab in %s (process %d)", dir, s.PID))
	}
	if f.fresh {
		return exit(1, fmt.Errorf("the lab runs already (process %d): `meshstorm lab down` first, then `up --fresh`", s.PID))
	}
	fmt.Fprintf(streams.Err, "the lab runs already (process %d)\n", s.PID)
	if err := instance.ApplyTo(ctx, dir, f.files, f.namespace, f.force); err != nil {
		return exit(3, err)
	}
	next(streams.Err, s)
	return nil
}

// serve runs the lab in this process.
func serve(ctx context.Context, streams Streams, dir string, f *upFlags) error {
	logFile, err := os.OpenFile(filepath.Join(dir, "lab.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return exit(3, err)
	}
	defer func() { _ = logFile.Close() }()
	if err := quiet(logFile.Name()); err != nil {
		return exit(3, err)
	}
	self, err := os.Executable()
	if err != nil {
		return exit(3, err)
	}
	podBinary, err := beside(self, "meshstorm-pod")
	if err != nil {
		return exit(3, err)
	}
	began := time.Now()
	options := instance.Options{
		Dir: dir, Files: f.files, Namespace: f.namespace, Force: f.force, APIPort: f.apiPort, LabBinary: self, PodBinary: podBinary,
		Version: Version, Log: slog.New(slog.NewTextHandler(logFile, nil)),
		Progress: func(text string) { fmt.Fprintf(streams.Err, "%5.1fs  %s\n", time.Since(began).Seconds(), text) },
	}
	err = instance.Run(ctx, options, func(l *instance.Lab) {
		fmt.Fprintf(streams.Err, "%5.1fs  ready\n", time.Since(began).Seconds())
		next(streams.Err, l.Status(ctx))
		if f.child {
			_ = os.Stderr.Close() // the parent waits for this
		}
	})
	if err != nil && ctx.Err() == nil {
		return exit(3, fmt.Errorf("%w\nmore in %s", err, logFile.Name()))
	}
	return nil
}

// beside finds a program next to this one.
func beside(self, name string) (string, error) {
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s, the program of the lab's pods, is neither beside %s nor on PATH: `make build` makes both", name, self)
	}
	return path, nil
}

// detach starts the lab as a process of its own and copies its progress until
// it is ready or has failed.
func detach(ctx context.Context, streams Streams, dir string, f *upFlags) error {
	self, err := os.Executable()
	if err != nil {
		return exit(3, err)
	}
	args := []string{"--data", dir, "up", "--detached-child", "--namespace", f.namespace, fmt.Sprintf("--api-port=%d", f.apiPort)}
	if f.force {
		args = append(args, "--force-conflicts")
	}
	for _, file := range f.files {
		args = append(args, "--filename", file)
	}
	// Not bound to ctx: an interrupt is handed on, and the lab stops in order.
	child := exec.Command(self, args...)
	child.SysProcAttr = ownSession()
	child.Dir = dir
	progress, err := child.StderrPipe()
	if err != nil {
		return exit(3, err)
	}
	if err := child.Start(); err != nil {
		return exit(3, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Signal(syscall.SIGTERM) })
	defer stop()
	_, _ = io.Copy(streams.Err, bufio.NewReader(progress))
	if ctx.Err() != nil {
		_ = child.Wait()
		return exit(130, errors.New("interrupted; the lab is stopped"))
	}
	s, err := instance.Ask(ctx, dir)
	if err == nil && s.Ready {
		return exit(3, child.Process.Release())
	}
	err = child.Wait()
	code := 3
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
	}
	return exit(code, errors.New("the lab did not start"))
}

// next prints what to try, the gateway's URL first.
func next(w io.Writer, s *instance.Status) {
	fmt.Fprintf(w, "\nGateway     %s\nKubernetes  %s\nKafka       %s\n\nTry\n", s.Gateway.URL, s.APIServer, s.Kafka)
	fmt.Fprintf(w, "  export KUBECONFIG=%s GATEWAY=%s\n", quoted(s.Kubeconfig), s.Gateway.URL)
	if len(s.Paths) > 0 {
		fmt.Fprintf(w, "  kubectl get pods,virtualservices,destinationrules\n")
		for _, path := range s.Paths {
			fmt.Fprintf(w, "  curl -i %s%s\n", s.Gateway.URL, path)
		}
	} else {
		fmt.Fprintf(w, "  meshstorm lab up --detach -f WORKSPACE\n")
	}
	fmt.Fprintf(w, "  meshstorm lab status\n  meshstorm lab down\n")
}
