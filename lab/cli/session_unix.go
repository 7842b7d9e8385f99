package cli

import (
	"io"
	"os"
	"strings"
	"syscall"

	"k8s.io/klog/v2"
)

// ownSession keeps a detached lab alive when its terminal goes.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// quiet sends what Kubernetes' packages log to the lab's log.
func quiet(log io.Writer) (restore func()) {
	klog.LogToStderr(false)
	klog.SetOutput(log)
	return func() {
		klog.Flush()
		klog.SetOutput(os.Stderr)
	}
}

// quoted is a POSIX shell word.
func quoted(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
