package studio

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/route"
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
			st, err := p.state(ctx)
			if err == nil {
				err = st.err
			}
			if err != nil {
				return nil, problemOf(invalid(err))
			}
			q := answer.Request{Method: in.Body.Method, URL: in.Body.URL, From: in.Body.From, Random: in.Body.Random}
			for _, name := range slices.Sorted(maps.Keys(in.Body.Headers)) {
				q.Headers = append(q.Headers, route.Header{Name: name, Value: in.Body.Headers[name]})
			}
			a, err := s.Ask(ctx, p.input(st), q)
			if err != nil {
				return nil, problemOf(invalid(err))
			}
			return &plain[answer.Answer]{*a}, nil
		})
}
