package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// Where a workspace keeps what belongs to a run.
const (
	stateDir    = ".meshstorm"
	lockFile    = stateDir + "/lock"
	journalFile = stateDir + "/journal.json"
	stagePrefix = "tmp-"
)

// ErrLocked is wrapped by the error for a workspace that another run holds.
var ErrLocked = errors.New("the workspace is in use")

// Held is a workspace's lock, taken by Lock.
type Held struct {
	file *flock.Flock
}

// Lock keeps other runs from changing a workspace, without waiting, and
// finishes what an interrupted run left, as Recover does. The error wraps
// ErrLocked where another run holds the lock. The system drops it when the
// process ends, however it ends; the file .meshstorm/lock stays.
func Lock(root string) (*Held, error) {
	held, err := lock(root)
	if err != nil {
		return nil, err
	}
	if _, err := recoverLocked(root, nil); err != nil {
		return nil, errors.Join(err, held.Unlock())
	}
	return held, nil
}

func lock(root string) (*Held, error) {
	dir := filepath.Join(root, stateDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock %s: %w; the folder must be writable", root, err)
	}
	path := filepath.Join(root, filepath.FromSlash(lockFile))
	file := flock.New(path)
	ok, err := file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w by another meshstorm run%s; wait until it ends or stop it, then try again",
			root, ErrLocked, holder(path))
	}
	// Only for the other run's message, and on Windows nobody can read it
	// while the lock is held: a failure changes nothing.
	_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	return &Held{file}, nil
}

func holder(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// Unlock lets other runs in.
func (l *Held) Unlock() error {
	if err := l.file.Unlock(); err != nil {
		return fmt.Errorf("unlock %s: %w", l.file.Path(), err)
	}
	return nil
}
