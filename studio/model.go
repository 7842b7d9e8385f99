package studio

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/workspace"
)

func (s *Server) registerModel(api huma.API) {
	huma.Register(api, operation("get-model", http.MethodGet, "/workspaces/{id}/model", "model", "Read the model: as it is saved, and as a board"),
		func(ctx context.Context, in *InWorkspace) (*revised[Model], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			m, err := p.model()
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(m.Revision, *m), nil
		})
	huma.Register(api, operation("save-model", http.MethodPut, "/workspaces/{id}/model", "model", "Save the model"),
		func(ctx context.Context, in *struct {
			InWorkspace
			IfMatch
			Body ModelChange
		}) (*revised[Model], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			var out *Model
			err = p.change(ctx, func(ctx context.Context) (err error) {
				out, err = p.saveModel(ctx, in.Value, in.Body.Document)
				return err
			})
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(out.Revision, *out), nil
		})
}

// model reads storm.json. Only the settings can be wrong without the board
// being lost: its services then have no names.
func (p *place) model() (*Model, error) {
	f, err := p.any(workspace.ModelFile)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, problem(http.StatusNotFound, workspace.ModelFile+" is gone")
	}
	doc, err := msaez.Parse(f.data, workspace.ModelFile)
	if err != nil {
		return nil, err
	}
	return &Model{Revision: f.revision, Document: f.data, Canvas: board(doc.Model, p.intent(doc))}, nil
}

// intent is what the model stands for, nil where the settings cannot be read.
func (p *place) intent(doc *msaez.Document) *deploy.Model {
	f, err := p.any(workspace.SettingsFile)
	if err != nil {
		return nil
	}
	var data []byte
	if f != nil {
		data = f.data
	}
	settings, err := workspace.LoadSettings(data, p.id, workspace.Options{Getenv: p.server.Getenv})
	if err != nil {
		return nil
	}
	return deploy.Build(doc.Model, settings)
}

// saveModel writes a model as MSA-Ez does, which it must be able to read.
func (p *place) saveModel(ctx context.Context, given string, document []byte) (*Model, error) {
	f, err := p.any(workspace.ModelFile)
	if err != nil {
		return nil, err
	}
	now := ""
	if f != nil {
		now = f.revision
	}
	if err := match(given, now, func() (any, error) { return p.model() }); err != nil {
		return nil, err
	}
	doc, err := msaez.Parse(document, "document")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := doc.Write(&out); err != nil {
		return nil, err
	}
	if err := p.commit(ctx, manifest.Change{Path: workspace.ModelFile, Data: out.Bytes()}); err != nil {
		return nil, err
	}
	return p.model()
}
