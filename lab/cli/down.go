package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/lab/instance"
)

func newDown(streams Streams, dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the lab; what the cluster holds is kept",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := absolute(*dir)
			if err != nil {
				return err
			}
			return down(c.Context(), streams, path)
		},
	}
}

// grace is how long a lab may take to stop in order.
const grace = 45 * time.Second

func down(ctx context.Context, streams Streams, dir string) error {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		fmt.Fprintln(streams.Err, "the lab is not running")
		return nil
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	if free, err := lock.TryLock(); err != nil {
		return exit(3, err)
	} else if free {
		// Nobody holds the lock: nothing runs, whatever the files say.
		instance.Forget(dir)
		_ = os.Remove(lock.Path())
		_ = lock.Unlock()
		fmt.Fprintln(streams.Err, "the lab is not running")
		return nil
	}
	pid := instance.PID(dir)
	if pid == 0 {
		return exit(3, fmt.Errorf("a lab is starting in %s; try again in some seconds", dir))
	}
	fmt.Fprintf(streams.Err, "stopping the lab (process %d)\n", pid)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return exit(3, err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if ok, _ := lock.TryLockContext(ctx, 50*time.Millisecond); !ok {
		fmt.Fprintf(streams.Err, "it did not stop within %v; killing it\n", grace)
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if ok, err := lock.TryLockContext(context.WithoutCancel(ctx), 50*time.Millisecond); !ok {
			return exit(3, fmt.Errorf("process %d cannot be stopped: %w", pid, err))
		}
	}
	instance.Forget(dir)
	_ = os.Remove(lock.Path())
	_ = lock.Unlock()
	return nil
}
