package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

func (s *Server) registerGraph(api huma.API) {
	huma.Register(api, operation("get-findings", http.MethodGet, "/workspaces/{id}/findings", "deployment", "Say what is wrong with the model and the manifests"),
		func(ctx context.Context, in *InWorkspace) (*plain[Findings], error) {
			_, st, report, err := s.checked(ctx, in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[Findings]{Findings{st.revision, append([]check.Finding{}, report.Findings...), report.Summary}}, nil
		})
	huma.Register(api, operation("get-graph", http.MethodGet, "/workspaces/{id}/graph", "deployment", "Read the deployment as a graph"),
		func(ctx context.Context, in *InWorkspace) (*revised[Graph], error) {
			p, st, _, err := s.checked(ctx, in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			g := p.graph(st)
			return withETag(g.Revision, *g), nil
		})
	huma.Register(api, operation("save-weights", http.MethodPut, "/workspaces/{id}/weights", "deployment", "Set the weights of a rule, in a VirtualService and its twin"),
		func(ctx context.Context, in *struct {
			InWorkspace
			IfMatch
			Body WeightChange
		}) (*revised[Graph], error) {
			p, err := s.folder.get(in.ID)
			if err == nil {
				err = p.change(ctx, func(ctx context.Context) error { return p.saveWeights(ctx, in.Value, in.Body) })
			}
			if err != nil {
				return nil, problemOf(err)
			}
			st, err := p.state(ctx)
			if err == nil {
				err = st.err
			}
			if err != nil {
				return nil, problemOf(invalid(err))
			}
			g := p.graph(st)
			return withETag(g.Revision, *g), nil
		})
	huma.Register(api, operation("get-layout", http.MethodGet, "/workspaces/{id}/layout", "deployment", "Read where objects lie on the deploy screen"),
		func(_ context.Context, in *InWorkspace) (*revised[Layout], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			l, err := p.layout()
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(l.Revision, *l), nil
		})
	huma.Register(api, operation("save-layout", http.MethodPut, "/workspaces/{id}/layout", "deployment", "Save where objects lie on the deploy screen"),
		func(ctx context.Context, in *struct {
			InWorkspace
			IfMatch
			Body LayoutChange
		}) (*revised[Layout], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			var out *Layout
			err = p.change(ctx, func(ctx context.Context) (err error) {
				out, err = p.saveLayout(ctx, in.Value, in.Body.Objects)
				return err
			})
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(out.Revision, *out), nil
		})
}

// checked gives a workspace's state with what check says about it.
func (s *Server) checked(ctx context.Context, id string) (*place, *state, *check.Report, error) {
	p, err := s.folder.get(id)
	if err != nil {
		return nil, nil, nil, err
	}
	st, err := p.state(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	report, err := p.check(ctx, st)
	return p, st, report, err
}

// unreadable says what of a file is not shown.
func unreadable(r *check.Resource) string {
	return fmt.Sprintf("%s:%d: %v", r.Document.Path, r.Document.Line, r.Err)
}

// layout reads the positions; without a file there are none.
func (p *place) layout() (*Layout, error) {
	f, err := p.any(workspace.LayoutFile)
	if err != nil {
		return nil, err
	}
	out := &Layout{Revision: revisionOf(nil), Objects: map[string]canvas.Box{}}
	if f == nil {
		return out, nil
	}
	out.Revision = f.revision
	var l canvas.Layout
	if err := json.Unmarshal(f.data, &l); err != nil {
		return nil, problem(http.StatusUnprocessableEntity, fmt.Sprintf("%s: %v; expected what the studio writes. Remove the file to have objects laid out anew", workspace.LayoutFile, err))
	}
	if l.Objects != nil {
		out.Objects = l.Objects
	}
	return out, nil
}

func (p *place) saveLayout(ctx context.Context, given string, objects map[string]canvas.Box) (*Layout, error) {
	f, err := p.any(workspace.LayoutFile)
	if err != nil {
		return nil, err
	}
	now := revisionOf(nil)
	if f != nil {
		now = f.revision
	}
	if err := match(given, now, func() (any, error) { return p.layout() }); err != nil {
		return nil, err
	}
	if objects == nil {
		objects = map[string]canvas.Box{}
	}
	data, err := json.MarshalIndent(canvas.Layout{APIVersion: workspace.APIVersion, Objects: objects}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := p.commit(ctx, manifest.Change{Path: workspace.LayoutFile, Data: append(data, '\n')}); err != nil {
		return nil, err
	}
	return p.layout()
}
