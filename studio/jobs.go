package studio

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/meshstorm/meshstorm/studio/jobs"
)

// endGrace is how long jobs have to tidy up when the studio ends.
const endGrace = 15 * time.Second

// InJob names a job.
type InJob struct {
	Job string `path:"job" doc:"The job's id."`
}

// Jobs are the newest first.
type Jobs struct {
	Items []jobs.Job `json:"items"`
}

// Beat is sent now and then on a stream that is quiet.
type Beat struct{}

func (s *Server) registerJobs(api huma.API) {
	start := operation("start-job", http.MethodPost, "/jobs", "jobs", "Run a verb of the command line; where one that changes the same runs already, the answer is 409 with it as current")
	start.DefaultStatus = http.StatusCreated
	huma.Register(api, start, func(ctx context.Context, in *struct{ Body NewJob }) (*plain[jobs.Job], error) {
		j, err := s.startJob(ctx, &in.Body)
		if err != nil {
			return nil, jobProblem(err)
		}
		return &plain[jobs.Job]{j}, nil
	})
	huma.Register(api, operation("list-jobs", http.MethodGet, "/jobs", "jobs", "List the jobs that run and the last ones that ended"),
		func(context.Context, *struct{}) (*plain[Jobs], error) {
			return &plain[Jobs]{Jobs{s.jobs.List()}}, nil
		})
	huma.Register(api, operation("get-job", http.MethodGet, "/jobs/{job}", "jobs", "Say how far a job is"),
		func(_ context.Context, in *InJob) (*plain[jobs.Job], error) {
			j, err := s.jobs.Get(in.Job)
			if err != nil {
				return nil, jobProblem(err)
			}
			return &plain[jobs.Job]{j}, nil
		})
	huma.Register(api, operation("stop-job", http.MethodDelete, "/jobs/{job}", "jobs", "Interrupt a job, as Ctrl-C does; it ends when it has tidied up"),
		func(_ context.Context, in *InJob) (*plain[jobs.Job], error) {
			j, err := s.jobs.Stop(in.Job)
			if err != nil {
				return nil, jobProblem(err)
			}
			return &plain[jobs.Job]{j}, nil
		})
	watch := operation("watch-job", http.MethodGet, "/jobs/{job}/events", "jobs", "Be told what a job says, from the beginning, and how it ended")
	watch.Middlewares = before(api, func(_ context.Context, hc huma.Context) error {
		_, err := s.jobs.Get(hc.Param("job"))
		return jobProblem(err)
	})
	sse.Register(api, watch, map[string]any{"line": jobs.Line{}, "event": jobs.Progress{}, "end": jobs.Job{}, "ping": Beat{}},
		func(ctx context.Context, in *InJob, send sse.Sender) {
			s.live(ctx, send, func(ctx context.Context, data func(any) error) error {
				return s.jobs.Follow(ctx, in.Job, data)
			})
		})
}

// before answers with a problem where a stream, which has no room for errors,
// cannot begin.
func before(api huma.API, check func(context.Context, huma.Context) error) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		err := check(ctx.Context(), ctx)
		if err == nil {
			next(ctx)
			return
		}
		status := http.StatusInternalServerError
		if p := (*Problem)(nil); errors.As(err, &p) {
			status = p.Status
		}
		_ = huma.WriteErr(api, ctx, status, err.Error())
	}}
}

// live runs a stream until its client goes away or the studio ends, with a ping
// now and then: that is how a client that is gone is found out.
func (s *Server) live(ctx context.Context, send sse.Sender, run func(ctx context.Context, data func(any) error) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	data := make(chan any)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run(ctx, func(v any) error { // it ends with the stream
			select {
			case data <- v:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { <-ended }()
	defer cancel()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		var v any
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-ticker.C:
			v = Beat{}
		case v = <-data:
		}
		if send.Data(v) != nil {
			return
		}
	}
}

func jobProblem(err error) error {
	var busy *jobs.BusyError
	switch {
	case errors.As(err, &busy):
		p := problem(http.StatusConflict, err.Error())
		p.Current = busy.Job
		return p
	case errors.Is(err, jobs.ErrNone):
		return problem(http.StatusNotFound, err.Error())
	}
	return clusterProblem(err)
}

// endJobs interrupts what runs and says what goes on.
func (s *Server) endJobs() {
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	for _, j := range s.jobs.Close(ctx) {
		s.Log.Warn("goes on without the studio", "job", j.Verb, "command", j.Command)
	}
}
