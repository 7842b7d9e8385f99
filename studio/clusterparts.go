package studio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/studio/live"
)

// InPod names a pod of a workspace in a cluster.
type InPod struct {
	InCluster
	Pod string `path:"pod" maxLength:"253" pattern:"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"`
}

// InLog says which part of a pod's log.
type InLog struct {
	InPod
	Container string `query:"container" maxLength:"253" doc:"Missing: the application's."`
	Lines     int    `query:"lines" minimum:"1" maximum:"10000" default:"200" doc:"The last ones."`
	Previous  bool   `query:"previous" doc:"Of the container before the last restart."`
}

func (in *InLog) options() live.LogOptions {
	return live.LogOptions{Container: in.Container, Lines: in.Lines, Previous: in.Previous}
}

// Log is the end of a log.
type Log struct {
	Text string `json:"text"`
}

// LogLines are lines of a log that came.
type LogLines struct {
	Lines []string `json:"lines"`
}

// LogEnd says why a log that is followed ends.
type LogEnd struct {
	Reason string `json:"reason" doc:"Empty where the container ended."`
}

// answerTime is how long a cluster may take to answer one request of the page;
// one that cannot be reached would be tried for minutes.
const answerTime = 40 * time.Second

var errNoAnswer = fmt.Errorf("the cluster did not answer within %s", answerTime)

// answered runs what needs a workspace's place in a cluster.
func answered[T any](ctx context.Context, s *Server, in *InCluster, do func(context.Context, *place, live.Place) (T, error)) (*plain[T], error) {
	p, at, err := s.at(ctx, in)
	if err != nil {
		return nil, problemOf(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errNoAnswer)
	defer cancel()
	out, err := do(ctx, p, at)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return nil, clusterProblem(err)
	}
	return &plain[T]{out}, nil
}

func (s *Server) registerClusterParts(api huma.API) {
	huma.Register(api, operation("diff-cluster", http.MethodGet, "/workspaces/{id}/cluster/diff", "cluster", "Say what apply would change; the answer is that of meshstorm diff -o json: docs/schema/diff.json"),
		func(ctx context.Context, in *struct {
			InCluster
			TakeWeights bool `query:"takeWeights" doc:"As if apply took the weights of the files."`
		}) (*plain[json.RawMessage], error) {
			return answered(ctx, s, &in.InCluster, func(ctx context.Context, p *place, at live.Place) (json.RawMessage, error) {
				objects, err := p.objects(ctx, "")
				if err != nil {
					return nil, err
				}
				return s.clusters.Diff(ctx, at, objects, in.TakeWeights)
			})
		})
	huma.Register(api, operation("get-history", http.MethodGet, "/workspaces/{id}/cluster/history", "cluster", "List the states that were applied; the answer is that of meshstorm history -o json: docs/schema/history.json"),
		func(ctx context.Context, in *InCluster) (*plain[json.RawMessage], error) {
			return answered(ctx, s, in, func(ctx context.Context, _ *place, at live.Place) (json.RawMessage, error) {
				return s.clusters.History(ctx, at)
			})
		})
	huma.Register(api, operation("compare-file", http.MethodGet, "/workspaces/{id}/cluster/compare", "cluster", "Lay one manifest beside what runs of it"),
		func(ctx context.Context, in *struct {
			InCluster
			Path string `query:"path" required:"true" example:"kubernetes/template/istio.yml"`
		}) (*plain[live.Comparison], error) {
			return answered(ctx, s, &in.InCluster, func(ctx context.Context, p *place, at live.Place) (live.Comparison, error) {
				objects, err := p.objects(ctx, in.Path)
				if err != nil {
					return live.Comparison{}, err
				}
				c, err := s.clusters.Compare(ctx, at, objects)
				if err != nil {
					return live.Comparison{}, err
				}
				return *c, nil
			})
		})
	huma.Register(api, operation("send-request", http.MethodPost, "/workspaces/{id}/cluster/request", "cluster", "Send a request through the ingress gateway"),
		func(ctx context.Context, in *struct {
			InCluster
			Body live.Sending
		}) (*plain[live.Received], error) {
			return answered(ctx, s, &in.InCluster, func(ctx context.Context, _ *place, at live.Place) (live.Received, error) {
				r, err := s.clusters.Send(ctx, at, in.Body)
				if err != nil {
					return live.Received{}, err
				}
				return *r, nil
			})
		})
	s.registerPods(api)
}

func (s *Server) registerPods(api huma.API) {
	huma.Register(api, operation("get-pod", http.MethodGet, "/workspaces/{id}/cluster/pods/{pod}", "cluster", "Say how a pod is, and why"),
		func(ctx context.Context, in *InPod) (*plain[live.PodDetail], error) {
			return answered(ctx, s, &in.InCluster, func(ctx context.Context, _ *place, at live.Place) (live.PodDetail, error) {
				pod, err := s.clusters.Pod(ctx, at, in.Pod)
				if err != nil {
					return live.PodDetail{}, err
				}
				return *pod, nil
			})
		})
	huma.Register(api, operation("get-log", http.MethodGet, "/workspaces/{id}/cluster/pods/{pod}/log", "cluster", "Read the end of a container's log"),
		func(ctx context.Context, in *InLog) (*plain[Log], error) {
			return answered(ctx, s, &in.InCluster, func(ctx context.Context, _ *place, at live.Place) (Log, error) {
				text, err := s.clusters.Log(ctx, at, in.Pod, in.options())
				return Log{text}, err
			})
		})
	follow := operation("follow-log", http.MethodGet, "/workspaces/{id}/cluster/pods/{pod}/log/stream", "cluster", "Follow a container's log, from its last lines")
	follow.Middlewares = before(api, s.isWorkspace)
	sse.Register(api, follow, map[string]any{"lines": LogLines{}, "end": LogEnd{}, "ping": Beat{}},
		func(ctx context.Context, in *InLog, send sse.Sender) {
			s.live(ctx, send, func(ctx context.Context, data func(any) error) error {
				_, at, err := s.at(ctx, &in.InCluster)
				if err == nil {
					err = s.clusters.FollowLog(ctx, at, in.Pod, in.options(), func(lines []string) error { return data(LogLines{lines}) })
				}
				return data(LogEnd{reasonOf(err)})
			})
		})
}

// objects are those of the workspace's manifests, or of one.
func (p *place) objects(ctx context.Context, path string) ([]cluster.Object, error) {
	st, err := p.state(ctx)
	if err == nil {
		err = st.err
	}
	if err != nil {
		return nil, invalid(err)
	}
	if path != "" && st.file(path) == nil {
		return nil, problem(http.StatusNotFound, path+": there is no such file in the workspace")
	}
	in := p.input(st)
	if len(in.Errors) > 0 {
		return nil, problem(http.StatusUnprocessableEntity, in.Errors[0].Error())
	}
	docs := in.Documents
	if path != "" {
		docs = slices.DeleteFunc(slices.Clone(docs), func(d *manifest.Document) bool { return d.Path != path })
	}
	all, err := cluster.Objects(docs)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, err.Error())
	}
	return all, nil
}
