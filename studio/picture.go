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
	op := operation("draw-deployment", http.MethodGet, "/workspaces/{id}/picture", "deployment", "Draw the deployment, as meshstorm screenshot does")
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}},
		"image/png":     {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}}
	huma.Register(api, op, func(ctx context.Context, in *struct {
		InWorkspace
		Format string  `query:"format" enum:"svg,png" default:"svg"`
		Theme  string  `query:"theme" enum:"light,dark" default:"light"`
		Scale  float64 `query:"scale" minimum:"0.1" maximum:"10" default:"2" doc:"Of a PNG: pixels for each pixel of the deploy screen."`
	}) (*pictured, error) {
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
		l, err := p.layout()
		if err != nil {
			return nil, problemOf(err)
		}
		g := p.graph(st).Graph
		o := picture.Options{Dark: in.Theme == "dark", Title: "Deployment of " + p.name, Places: l.Objects}
		out := &pictured{ContentType: "image/svg+xml", Disposition: `attachment; filename="` + asciiName(p.id) + "." + in.Format + `"`}
		if in.Format == "png" {
			out.ContentType = "image/png"
			out.Body, _, err = picture.PNG(&g, o, in.Scale)
		} else {
			out.Body, err = picture.SVG(&g, o)
		}
		return out, problemOf(err)
	})
}
