package studio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/workspace"
)

func (s *Server) registerWorkspaces(api huma.API) {
	huma.Register(api, operation("list-examples", http.MethodGet, "/examples", "workspaces", "List the workspaces that come with meshstorm"),
		func(context.Context, *struct{}) (*plain[Examples], error) {
			out := Examples{Items: []Example{}}
			for _, e := range s.Examples {
				out.Items = append(out.Items, Example{examplePrefix + e.Name, e.Name, e.Title, e.Description})
			}
			return &plain[Examples]{out}, nil
		})
	huma.Register(api, operation("list-workspaces", http.MethodGet, "/workspaces", "workspaces", "List the workspaces in the studio's folder"), s.listWorkspaces)
	create := operation("create-workspace", http.MethodPost, "/workspaces", "workspaces", "Make a workspace of an example, a URL, another workspace, a model's text, or an empty model")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, func(ctx context.Context, in *struct{ Body NewWorkspace }) (*plain[Workspace], error) {
		return s.create(ctx, in.Body.Name, in.Body.From)
	})
	type upload struct {
		Name  string        `form:"name" required:"true" minLength:"1" maxLength:"80" doc:"The new folder's name."`
		Model huma.FormFile `form:"model" required:"true" contentType:"application/json,application/octet-stream,text/plain" doc:"A model file, JSON of MSA-Ez."`
	}
	post := operation("upload-workspace", http.MethodPost, "/workspaces/upload", "workspaces", "Make a workspace of a model file that is uploaded")
	post.DefaultStatus = http.StatusCreated
	huma.Register(api, post, func(ctx context.Context, in *struct {
		RawBody huma.MultipartFormFiles[upload]
	}) (*plain[Workspace], error) {
		data := in.RawBody.Data()
		defer data.Model.Close()
		text, err := io.ReadAll(data.Model)
		if err != nil {
			return nil, problem(http.StatusBadRequest, "read the model file: "+err.Error())
		}
		return s.create(ctx, data.Name, From{Text: string(text)})
	})
	huma.Register(api, operation("get-workspace", http.MethodGet, "/workspaces/{id}", "workspaces", "Describe a workspace or an example"),
		func(ctx context.Context, in *InWorkspace) (*plain[Workspace], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[Workspace]{p.describe(ctx)}, nil
		})
	fork := operation("fork-workspace", http.MethodPost, "/workspaces/{id}/fork", "workspaces", "Copy a workspace or an example, with its edits, into a new folder")
	fork.DefaultStatus = http.StatusCreated
	huma.Register(api, fork, func(ctx context.Context, in *struct {
		InWorkspace
		Body Fork
	}) (*plain[Workspace], error) {
		return s.create(ctx, in.Body.Name, From{Workspace: in.ID})
	})
	archive := operation("download-workspace", http.MethodGet, "/workspaces/{id}/archive.zip", "workspaces", "Download all files of a workspace")
	archive.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	huma.Register(api, archive, s.archive)
}

func (s *Server) listWorkspaces(ctx context.Context, _ *struct{}) (*plain[Workspaces], error) {
	ids, err := s.folder.ids()
	if err != nil {
		return nil, problemOf(err)
	}
	out := Workspaces{Items: []Workspace{}}
	for _, id := range ids {
		p, err := s.folder.get(id)
		if err != nil {
			continue // gone meanwhile
		}
		out.Items = append(out.Items, p.describe(ctx))
	}
	return &plain[Workspaces]{out}, nil
}

// describe never fails: what is wrong with a workspace is part of what it is.
func (p *place) describe(ctx context.Context) Workspace {
	out := Workspace{ID: p.id, Name: p.name, Reason: p.readOnly(), Services: []string{}, Toppings: []string{}}
	out.ReadOnly = out.Reason != ""
	st, err := p.state(ctx)
	if err == nil {
		out.Revision, err = st.revision, st.err
	}
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	for _, service := range st.opened.Intent.Services {
		out.Services = append(out.Services, service.Name)
	}
	out.Toppings = append(out.Toppings, st.opened.Settings.Toppings...)
	return out
}

// create makes a workspace of what from says, in a new folder.
func (s *Server) create(ctx context.Context, name string, from From) (*plain[Workspace], error) {
	path, err := s.folder.fresh(name)
	if err == nil {
		err = s.fill(ctx, path, from)
	}
	if err != nil {
		return nil, problemOf(err)
	}
	p, err := s.folder.get(name)
	if err != nil {
		return nil, problemOf(err)
	}
	return &plain[Workspace]{p.describe(ctx)}, nil
}

func (s *Server) fill(ctx context.Context, path string, from From) error {
	ways := 0
	for _, given := range []bool{from.Example != "", from.URL != "", from.Workspace != "", from.Text != "", from.Empty, from.Live != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return problem(http.StatusUnprocessableEntity, "from: expected one of example, url, workspace, text, live or empty")
	}
	if from.Example != "" {
		from.Workspace = examplePrefix + from.Example
	}
	if from.Workspace != "" {
		p, err := s.folder.get(from.Workspace)
		if err != nil {
			return err
		}
		return p.copy(ctx, path)
	}
	if from.Live != nil {
		return s.takeLive(ctx, path, *from.Live)
	}
	doc, err := s.document(ctx, from)
	if err != nil {
		return err
	}
	_, _, err = workspace.Create(ctx, path, doc, workspace.Options{Getenv: s.Getenv})
	return err
}

// takeLive makes a workspace of what runs in a namespace.
func (s *Server) takeLive(ctx context.Context, path string, from Live) error {
	c, _, err := s.clusters.Client(ctx, from.Context, from.Namespace)
	if err != nil {
		return clusterProblem(err)
	}
	snapshot, err := capture.Read(ctx, c)
	if err != nil {
		return clusterProblem(err)
	}
	r, err := capture.New(ctx, path, snapshot, capture.Options{Getenv: s.Getenv})
	if err != nil {
		return invalid(err)
	}
	defer r.Close()
	return r.Write(context.WithoutCancel(ctx))
}

// copy forks the workspace, at a moment at which nobody writes to it.
func (p *place) copy(ctx context.Context, path string) error {
	if p.readOnly() != "" {
		return workspace.Fork(ctx, p.path, path)
	}
	return p.change(ctx, func(ctx context.Context) error { return workspace.Fork(ctx, p.path, path) })
}

func (s *Server) document(ctx context.Context, from From) (*msaez.Document, error) {
	switch {
	case from.Empty:
		return msaez.New(""), nil
	case from.Text != "":
		return workspace.ReadModel(strings.NewReader(from.Text), "the model file")
	}
	if !strings.HasPrefix(from.URL, "http://") && !strings.HasPrefix(from.URL, "https://") {
		return nil, problem(http.StatusUnprocessableEntity, "from.url: expected a URL that begins with http:// or https://")
	}
	doc, err := s.Fetch(ctx, from.URL)
	var model *msaez.Error
	if err != nil && !errors.As(err, &model) {
		return nil, problem(http.StatusBadGateway, err.Error())
	}
	return doc, err
}

// archived is what belongs to a workspace besides the files that the studio
// shows.
var archived = []string{".gitignore", workspace.SchemaFile}

type zipped struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *Server) archive(ctx context.Context, in *InWorkspace) (*zipped, error) {
	p, err := s.folder.get(in.ID)
	if err != nil {
		return nil, problemOf(err)
	}
	files, err := p.files()
	if err != nil {
		return nil, problemOf(err)
	}
	more := slices.Clone(archived)
	for _, f := range files {
		more = append(more, workspace.BaseDir+"/"+f.path)
	}
	for _, name := range more {
		f, err := p.any(name)
		if err != nil {
			return nil, problemOf(err)
		}
		if f != nil {
			files = append(files, *f)
		}
	}
	var out bytes.Buffer
	if err := writeZip(&out, strings.TrimPrefix(p.id, examplePrefix), files); err != nil {
		return nil, problemOf(err)
	}
	return &zipped{"application/zip", `attachment; filename="` + asciiName(p.id) + `.zip"`, out.Bytes()}, ctx.Err()
}
