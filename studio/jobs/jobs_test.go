package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/studio/jobs"
)

// TestMain lets the test binary be the program that jobs run.
func TestMain(m *testing.M) {
	if os.Getenv("MESHSTORM_JOB") == "" {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "say":
		fmt.Println(os.Args[2])
		fmt.Fprintln(os.Stderr, "beside it")
	case "json":
		fmt.Fprintln(os.Stderr, "working")
		fmt.Println(`{"changes": [1, 2]}`)
	case "fail":
		fmt.Fprintln(os.Stderr, "meshstorm: the cluster cannot be reached")
		os.Exit(3)
	case "differ":
		os.Exit(1)
	case "wait":
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("waiting")
		select {
		case <-interrupted:
		case <-time.After(time.Minute): // of one that was left alone
		}
		fmt.Println("tidied up")
		os.Exit(1)
	case "flood":
		for i := range 40000 {
			fmt.Printf("line %d %s\n", i, strings.Repeat("x", 40))
		}
	}
	os.Exit(0)
}

func runner(t *testing.T) *jobs.Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := jobs.New(self, append(os.Environ(), "MESHSTORM_JOB=1"))
	t.Cleanup(func() { r.Close(t.Context()) })
	return r
}

func start(t *testing.T, r *jobs.Runner, s jobs.Spec) jobs.Job {
	t.Helper()
	j, err := r.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// follow gives what a job said, and how it ended.
func follow(t *testing.T, r *jobs.Runner, id string) (lines []string, end jobs.Job) {
	t.Helper()
	err := r.Follow(t.Context(), id, func(v any) error {
		switch v := v.(type) {
		case jobs.Line:
			lines = append(lines, v.Stream+": "+v.Text)
		case jobs.Progress:
			lines = append(lines, "event: "+string(v.Data))
		case jobs.Job:
			end = v
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, end
}

func TestAJobsLinesResultAndEnd(t *testing.T) {
	r := runner(t)
	lines, end := follow(t, r, start(t, r, jobs.Spec{Verb: "apply", Args: []string{"say", "--strange=$(id); `x`"}}).ID)
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"err: beside it", "out: --strange=$(id); `x`"}) || end.State != jobs.Done || *end.ExitCode != 0 || end.Ended == nil {
		t.Errorf("%q, %+v", lines, end)
	}
	if _, end := follow(t, r, start(t, r, jobs.Spec{Verb: "diff", Args: []string{"json"}, JSON: true}).ID); string(end.Result) != `{"changes": [1, 2]}` && string(end.Result) != `{"changes":[1,2]}` {
		t.Errorf("result %s", end.Result)
	}
	if _, end := follow(t, r, start(t, r, jobs.Spec{Verb: "apply", Args: []string{"fail"}}).ID); end.State != jobs.Failed || *end.ExitCode != 3 || !strings.Contains(end.Error, "cannot be reached") {
		t.Errorf("%+v", end)
	}
	if _, end := follow(t, r, start(t, r, jobs.Spec{Verb: "undo", Args: []string{"differ"}, Fine: []int{1}}).ID); end.State != jobs.Done || *end.ExitCode != 1 {
		t.Errorf("%+v", end)
	}
}

func TestEveryFollowerHearsAllFromTheBeginning(t *testing.T) {
	r := runner(t)
	j := start(t, r, jobs.Spec{Verb: "wait", Args: []string{"wait"}})
	var all sync.WaitGroup
	heard := make([][]string, 4)
	for i := range heard {
		all.Go(func() { heard[i], _ = follow(t, r, j.ID) })
	}
	// Somebody has heard the first line, so the signal finds its handler.
	said := make(chan struct{})
	var once sync.Once
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		_ = r.Follow(ctx, j.ID, func(v any) error {
			if l, ok := v.(jobs.Line); ok && l.Text == "waiting" {
				once.Do(func() { close(said) })
			}
			return nil
		})
	})
	<-said
	if runtime.GOOS == "windows" {
		t.Skip("Ctrl-C cannot be sent to a process of another console there")
	}
	if _, err := r.Stop(j.ID); err != nil {
		t.Fatal(err)
	}
	late, end := follow(t, r, j.ID)
	all.Wait()
	cancel()
	for _, lines := range append(heard, late) {
		if !slices.Equal(lines, []string{"out: waiting", "out: tidied up"}) {
			t.Errorf("heard %q", lines)
		}
	}
	if end.State != jobs.Stopped {
		t.Errorf("%+v", end)
	}
	if _, err := r.Stop(j.ID); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestOneJobOfALaneRunsAtATime(t *testing.T) {
	r := runner(t)
	release := make(chan struct{})
	work := func(ctx context.Context, progress func(any)) (any, error) {
		progress(map[string]int{"sent": 1})
		select {
		case <-release:
		case <-ctx.Done():
		}
		return map[string]int{"sent": 2}, nil
	}
	first := start(t, r, jobs.Spec{Verb: "load", Lane: "a", Do: work})
	var busy *jobs.BusyError
	if _, err := r.Start(jobs.Spec{Verb: "load", Lane: "a", Do: work}); !errors.As(err, &busy) || busy.Job.ID != first.ID {
		t.Errorf("a second one: %v", err)
	}
	other := start(t, r, jobs.Spec{Verb: "load", Lane: "b", Do: work})
	if _, err := r.Stop(other.ID); err != nil {
		t.Fatal(err)
	}
	if _, end := follow(t, r, other.ID); end.State != jobs.Stopped {
		t.Errorf("%+v", end)
	}
	close(release)
	lines, end := follow(t, r, first.ID)
	if !slices.Equal(lines, []string{`event: {"sent":1}`}) || end.State != jobs.Done || string(end.Result) != `{"sent":2}` {
		t.Errorf("%q %+v", lines, end)
	}
	start(t, r, jobs.Spec{Verb: "load", Lane: "a", Do: work})
	if list := r.List(); len(list) != 3 || list[2].ID != first.ID {
		t.Errorf("%+v", list)
	}
	if _, err := r.Get("77"); !errors.Is(err, jobs.ErrNone) {
		t.Error(err)
	}
}

func TestMemoryOfAJobThatSaysMuchIsBounded(t *testing.T) {
	r := runner(t)
	lines, end := follow(t, r, start(t, r, jobs.Spec{Verb: "say", Args: []string{"flood"}}).ID)
	if end.State != jobs.Done || len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], "out: line 39999 ") {
		t.Errorf("%d lines, %+v", len(lines), end)
	}
	late, _ := follow(t, r, end.ID)
	if len(late) == 0 || len(late) > 20000 || late[len(late)-1] != lines[len(lines)-1] {
		t.Errorf("later there are %d lines", len(late))
	}
}

func TestTheEndInterruptsWhatDoesNotStay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Ctrl-C cannot be sent to a process of another console there")
	}
	r := runner(t)
	heard := func(j jobs.Job) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_ = r.Follow(ctx, j.ID, func(any) error { cancel(); return nil })
	}
	goes := start(t, r, jobs.Spec{Verb: "apply", Args: []string{"wait"}})
	stays := start(t, r, jobs.Spec{Verb: "canary-start", Args: []string{"wait"}, Stays: true})
	heard(goes)
	heard(stays)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	left := r.Close(ctx)
	if len(left) != 1 || left[0].ID != stays.ID {
		t.Errorf("left alone: %+v", left)
	}
	if j, _ := r.Get(goes.ID); j.State != jobs.Stopped {
		t.Errorf("%+v", j)
	}
	if _, err := r.Start(jobs.Spec{Verb: "apply", Args: []string{"say", "x"}}); err == nil {
		t.Error("a job began after the end")
	}
	if j, err := r.Get(stays.ID); err == nil && j.State == jobs.Running {
		_, _ = r.Stop(stays.ID)
	}
}
