package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockWait is how long a broker waits for another one to leave its folder: a
// pod that was killed may still be on its way out when its successor starts.
const lockWait = 10 * time.Second

// lock makes this process the only broker of the folder. The kernel releases
// the lock however the process ends.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the broker's data folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another broker is at work in %s: %w", dir, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
