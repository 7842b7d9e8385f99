package studio

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

// pingEvery keeps proxies and browsers from taking a quiet stream for a dead one.
const pingEvery = 15 * time.Second

func (s *Server) registerEvents(api huma.API) {
	op := operation("watch-workspace", http.MethodGet, "/workspaces/{id}/events", "workspaces", "Be told of every change of the workspace's files, whoever made it")
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if _, err := s.folder.get(ctx.Param("id")); err != nil { // a stream has no room for errors
			status := http.StatusInternalServerError
			if p := (*Problem)(nil); errors.As(problemOf(err), &p) {
				status = p.Status
			}
			_ = huma.WriteErr(api, ctx, status, err.Error())
			return
		}
		next(ctx)
	}}
	sse.Register(api, op, map[string]any{"changed": Changed{}, "ping": Ping{}},
		func(ctx context.Context, in *InWorkspace, send sse.Sender) {
			if p, err := s.folder.get(in.ID); err == nil {
				s.stream(ctx, p, send)
			}
		})
}

// stream tells one client of changes until it goes away.
func (s *Server) stream(ctx context.Context, p *place, send sse.Sender) {
	changes, stop, err := s.folder.hub.watch(p)
	if err != nil {
		s.Log.Warn("watch", "workspace", p.id, "error", err)
		return
	}
	defer stop()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		files, err := p.files()
		if err != nil {
			return // the workspace is gone
		}
		revision, _ := revisions(files)
		if send.Data(Ping{revision}) != nil {
			return
		}
	quiet:
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				break quiet
			case c, ok := <-changes:
				if !ok || send.Data(c) != nil {
					return
				}
			}
		}
	}
}
