//go:build !windows

package studio

import (
	"errors"
	"syscall"
)

// inUse tells whether somebody else has the port.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
