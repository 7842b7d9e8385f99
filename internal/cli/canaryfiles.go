package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// errNoDeployment says that no file holds what was promoted.
var errNoDeployment = errors.New("no file has this Deployment")

// writePromotion writes a promoted version into the workspace's files as a
// person would; without a workspace, or where that is not wanted, it prints the
// change as a patch.
func (a *app) writePromotion(ctx context.Context, w *workspace.Workspace, p rollout.Promotion) error {
	if len(p.Edits()) == 0 {
		return nil
	}
	why := "as --no-write says"
	switch {
	case p.NoWrite:
	case w == nil:
		why = "there is no workspace here"
	case w.Settings.Namespace != p.Namespace:
		why = "the workspace here is for namespace " + w.Settings.Namespace
	default:
		path, err := editDeployment(ctx, w, p)
		if err == nil {
			fmt.Fprintf(a.Err, "%s: Deployment %s has the new version\n", path, p.Service)
			return nil
		}
		if !errors.Is(err, errNoDeployment) {
			return classify(err)
		}
		why = err.Error()
	}
	patch, err := yaml.Marshal(p.Patch())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "nothing was written: %s. Write this into the files of Deployment %s, else the next apply brings the old version back:\n", why, p.Service)
	if _, err := a.Out.Write(patch); err != nil {
		return outside(err)
	}
	return nil
}

// editDeployment edits the file that holds the Deployment and names it.
func editDeployment(ctx context.Context, w *workspace.Workspace, p rollout.Promotion) (string, error) {
	lock, err := workspace.Lock(w.Root)
	if err != nil {
		return "", err
	}
	defer lock.Unlock() //nolint:errcheck // the process ends anyway
	files, err := w.Manifests()
	if err != nil {
		return "", err
	}
	for _, path := range files {
		data, err := manifest.ReadFile(filepath.Join(w.Root, filepath.FromSlash(path)))
		if err != nil {
			return "", err
		}
		found, failed := false, error(nil)
		edited, err := manifest.Edit(path, data, func(d *manifest.Document) {
			if d.ID.Kind != "Deployment" || d.ID.Group != "apps" || d.ID.Name != p.Service || found || failed != nil {
				return
			}
			found = true
			failed = d.Apply(fieldEdits(d, p.Edits()))
		})
		if err = errors.Join(err, failed); err != nil {
			return "", fmt.Errorf("%s: write the new version of %s: %w", path, p.Service, err)
		}
		if found {
			return path, manifest.Commit(ctx, w.Root, []manifest.Change{{Path: path, Data: edited}})
		}
	}
	return "", fmt.Errorf("%w: %s", errNoDeployment, p.Service)
}

// fieldEdits translates edits of a pod template. What the file has already is
// left out: this may be the second try.
func fieldEdits(d *manifest.Document, edits []rollout.Edit) []manifest.FieldEdit {
	var all []manifest.FieldEdit
	for _, e := range edits {
		field := fieldPath(append([]string{"spec", "template"}, e.Path...))
		there := d.Get(field)
		switch {
		case e.Append && there == nil:
			all = append(all, manifest.FieldEdit{Op: manifest.SetField, Field: field, Value: []any{e.Value}})
		case e.Append:
			name, _ := e.Value.(map[string]any)["name"].(string)
			if d.Get(fieldPath(append([]string{"spec", "template"}, append(e.Path, name)...))) == nil {
				all = append(all, manifest.FieldEdit{Op: manifest.InsertItem, Field: fmt.Sprintf("%s[%d]", field, len(there.Content)), Value: e.Value})
			}
		case e.Remove && there == nil:
		case e.Remove:
			all = append(all, manifest.FieldEdit{Op: manifest.RemoveField, Field: field})
		default:
			all = append(all, manifest.FieldEdit{Op: manifest.SetField, Field: field, Value: e.Value})
		}
	}
	return all
}

// fieldPath joins keys as manifest reads them.
func fieldPath(keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		if strings.ContainsAny(k, ".[]\\ '\"") {
			b.WriteString("[" + k + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(k)
	}
	return b.String()
}
