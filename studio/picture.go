package studio

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/studio/picture"
)

type pictured struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *Server) registerPicture(api huma.API) {
	op := operation("draw", http.MethodGet, "/workspaces/{id}/picture", "deployment", "Draw the deployment or the model, as meshstorm screenshot does")
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}},
		"image/png":     {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}}
	huma.Register(api, op, func(ctx context.Context, in *struct {
		InWorkspace
		What   string  `query:"what" enum:"deployment,model" default:"deployment"`
		Format string  `query:"format" enum:"svg,png" default:"svg"`
		Theme  string  `query:"theme" enum:"light,dark" default:"light"`
		Lang   string  `query:"lang" enum:"en,ko" default:"en" doc:"Of the title and of the stickers' kinds."`
		Scale  float64 `query:"scale" minimum:"0.1" maximum:"10" default:"2" doc:"Of a PNG: pixels for each pixel of the screen."`
	}) (*pictured, error) {
		p, err := s.folder.get(in.ID)
		if err != nil {
			return nil, problemOf(err)
		}
		d, err := p.drawing(ctx, in.What, picture.Options{Name: p.name, Dark: in.Theme == "dark", Korean: in.Lang == "ko"})
		if err != nil {
			return nil, err
		}
		out := &pictured{ContentType: "image/svg+xml", Disposition: `attachment; filename="` + asciiName(p.id) + "." + in.Format + `"`}
		if in.Format == "png" {
			out.ContentType = "image/png"
			out.Body, _, err = d.PNG(in.Scale)
		} else {
			out.Body, err = d.SVG()
		}
		return out, problemOf(err)
	})
}

func (p *place) drawing(ctx context.Context, what string, o picture.Options) (*picture.Drawing, error) {
	st, err := p.state(ctx)
	if err == nil {
		err = st.err
	}
	if err != nil {
		return nil, problemOf(invalid(err))
	}
	if what == "model" {
		return picture.Board(st.opened.Document.Model, o), nil
	}
	l, err := p.layout()
	if err != nil {
		return nil, problemOf(err)
	}
	g := p.graph(st).Graph
	return picture.Deployment(&g, l.Objects, o), nil
}
