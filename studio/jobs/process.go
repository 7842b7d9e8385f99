package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// look is how often a running job's output is read.
const look = 100 * time.Millisecond

// process is a job's program. It writes to files, not to pipes: one that stays
// when the studio ends would be killed by its next line.
type process struct {
	*job
	command  *exec.Cmd
	out, err *output
	last     []string // lines of stderr, for why it failed
}

// output is one of a process' streams.
type output struct {
	file *os.File
	read int64
	rest []byte // a line that has not ended yet
}

func (j *job) begin(program string, environ []string) (*process, error) {
	p := &process{job: j, out: &output{}, err: &output{}}
	for _, o := range []*output{p.out, p.err} {
		file, err := os.CreateTemp("", "meshstorm-job-*")
		if err != nil {
			p.close()
			return nil, err
		}
		o.file = file
	}
	p.command = exec.Command(program, j.spec.Args...) // no context: it outlives every request
	p.command.Env, p.command.Stdout, p.command.Stderr = environ, p.out.file, p.err.file
	apart(p.command)
	if err := p.command.Start(); err != nil {
		p.close()
		return nil, err
	}
	j.process, j.left = p.command.Process, make(chan struct{})
	return p, nil
}

func (p *process) close() {
	for _, o := range []*output{p.out, p.err} {
		if o.file != nil {
			_ = o.file.Close()
			_ = os.Remove(o.file.Name()) // where a process that stays has it open, Unix removes it all the same
		}
	}
}

// leave lets the process go on without the studio.
func (j *job) leave() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.left != nil {
		close(j.left)
		j.left = nil
	}
}

func (p *process) run() {
	defer p.close()
	p.mu.Lock()
	left := p.left
	p.mu.Unlock()
	waited := make(chan error, 1)
	go func() { waited <- p.command.Wait() }()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-left:
			return
		case <-tick.C:
			p.lines(false)
		case err := <-waited:
			p.lines(true)
			p.ended(err)
			return
		}
	}
}

// lines reads what came since the last look.
func (p *process) lines(all bool) {
	for _, text := range p.err.lines(all) {
		if p.spec.Data != nil {
			data, says := p.spec.Data(text)
			if data != nil {
				p.progress(data)
			}
			if text = says; data != nil && text == "" {
				continue
			}
		}
		p.line("err", text)
		if p.last = append(p.last, text); len(p.last) > 12 {
			p.last = slices.Delete(p.last, 0, 1)
		}
	}
	if p.spec.JSON {
		return
	}
	for _, text := range p.out.lines(all) {
		p.line("out", text)
	}
}

func (o *output) lines(all bool) []string {
	data, err := io.ReadAll(io.NewSectionReader(o.file, o.read, 1<<62))
	if err != nil {
		return nil
	}
	o.read += int64(len(data))
	data = append(o.rest, data...)
	o.rest = nil
	end := bytes.LastIndexByte(data, '\n') + 1
	if !all && end < len(data) && len(data)-end <= longest {
		o.rest = bytes.Clone(data[end:])
		data = data[:end]
	}
	var out []string
	for line := range bytes.Lines(data) {
		out = append(out, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return out
}

func (p *process) ended(err error) {
	code := p.command.ProcessState.ExitCode()
	var result json.RawMessage
	if p.spec.JSON {
		if text, err := io.ReadAll(io.NewSectionReader(p.out.file, 0, maxResult)); err == nil && json.Valid(text) {
			result = bytes.TrimSpace(text)
		}
	}
	var failed *exec.ExitError
	switch {
	case err == nil || errors.As(err, &failed) && slices.Contains(p.spec.Fine, code):
		p.end(Done, &code, result, "")
	case p.stopped():
		p.end(Stopped, &code, result, "")
	case failed == nil:
		p.end(Failed, nil, result, err.Error())
	default:
		p.end(Failed, &code, result, p.why(failed))
	}
}

// why is what the program said of its failure.
func (p *process) why(failed *exec.ExitError) string {
	var said []string
	for _, line := range p.last {
		if text, ours := strings.CutPrefix(line, "meshstorm: "); ours {
			said = append(said, text)
		}
	}
	switch {
	case len(said) > 0:
		return strings.Join(said, "\n")
	case len(p.last) > 0:
		return strings.Join(p.last, "\n")
	}
	return failed.String()
}
