package jobs

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// job is one with all that it said.
type job struct {
	spec     Spec
	stopping chan struct{} // closed by Stop
	once     sync.Once

	mu      sync.Mutex
	seen    Job
	events  []any // Line or Progress
	sizes   []int
	bytes   int
	dropped int           // events that are not kept any more
	changed chan struct{} // closed at the next change
	process *os.Process   // nil for Do, and after the end
	left    chan struct{} // closed when the studio leaves the process alone
}

func (j *job) now() Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen
}

// since gives the events from a number on, the number of the next one, and what
// tells of a change.
func (j *job) since(from int) (events []any, next int, ended bool, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := max(from-j.dropped, 0)
	return slices.Clone(j.events[min(at, len(j.events)):]), j.dropped + len(j.events), j.seen.State != Running, j.changed
}

// say adds an event.
func (j *job) say(e any, size int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	size += 64 // what keeping it takes besides
	j.events, j.sizes, j.bytes = append(j.events, e), append(j.sizes, size), j.bytes+size
	n := 0
	for j.bytes > keptBytes {
		j.bytes -= j.sizes[n]
		n++
	}
	if n > 0 {
		j.events, j.sizes, j.dropped = slices.Clone(j.events[n:]), slices.Clone(j.sizes[n:]), j.dropped+n
	}
	j.tell()
}

func (j *job) tell() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *job) line(stream, text string) {
	text = strings.TrimRight(text, "\r")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	j.say(Line{stream, text}, len(text))
}

func (j *job) progress(v any) {
	data, err := json.Marshal(v)
	if err == nil {
		j.say(Progress{data}, len(data))
	}
}

// end is written once.
func (j *job) end(state State, code *int, result json.RawMessage, why string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now().UTC()
	j.seen.State, j.seen.ExitCode, j.seen.Result, j.seen.Error, j.seen.Ended, j.process = state, code, result, why, &now, nil
	j.tell()
}

func (j *job) stopped() bool {
	select {
	case <-j.stopping:
		return true
	default:
		return false
	}
}

// stop interrupts.
func (j *job) stop() {
	j.once.Do(func() { close(j.stopping) })
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.process != nil {
		_ = interrupt(j.process) // one that has ended meanwhile
	}
}

func (j *job) kill() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.process != nil {
		_ = j.process.Kill() // one that has ended meanwhile
	}
}

// do runs what is no program.
func (j *job) do() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-j.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	result, err := j.spec.Do(ctx, j.progress)
	var data json.RawMessage
	if result != nil {
		if text, failed := json.Marshal(result); failed == nil {
			data = text
		}
	}
	switch {
	case j.stopped():
		j.end(Stopped, nil, data, "")
	case err != nil:
		j.end(Failed, nil, data, err.Error())
	default:
		j.end(Done, nil, data, "")
	}
}
