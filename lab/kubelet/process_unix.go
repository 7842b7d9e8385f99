//go:build unix

package kubelet

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from reaching pods: the kubelet ends them.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func signalGroup(pid int, s syscall.Signal) { _ = syscall.Kill(-pid, s) }
