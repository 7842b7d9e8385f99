package jobs

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C, which is for the studio, from its jobs.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// interrupt ends the process: Windows can interrupt only those of one console.
func interrupt(p *os.Process) error { return p.Kill() }
