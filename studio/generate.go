package studio

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

func (s *Server) registerGenerate(api huma.API) {
	huma.Register(api, operation("generate", http.MethodPost, "/workspaces/{id}/generate", "generate", "Write the manifests of the model, or say what would change"),
		func(ctx context.Context, in *struct {
			InWorkspace
			Body Run
		}) (*plain[Generated], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			var out *Generated
			run := func(ctx context.Context) (err error) {
				out, err = p.generate(ctx, in.Body)
				return err
			}
			if in.Body.DryRun {
				err = run(ctx)
			} else {
				err = p.change(ctx, run)
			}
			if err != nil {
				return nil, problemOf(err)
			}
			return &plain[Generated]{*out}, nil
		})
	huma.Register(api, operation("get-toppings", http.MethodGet, "/workspaces/{id}/toppings", "generate", "List the toppings, grouped"),
		func(ctx context.Context, in *InWorkspace) (*plain[Toppings], error) {
			p, err := s.folder.get(in.ID)
			if err != nil {
				return nil, problemOf(err)
			}
			return p.toppings(ctx)
		})
	huma.Register(api, operation("save-toppings", http.MethodPut, "/workspaces/{id}/toppings", "generate", "Switch toppings on and off in meshstorm.yaml; generate then writes what that means"),
		func(ctx context.Context, in *struct {
			InWorkspace
			Body ToppingChange
		}) (*plain[Toppings], error) {
			p, err := s.folder.get(in.ID)
			if err == nil {
				err = p.change(ctx, func(ctx context.Context) error { return p.saveToppings(ctx, in.Body.Enabled) })
			}
			if err != nil {
				return nil, problemOf(err)
			}
			return p.toppings(ctx)
		})
}

func (p *place) generate(ctx context.Context, run Run) (*Generated, error) {
	o := workspace.Options{Getenv: p.server.Getenv}
	if run.Toppings != nil {
		settings, err := p.withToppings(run.Toppings)
		if err != nil {
			return nil, err
		}
		if o.Settings = settings; !run.DryRun {
			if err := p.commit(ctx, manifest.Change{Path: workspace.SettingsFile, Data: settings}); err != nil {
				return nil, err
			}
		}
	}
	w, err := p.openQuiet(ctx, o)
	if err != nil {
		return nil, invalid(err)
	}
	g, err := w.Generate(ctx)
	if err != nil {
		return nil, err
	}
	out := &Generated{DryRun: run.DryRun, Changes: []GeneratedChange{}, Conflicts: []Conflict{}, Warnings: append([]string{}, g.Warnings...)}
	for _, q := range w.Intent.Problems {
		if q.Severity != deploy.SeverityInfo && q.Code != deploy.CodeRegistry {
			out.Warnings = append(out.Warnings, q.Code+": "+q.Message)
		}
	}
	for _, f := range g.Files {
		if !f.Changed && !f.Removed {
			continue
		}
		c, err := p.changeOf(f)
		if err != nil {
			return nil, err
		}
		out.Changes = append(out.Changes, *c)
	}
	for _, c := range g.Conflicts() {
		out.Conflicts = append(out.Conflicts, Conflict{c.Path, c.Line, c.Column, objectName(c.Object), c.Field, c.Yours, c.Generated})
	}
	if !run.DryRun {
		if err := w.Write(context.WithoutCancel(ctx), g); err != nil {
			return nil, err
		}
	}
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	out.Revision, _ = revisions(files)
	return out, nil
}

func (p *place) changeOf(f workspace.GeneratedFile) (*GeneratedChange, error) {
	old, err := p.any(f.Path)
	if err != nil {
		return nil, err
	}
	c := &GeneratedChange{
		Path: f.Path, Action: "update",
		Added: objectNames(f.Added), Updated: objectNames(f.Updated), Removed: objectNames(f.Dropped), Kept: objectNames(f.Kept),
	}
	before := ""
	switch {
	case f.Removed:
		c.Action = "remove"
	case old == nil:
		c.Action = "create"
	}
	if old != nil {
		before = string(old.data)
	}
	c.Diff = udiff.Unified("a/"+f.Path, "b/"+f.Path, before, string(f.Data))
	return c, nil
}

func objectName(id manifest.ID) string { return id.Kind + "/" + id.Namespace + "/" + id.Name }

func objectNames(ids []manifest.ID) []string {
	names := []string{}
	for _, id := range ids {
		names = append(names, objectName(id))
	}
	return names
}

// invalid is an error of what the person asked for or wrote, if nothing else
// says what it is.
func invalid(err error) error {
	if p, ok := problemOf(err).(*Problem); ok && p.Status == http.StatusInternalServerError { //nolint:errorlint // problemOf gives it bare
		return problem(http.StatusUnprocessableEntity, err.Error())
	}
	return err
}

// descriptions of the toppings; the registry has titles only.
var descriptions = map[string]string{
	"kubernetes": "A Deployment, Service and ServiceAccount for every bounded context, and the model itself as ConfigMaps.",
	"istio":      "One Gateway; for every bounded context a VirtualService with its REST paths and weights, and a DestinationRule with the subsets stable and canary.",
}

func (p *place) toppings(ctx context.Context) (*plain[Toppings], error) {
	st, err := p.state(ctx)
	if err == nil {
		err = st.err
	}
	if err != nil {
		return nil, problemOf(invalid(err))
	}
	out := Toppings{Groups: []ToppingGroup{}}
	for _, t := range workspace.Toppings() {
		item := Topping{t.Name(), t.Title(), descriptions[t.Name()], t.Files(), st.opened.Settings.Has(t.Name())}
		i := slices.IndexFunc(out.Groups, func(g ToppingGroup) bool { return g.Name == t.Group() })
		if i < 0 {
			i = len(out.Groups)
			out.Groups = append(out.Groups, ToppingGroup{Name: t.Group()})
		}
		out.Groups[i].Items = append(out.Groups[i].Items, item)
	}
	return &plain[Toppings]{out}, nil
}

// saveToppings writes the list into the settings and leaves everything else
// there as it is.
func (p *place) saveToppings(ctx context.Context, enabled []string) error {
	data, err := p.withToppings(enabled)
	if err != nil {
		return err
	}
	return p.commit(ctx, manifest.Change{Path: workspace.SettingsFile, Data: data})
}

// withToppings is the settings' text with these toppings switched on.
func (p *place) withToppings(enabled []string) ([]byte, error) {
	for _, name := range enabled {
		if _, err := workspace.Toppings().Get(name); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
	}
	list := []string{} // in the registry's order, each once
	for _, name := range workspace.Toppings().Names() {
		if slices.Contains(enabled, name) {
			list = append(list, name)
		}
	}
	f, err := p.any(workspace.SettingsFile)
	if err != nil {
		return nil, err
	}
	var old []byte
	if f != nil {
		old = f.data
	}
	data, err := setToppings(old, list)
	if err != nil {
		return nil, err
	}
	if _, err := workspace.LoadSettings(data, p.id, workspace.Options{Getenv: p.server.Getenv}); err != nil {
		return nil, invalid(err)
	}
	return data, nil
}

func setToppings(old []byte, list []string) ([]byte, error) {
	found, failed := false, error(nil)
	data, err := manifest.Edit(workspace.SettingsFile, old, func(d *manifest.Document) {
		if d.Node == nil || found {
			return
		}
		found = true
		failed = d.Apply([]manifest.FieldEdit{{Op: manifest.SetField, Field: "toppings", Value: list}})
	})
	if err != nil || failed != nil {
		return nil, errors.Join(err, failed)
	}
	if !found { // comments only
		if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
			data = append(data, '\n')
		}
		data = append(slices.Clip(data), "toppings: ["+strings.Join(list, ", ")+"]\n"...)
	}
	return data, nil
}
