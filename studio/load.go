package studio

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/internal/load"
	"github.com/meshstorm/meshstorm/studio/jobs"
	"github.com/meshstorm/meshstorm/studio/live"
)

// startLoad keeps the lab's gateway busy.
func (s *Server) startLoad(n *NewJob, target live.Target) (jobs.Job, error) {
	if n.Load == nil {
		return jobs.Job{}, problem(http.StatusUnprocessableEntity, "load: expected load, with path, rate and seconds")
	}
	gateway := target.Gateway()
	if gateway == "" {
		return jobs.Job{}, problem(http.StatusUnprocessableEntity, "load is for the lab on this machine only, while it runs: other clusters serve people")
	}
	o := load.Options{
		URL: strings.TrimSuffix(gateway, "/") + n.Load.Path, Host: n.Load.Host, Method: n.Load.Method, Header: http.Header{}, Body: n.Load.Body, Rate: n.Load.Rate,
	}
	for name, value := range n.Load.Headers {
		o.Header.Set(name, value)
	}
	seconds := n.Load.Seconds
	return s.jobs.Start(jobs.Spec{
		Verb: n.Verb, Workspace: n.Workspace, Context: target.Name, Lane: "load " + target.Name,
		Do: func(ctx context.Context, progress func(any)) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
			defer cancel()
			return keepBusy(ctx, o, progress)
		},
	})
}

// keepBusy sends until ctx ends, and tells each second what was seen.
func keepBusy(ctx context.Context, o load.Options, progress func(any)) (any, error) {
	g, err := load.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			seen := loadSeen(g.Stop())
			progress(seen)
			return seen, nil
		case <-tick.C:
			progress(loadSeen(g.Report()))
		}
	}
}

func loadSeen(r *load.Report) LoadSeen {
	millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	seen := LoadSeen{Sent: r.Sent, Errors: r.Failed, P50: millis(r.Quantile(0.5)), P95: millis(r.Quantile(0.95)), Answered: r.Codes, Failures: r.Errors}
	for status, n := range r.Codes {
		if status < http.StatusInternalServerError {
			seen.OK += n
		}
	}
	return seen
}
