//go:build !windows

package manifest

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes the names in a folder durable. Some file systems cannot sync
// folders and say so in one of two ways.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
