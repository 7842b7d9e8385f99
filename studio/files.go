package studio

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/workspace"
)

// InFile names a file in the path.
type InFile struct {
	InWorkspace
	Path string `path:"path" doc:"The file's path; its slashes may be written as %2F." example:"kubernetes/template/istio.yml"`
}

func (s *Server) registerFiles(api huma.API) {
	huma.Register(api, operation("list-files", http.MethodGet, "/workspaces/{id}/files", "files", "List a workspace's files"),
		func(ctx context.Context, in *InWorkspace) (*plain[Files], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			files, err := p.tree()
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[Files]{*files}, nil
		})
	huma.Register(api, operation("get-file", http.MethodGet, "/workspaces/{id}/files/{path...}", "files", "Read a file, and what was generated last"),
		func(_ context.Context, in *InFile) (*revised[File], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			f, err := p.readFile(in.Path)
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(f.Revision, *f), nil
		})
	huma.Register(api, operation("save-file", http.MethodPut, "/workspaces/{id}/files/{path...}", "files", "Save a file; If-None-Match: * makes a new one"),
		func(ctx context.Context, in *struct {
			InFile
			IfMatch
			IfNoneMatch string `header:"If-None-Match" doc:"* instead of If-Match makes a new file: 412 where there is one."`
			Body        FileChange
		}) (*revised[File], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			var out *File
			err = p.change(ctx, func(ctx context.Context) (err error) {
				out, err = p.saveFile(ctx, in.Path, in.Value, in.IfNoneMatch == "*", in.Body.Text)
				return err
			})
			if err != nil {
				return nil, problemOf(err)
			}
			return withETag(out.Revision, *out), nil
		})
}

// generated tells whether generate writes a file.
func generated(name string) bool {
	for _, t := range workspace.Toppings() {
		if slices.Contains(t.Files(), name) {
			return true
		}
	}
	return false
}

func (p *place) tree() (*Files, error) {
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	out := &Files{Items: []FileInfo{}}
	out.Revision, _ = revisions(files)
	for _, f := range files {
		info := FileInfo{Path: f.path, Size: len(f.data), Revision: f.revision, Generated: generated(f.path)}
		if info.Generated {
			base, err := p.any(workspace.BaseDir + "/" + f.path)
			if err != nil {
				return nil, err
			}
			info.Edited = base == nil || !bytes.Equal(base.data, f.data)
		}
		out.Items = append(out.Items, info)
	}
	return out, nil
}

func (p *place) readFile(name string) (*File, error) {
	f, err := p.file(name)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, problem(http.StatusNotFound, name+": no such file in this workspace")
	}
	if !utf8.Valid(f.data) {
		return nil, problem(http.StatusUnprocessableEntity, name+": not UTF-8 text, so it cannot be shown; convert it with another editor")
	}
	out := &File{Path: name, Revision: f.revision, Text: string(f.data)}
	base, err := p.any(workspace.BaseDir + "/" + name)
	if err != nil {
		return nil, err
	}
	if base != nil {
		out.Generated = string(base.data)
	}
	return out, nil
}

// saveFile writes a file as somebody typed it. YAML with mistakes is saved too:
// whoever types is not done yet, and findings say where they are. A model is
// saved only where it can be read, for the page cannot show another.
func (p *place) saveFile(ctx context.Context, name, given string, isNew bool, text string) (*File, error) {
	old, err := p.file(name)
	if err != nil {
		return nil, err
	}
	current := func() (any, error) { return p.readFile(name) }
	switch {
	case old == nil && !isNew:
		return nil, problem(http.StatusNotFound, name+": no such file in this workspace; If-None-Match: * makes it")
	case old != nil && isNew:
		err = match("*", old.revision, current)
	case old != nil:
		err = match(given, old.revision, current)
	}
	if err != nil {
		return nil, err
	}
	if name == workspace.ModelFile {
		if _, err := msaez.Parse([]byte(text), name); err != nil {
			return nil, err
		}
	}
	if strings.ContainsRune(text, 0) {
		return nil, problem(http.StatusUnprocessableEntity, name+": the text holds a NUL character, which no file of a workspace may")
	}
	if err := p.commit(ctx, manifest.Change{Path: name, Data: []byte(text)}); err != nil {
		return nil, err
	}
	return p.readFile(name)
}
