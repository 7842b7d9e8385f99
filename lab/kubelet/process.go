package kubelet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/meshstorm/meshstorm/lab/kubelet/crilog"
)

// launch is what a process is started with.
type launch struct {
	path string
	args []string
	env  []string
	dir  string // working folder
	log  string // log file
	now  func() time.Time
}

// process is a container's process group.
type process struct {
	cmd     *exec.Cmd
	log     *crilog.Writer
	life    *os.File      // held open as long as the lab lives; pod/life.go reads the other end
	done    chan struct{} // closed when the process is gone and its log is complete
	started time.Time

	// Set before done is closed.
	finished time.Time
	code     int32 // 128+n for a signal n, as shells and runtimes count
	signal   int32
}

func start(l launch) (*process, error) {
	log, err := crilog.Create(l.log, l.now)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	defer read.Close()
	cmd := exec.Command(l.path, l.args...)
	cmd.Env, cmd.Dir = l.env, l.dir
	cmd.Stdout, cmd.Stderr = log.Stream("stdout"), log.Stream("stderr")
	cmd.ExtraFiles = []*os.File{read} // descriptor 3
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = 2 * time.Second // for descendants that hold the output open
	p := &process{cmd: cmd, log: log, life: write, done: make(chan struct{}), started: l.now()}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", filepath.Base(l.path), err), write.Close(), log.Close())
	}
	go p.wait(l.now)
	return p, nil
}

func (p *process) wait(now func() time.Time) {
	_ = p.cmd.Wait() // how it ended is in the state
	signalGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	p.finished = now()
	p.code = int32(p.cmd.ProcessState.ExitCode())
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		p.signal = int32(s.Signal())
		p.code = 128 + p.signal
	}
	_ = p.life.Close()
	_ = p.log.Close()
	close(p.done)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// send signals the whole group, unless it is gone.
func (p *process) send(s syscall.Signal) {
	if p.running() {
		signalGroup(p.pid(), s)
	}
}
