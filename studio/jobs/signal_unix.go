//go:build !windows

package jobs

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C, which is for the studio, from its jobs.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
