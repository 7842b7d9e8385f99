package studio

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/studio/jobs"
	"github.com/meshstorm/meshstorm/studio/live"
)

// InContext names a cluster.
type InContext struct {
	Context string `query:"context" maxLength:"500" doc:"A context of the kubeconfig, or that of the lab, as /contexts lists them; missing: the current one."`
}

// InCluster names a workspace and a cluster.
type InCluster struct {
	InWorkspace
	InContext
}

func (s *Server) registerCluster(api huma.API) {
	huma.Register(api, operation("list-contexts", http.MethodGet, "/contexts", "cluster", "List the clusters that the kubeconfig names, and the lab; no credentials"),
		func(ctx context.Context, _ *struct{}) (*plain[live.Contexts], error) {
			return &plain[live.Contexts]{s.clusters.Contexts(ctx)}, nil
		})
	huma.Register(api, operation("get-lab", http.MethodGet, "/lab", "cluster", "Say where the lab on this machine is"),
		func(ctx context.Context, _ *struct{}) (*plain[live.Lab], error) {
			return &plain[live.Lab]{s.lab(ctx)}, nil
		})
	huma.Register(api, operation("get-cluster", http.MethodGet, "/workspaces/{id}/cluster", "cluster",
		"Say what runs of a workspace, and how far the way to it is; a cluster that cannot be reached is no error"),
		func(ctx context.Context, in *InCluster) (*plain[live.Cluster], error) {
			_, at, err := s.at(ctx, in)
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[live.Cluster]{s.clusters.View(ctx, at)}, nil
		})
	s.registerClusterParts(api)
	watch := operation("watch-cluster", http.MethodGet, "/workspaces/{id}/cluster/events", "cluster", "Be told what runs of a workspace, at once and whenever it changes")
	watch.Middlewares = before(api, s.isWorkspace)
	sse.Register(api, watch, map[string]any{"state": live.Cluster{}, "ping": Beat{}},
		func(ctx context.Context, in *InCluster, send sse.Sender) {
			s.live(ctx, send, func(ctx context.Context, data func(any) error) error {
				_, at, err := s.at(ctx, in)
				if err != nil {
					return err
				}
				return s.clusters.Watch(ctx, at, func(c live.Cluster) error {
					if _, now, err := s.at(ctx, in); err != nil || now != at {
						return errMoved // the page asks again
					}
					return data(c)
				})
			})
		})
}

func (s *Server) registerTraffic(api huma.API) {
	huma.Register(api, operation("get-traffic", http.MethodGet, "/workspaces/{id}/traffic", "cluster", "Read what goes over the edges of a workspace's namespace; where nobody looked yet this takes some seconds"),
		func(ctx context.Context, in *InCluster) (*plain[live.Traffic], error) {
			return answered(ctx, s, in, func(ctx context.Context, _ *place, at live.Place) (live.Traffic, error) {
				return s.clusters.TrafficNow(ctx, at)
			})
		})
	watch := operation("watch-traffic", http.MethodGet, "/workspaces/{id}/traffic/events", "cluster", "Be told every few seconds what goes over the edges of a workspace's namespace, with the last 15 minutes that somebody looked")
	watch.Middlewares = before(api, s.isWorkspace)
	sse.Register(api, watch, map[string]any{"traffic": live.Traffic{}, "ping": Beat{}},
		func(ctx context.Context, in *InCluster, send sse.Sender) {
			s.live(ctx, send, func(ctx context.Context, data func(any) error) error {
				_, at, err := s.at(ctx, in)
				if err != nil {
					return err
				}
				return s.clusters.Traffic(ctx, at, func(t live.Traffic) error { return data(t) })
			})
		})
}

// errMoved ends a stream whose workspace has another namespace now.
var errMoved = errors.New("the workspace's namespace changed")

// isWorkspace keeps streams from beginning where there is none to look at.
func (s *Server) isWorkspace(ctx context.Context, hc huma.Context) error {
	_, _, err := s.at(ctx, &InCluster{InWorkspace: InWorkspace{hc.Param("id")}})
	return problemOf(err)
}

// lab says that it starts, too, while a job starts it.
func (s *Server) lab(ctx context.Context) live.Lab {
	lab := s.clusters.Lab(ctx)
	for _, j := range s.jobs.List() {
		if j.Verb == verbLabUp && j.State == jobs.Running && lab.State != live.LabRunning {
			lab.State = live.LabStarting
		}
	}
	return lab
}

// at is a workspace's place in a cluster: its settings name it.
func (s *Server) at(ctx context.Context, in *InCluster) (*place, live.Place, error) {
	p, err := s.folder.get(in.ID)
	if err != nil {
		return nil, live.Place{}, err
	}
	st, err := p.state(ctx)
	if err == nil {
		err = st.err
	}
	if err != nil {
		return nil, live.Place{}, invalid(err)
	}
	settings := st.opened.Settings
	return p, live.Place{Context: in.Context, Namespace: settings.Namespace, Workspace: settings.Workspace}, nil
}

// clusterProblem gives what goes wrong with a cluster its status.
func clusterProblem(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return problemOf(err)
	case errors.Is(err, live.ErrNoPod):
		return problem(http.StatusNotFound, err.Error())
	case errors.Is(err, live.ErrContext), errors.Is(err, live.ErrRequest), errors.Is(err, cluster.ErrInput):
		return problem(http.StatusUnprocessableEntity, err.Error())
	}
	if p := (*Problem)(nil); errors.As(err, &p) {
		return problemOf(err)
	}
	return problem(http.StatusBadGateway, err.Error())
}

// reasonOf is why a stream ended; nothing where it came to its end.
func reasonOf(err error) string {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return ""
	}
	return err.Error()
}
