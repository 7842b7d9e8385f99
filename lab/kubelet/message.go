package kubelet

import (
	"context"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/lab/kubelet/crilog"
)

// Limits of the kubelet: a message of its own, and one taken from the log.
const (
	maxMessage      = 4096
	maxLogMessage   = 2048
	maxMessageLines = 80
)

// terminationMessage is what a container left at its terminationMessagePath, or,
// with FallbackToLogsOnError, the end of its log.
func (w *worker) terminationMessage(c *container, proc *process) string {
	p := w.current()
	spec := containerSpec(p, c.name)
	if data, err := os.ReadFile(w.messageFile(c.name)); err == nil && len(data) > 0 {
		return string(data[:min(len(data), maxMessage)])
	}
	if spec == nil || proc.code == 0 || spec.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		return ""
	}
	w.mu.Lock()
	file := w.k.logFile(p, c.name, c.restarts)
	w.mu.Unlock()
	var b strings.Builder
	if err := crilog.Read(context.Background(), &b, file, crilog.Options{Tail: maxMessageLines}); err != nil {
		return ""
	}
	text := b.String()
	return text[max(0, len(text)-maxLogMessage):]
}
