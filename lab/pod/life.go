package pod

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// LifeVariable says that file descriptor 3 is the read end of a pipe whose
// other end the lab holds: when the lab is gone, however it went, the pod's
// processes end too.
const LifeVariable = "MESHSTORM_LIFE"

// Context ends with SIGTERM or SIGINT, as a container is stopped, and with the
// lab itself.
func Context() (context.Context, context.CancelFunc) {
	Watch()
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
}

// Watch ends the process when the lab is gone.
func Watch() {
	if os.Getenv(LifeVariable) == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(3, "life"))
		os.Exit(137)
	}()
}
