package desktop

import (
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C, which is for this program, from the browser.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
