package studio

import (
	"errors"
	"syscall"
)

// wsaeaddrinuse is WSAEADDRINUSE, and wsaeacces is what a port gives that
// another program holds for itself.
const (
	wsaeaddrinuse = syscall.Errno(10048)
	wsaeacces     = syscall.Errno(10013)
)

// inUse tells whether somebody else has the port.
func inUse(err error) bool { return errors.Is(err, wsaeaddrinuse) || errors.Is(err, wsaeacces) }
