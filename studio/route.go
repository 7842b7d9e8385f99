package studio

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

func (s *Server) registerRoute(api huma.API) {
	huma.Register(api, operation("ask-route", http.MethodPost, "/workspaces/{id}/route", "deployment", "Say what the mesh will do with a request, and why; the answer is that of meshstorm route -o json"),
		func(ctx context.Context, in *struct {
			InWorkspace
			Body Question
		}) (*plain[answer.Answer], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			a, err := p.ask(ctx, in.Body)
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[answer.Answer]{*a}, nil
		})
	keep := operation("keep-route-test", http.MethodPost, "/workspaces/{id}/tests", "deployment", "Ask, and keep the question with its answer as a test that meshstorm test runs")
	keep.DefaultStatus = http.StatusCreated
	huma.Register(api, keep, func(ctx context.Context, in *struct {
		InWorkspace
		Body Keeping
	}) (*revised[File], error) {
		p, err := s.folder.get(in.ID)
		if err == nil {
			err = p.change(ctx, func(ctx context.Context) error { return p.keep(ctx, in.Body) })
		}
		var f *File
		if err == nil {
			f, err = p.readFile(in.Body.Path)
		}
		if err != nil {
			return nil, problemOf(err)
		}
		return withETag(f.Revision, *f), nil
	})
}

func (p *place) ask(ctx context.Context, q Question) (*answer.Answer, error) {
	st, err := p.state(ctx)
	if err == nil {
		err = st.err
	}
	if err != nil {
		return nil, invalid(err)
	}
	r := answer.Request{Method: q.Method, URL: q.URL, From: q.From, Random: q.Random}
	for _, name := range slices.Sorted(maps.Keys(q.Headers)) {
		r.Headers = append(r.Headers, route.Header{Name: name, Value: q.Headers[name]})
	}
	a, err := p.server.Ask(ctx, p.input(st), r)
	if err != nil {
		return nil, invalid(err)
	}
	return a, nil
}

func (p *place) keep(ctx context.Context, k Keeping) error {
	a, err := p.ask(ctx, k.Question)
	if err != nil {
		return err
	}
	old, err := p.file(k.Path)
	if err != nil {
		return err
	}
	var text []byte
	if old != nil {
		text = old.data
	}
	if text, err = routetest.Keep(k.Path, text, k.Name, a); err != nil {
		return invalid(err)
	}
	return p.commit(ctx, manifest.Change{Path: k.Path, Data: text})
}
