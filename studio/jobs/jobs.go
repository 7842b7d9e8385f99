// Package jobs runs verbs of this program for the studio's page, so that page and
// command line do the same thing. A job takes a command line that the server
// built, never a shell's, and gives its lines, its JSON and how it ended, to any
// number of followers, from the beginning. Jobs outlive the requests that began
// them.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Bounds of what is kept.
const (
	keptJobs  = 50        // that have ended
	keptBytes = 512 << 10 // of a job's events
	longest   = 8 << 10   // bytes of a line
	maxResult = 16 << 20  // bytes of a verb's JSON
)

// State is where a job is.
type State string

// The states.
const (
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	Stopped State = "stopped" // interrupted through Stop, or at the studio's end
)

// Job is one as people see it.
type Job struct {
	ID        string          `json:"id"`
	Verb      string          `json:"verb" example:"apply"`
	Workspace string          `json:"workspace,omitempty"`
	Context   string          `json:"context,omitempty" doc:"Of the kubeconfig; missing: the current one."`
	Service   string          `json:"service,omitempty" doc:"Of the canary verbs and shift."`
	Command   []string        `json:"command" doc:"What a person would type for the same; empty for load, which runs in the studio."`
	State     State           `json:"state" enum:"running,done,failed,stopped"`
	ExitCode  *int            `json:"exitCode,omitempty"`
	Started   time.Time       `json:"started"`
	Ended     *time.Time      `json:"ended,omitempty"`
	Result    json.RawMessage `json:"result,omitempty" doc:"What the verb prints with -o json; docs/schema describes it."`
	Error     string          `json:"error,omitempty" doc:"Why it failed, as the command line says it."`
}

// Line is one that a job printed.
type Line struct {
	Stream string `json:"stream" enum:"out,err"`
	Text   string `json:"text"`
}

// Progress is what a job says of itself as data.
type Progress struct {
	Data json.RawMessage `json:"data"`
}

// Spec says what to run.
type Spec struct {
	Verb, Workspace, Context, Service string
	// Lane: no two jobs of one lane run at a time; "" has room for all.
	Lane string
	// Args are the verb's, and Command what a person would type for them.
	Args    []string
	Command []string
	// Data makes a line of stderr data, which watchers are told beside the text
	// that it gives for the log; nil data where the line is only a text. May be nil.
	Data func(line string) (data any, text string)
	// JSON says that stdout is one document, the result.
	JSON bool
	// Fine are exit codes besides 0 that are no failure: 1 of a dry run.
	Fine []int
	// Stays leaves the job running when the studio ends.
	Stays bool
	// Do is run instead of the program. What it gives is the result.
	Do func(ctx context.Context, progress func(any)) (any, error)
}

// BusyError says that the lane is taken.
type BusyError struct{ Job Job }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s runs already, since %s; wait until it ends, or stop it", e.Job.Verb, e.Job.Started.Local().Format(time.TimeOnly))
}

// ErrNone says that there is no such job.
var ErrNone = errors.New("there is no such job; the studio keeps the last ones until it ends")

// Runner runs jobs. It is safe for concurrent use.
type Runner struct {
	program string
	environ []string

	mu     sync.Mutex
	jobs   []*job // in the order of their start
	last   int
	closed bool
	all    sync.WaitGroup
}

// New makes a runner of this program, with the environment that it gets.
func New(program string, environ []string) *Runner {
	return &Runner{program: program, environ: environ}
}

// Start begins a job. The error is a *BusyError where its lane is taken.
func (r *Runner) Start(s Spec) (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Job{}, errors.New("the studio ends")
	}
	if busy := r.inLane(s.Lane); busy != nil {
		return Job{}, &BusyError{busy.now()}
	}
	r.last++
	j := &job{spec: s, stopping: make(chan struct{}), changed: make(chan struct{}), seen: Job{
		ID: strconv.Itoa(r.last), Verb: s.Verb, Workspace: s.Workspace, Context: s.Context, Service: s.Service,
		Command: append([]string{}, s.Command...), State: Running, Started: time.Now().UTC(),
	}}
	run := j.do
	if s.Do == nil {
		p, err := j.begin(r.program, r.environ)
		if err != nil {
			return Job{}, fmt.Errorf("start %s: %w", s.Verb, err)
		}
		run = p.run
	}
	r.jobs = append(r.jobs, j)
	r.forget()
	r.all.Go(run)
	return j.now(), nil
}

func (r *Runner) inLane(lane string) *job {
	for _, j := range r.jobs {
		if lane != "" && j.spec.Lane == lane && j.now().State == Running {
			return j
		}
	}
	return nil
}

// forget drops the oldest jobs that have ended.
func (r *Runner) forget() {
	ended := 0
	for _, j := range slices.Backward(r.jobs) {
		if j.now().State == Running {
			continue
		}
		if ended++; ended > keptJobs {
			r.jobs = slices.DeleteFunc(r.jobs, func(other *job) bool { return other == j })
		}
	}
}

// List gives all jobs, the newest first.
func (r *Runner) List() []Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Job, 0, len(r.jobs))
	for _, j := range slices.Backward(r.jobs) {
		all = append(all, j.now())
	}
	return all
}

// Get finds a job. The error is ErrNone.
func (r *Runner) Get(id string) (Job, error) {
	j, err := r.find(id)
	if err != nil {
		return Job{}, err
	}
	return j.now(), nil
}

func (r *Runner) find(id string) (*job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if j.seen.ID == id { // never written again
			return j, nil
		}
	}
	return nil, ErrNone
}

// Stop interrupts a job as Ctrl-C does, and gives it as it is then; it ends when
// it has tidied up. A job that has ended stays as it is.
func (r *Runner) Stop(id string) (Job, error) {
	j, err := r.find(id)
	if err != nil {
		return Job{}, err
	}
	j.stop()
	return j.now(), nil
}

// Follow hands everything that a job said to show, from the beginning, until it
// has ended, ctx ends or show fails; the job itself comes last. What is too old
// to be kept is left out. Values are Line, Progress and Job.
func (r *Runner) Follow(ctx context.Context, id string, show func(any) error) error {
	j, err := r.find(id)
	if err != nil {
		return err
	}
	for next := 0; ; {
		events, n, ended, changed := j.since(next)
		next = n
		for _, e := range events {
			if err := show(e); err != nil {
				return err
			}
		}
		if ended {
			return show(j.now())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Close interrupts what runs, waits for it as long as ctx allows and then kills
// it. It gives the jobs that go on without the studio.
func (r *Runner) Close(ctx context.Context) []Job {
	r.mu.Lock()
	r.closed = true
	running := slices.Clone(r.jobs)
	r.mu.Unlock()
	var left []Job
	for _, j := range running {
		switch {
		case j.now().State != Running:
		case j.spec.Stays:
			left = append(left, j.now())
			j.leave()
		default:
			j.stop()
		}
	}
	ended := make(chan struct{})
	go func() {
		r.all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		for _, j := range running {
			j.kill()
		}
		<-ended
	}
	return left
}
