package cli

import (
	"strings"
	"syscall"

	istiolog "istio.io/istio/pkg/log"
)

// ownSession keeps a detached lab alive when its terminal goes.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// quiet sends what Kubernetes' and Istio's packages log to the lab's log, from
// warnings on. Istio's logger has taken klog over.
func quiet(path string) error {
	options := istiolog.DefaultOptions()
	options.OutputPaths, options.ErrorOutputPaths = []string{path}, []string{path}
	options.SetDefaultOutputLevel("all", istiolog.WarnLevel)
	return istiolog.Configure(options)
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
