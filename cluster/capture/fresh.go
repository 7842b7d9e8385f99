package capture

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
	"github.com/meshstorm/meshstorm/workspace"
)

// New makes a workspace of a snapshot, complete but in a temporary folder:
// Write puts it into dir, Close removes the temporary one. The model is the one
// that meshstorm keeps among the objects, else it is derived from Services,
// workloads and routes. The workspace's objects are those of the snapshot; what
// meshstorm would generate besides is taken out again. The error wraps
// ErrNothing for a snapshot without objects.
func New(ctx context.Context, dir string, s *Snapshot, o Options) (*Result, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	staging, err := os.MkdirTemp("", "meshstorm-import-")
	if err != nil {
		return nil, err
	}
	r := &Result{APIVersion: APIVersion, Root: root, Namespace: s.Namespace, Created: true, Skipped: s.Skipped, staging: staging}
	if err := r.makeNew(ctx, s, o); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// makeNew makes the workspace in the temporary folder.
func (r *Result) makeNew(ctx context.Context, s *Snapshot, o Options) error {
	doc, settings, err := r.modelOf(s, filepath.Base(r.Root))
	if err != nil {
		return err
	}
	if err := stage(ctx, r.staging, doc, settings); err != nil {
		return err
	}
	w, err := r.generate(ctx, s, o)
	if err != nil {
		return err
	}
	m, err := newMerge(r.staging, s, o, r)
	if err != nil {
		return err
	}
	m.fresh = true
	if err := m.takeOut(); err != nil {
		return err
	}
	if err := m.run(ctx); err != nil {
		return err
	}
	if err := writeAside(r.staging, r.changes); err != nil {
		return err
	}
	r.servicesOf(w.Intent)
	r.gapsOf(m.objects, s, w.Intent)
	if err := r.listFiles(); err != nil {
		return err
	}
	r.finish()
	return ctx.Err()
}

// modelOf gives the model and the settings, taken from the objects or derived.
func (r *Result) modelOf(s *Snapshot, folder string) (*msaez.Document, []byte, error) {
	doc, settings, err := archived(s, folder)
	if err == nil && doc != nil {
		r.Model = "the model that meshstorm keeps in the ConfigMaps of workspace " + workspaceOf(s)
		return doc, settings, nil
	}
	if err != nil {
		r.note("model", "the model among the objects is not used: "+err.Error())
	}
	r.Model = "derived from Services, workloads and routes"
	objects, _ := s.split()
	d := derive(s, objects)
	for {
		doc, settings, again, err := d.attempt(folder)
		if err != nil || !again {
			r.Gaps = append(r.Gaps, d.gaps...)
			if err == nil {
				r.eventGaps(d)
			}
			return doc, settings, err
		}
	}
}

// attempt builds model and settings; again says that something had to go that
// cannot be generated.
func (d *deriver) attempt(folder string) (doc *msaez.Document, settings []byte, again bool, err error) {
	gaps := len(d.gaps)
	name := d.workspaceName(folder)
	stickers, rest := stickersOf(d.contexts)
	if doc, err = newModel(name, d.contexts, stickers); err != nil {
		return nil, nil, false, err
	}
	s := &settler{deriver: d, folder: folder, rest: rest}
	s.settle(name)
	if settings, err = s.text(); err != nil {
		return nil, nil, false, err
	}
	set, err := workspace.LoadSettings(settings, folder, workspace.Options{})
	if err != nil {
		return nil, nil, false, err
	}
	for _, p := range deploy.Build(doc.Model, set).Problems {
		switch {
		case p.Fatal && d.remove(p.Source.Name, p.Message), p.Code == deploy.CodePathOverlap && d.unroute(p):
			d.gaps = slices.Delete(d.gaps, gaps, len(d.gaps)-1)
			return nil, nil, true, nil
		case p.Fatal:
			return nil, nil, false, errors.New(p.Message)
		}
	}
	return doc, settings, false, nil
}

// unroute takes the paths from a context that it shares with another one.
func (d *deriver) unroute(p deploy.Problem) bool {
	c := d.byName[p.Source.Name]
	if c == nil || len(c.paths) == 0 {
		return false
	}
	c.paths, c.exposed, c.prefix = nil, false, ""
	d.gap("Service/"+c.name, "it shares a path with another one, which the model cannot say: %s; its routes are kept in the YAML only", p.Message)
	return true
}

// archived is the model that meshstorm keeps among the objects; nil where there
// is none.
func archived(s *Snapshot, folder string) (*msaez.Document, []byte, error) {
	var parts []*corev1.ConfigMap
	for _, o := range s.Objects {
		if o.ID().Kind != "ConfigMap" || text(o.Content, "metadata", "labels", topping.ModelLabel) == "" {
			continue
		}
		part := &corev1.ConfigMap{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Content, part); err != nil {
			return nil, nil, fmt.Errorf("ConfigMap %s: %w", o.ID().Name, err)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, nil, nil
	}
	slices.SortFunc(parts, func(a, b *corev1.ConfigMap) int {
		return cmp.Or(len(a.Annotations[kubernetes.PartKey])-len(b.Annotations[kubernetes.PartKey]), cmp.Compare(a.Annotations[kubernetes.PartKey], b.Annotations[kubernetes.PartKey]))
	})
	var objects []manifest.Object
	for _, p := range parts {
		if p.Labels[topping.ModelLabel] != parts[0].Labels[topping.ModelLabel] {
			return nil, nil, errors.New("the namespace holds the models of several workspaces")
		}
		objects = append(objects, manifest.Object{Value: p})
	}
	data, err := kubernetes.ReadArchive(objects)
	if err != nil {
		return nil, nil, err
	}
	doc, err := msaez.Parse(data, "the model in ConfigMap "+parts[0].Name)
	if err != nil {
		return nil, nil, err
	}
	settings, err := archivedSettings(parts[0], s.Namespace, folder)
	if err != nil {
		return nil, nil, err
	}
	return doc, settings, nil
}

// archivedSettings are the settings as they were written, for this namespace
// and with the workspace's name, which objects in the cluster carry.
func archivedSettings(part *corev1.ConfigMap, namespace, folder string) ([]byte, error) {
	data := []byte(part.Data[kubernetes.SettingsKey])
	set, err := workspace.LoadSettings(data, part.Labels[topping.ModelLabel], workspace.Options{})
	if err != nil {
		return nil, err
	}
	add := ""
	if name := part.Labels[topping.ModelLabel]; !bytes.Contains(data, []byte("workspace:")) && name != workspace.Name(folder) {
		add += "workspace: " + name + "\n"
	}
	if set.Namespace != namespace {
		if bytes.Contains(data, []byte("namespace:")) {
			return nil, fmt.Errorf("it is for namespace %s, not for %s", set.Namespace, namespace)
		}
		add += "namespace: " + namespace + "\n"
	}
	if add != "" && len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		add = "\n" + add
	}
	return append(data, add...), nil
}

func workspaceOf(s *Snapshot) string {
	for _, o := range s.Objects {
		if name := text(o.Content, "metadata", "labels", topping.ModelLabel); name != "" {
			return name
		}
	}
	return ""
}

// stage makes the workspace in its temporary folder.
func stage(ctx context.Context, dir string, doc *msaez.Document, settings []byte) error {
	if _, _, err := workspace.Create(ctx, dir, doc, workspace.Options{}); err != nil {
		return err
	}
	return writeAside(dir, []manifest.Change{{Path: workspace.SettingsFile, Data: settings}})
}

// writeAside writes into the temporary folder, where nothing has to outlive a
// crash.
func writeAside(dir string, changes []manifest.Change) error {
	for _, c := range changes {
		path := filepath.Join(dir, filepath.FromSlash(c.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, c.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// generate makes the first generation, which is the base of all edits.
func (r *Result) generate(ctx context.Context, s *Snapshot, o Options) (*workspace.Workspace, error) {
	w, err := workspace.Open(ctx, r.staging, workspace.Options{Getenv: o.Getenv})
	if err != nil {
		return nil, err
	}
	for _, svc := range w.Intent.Services {
		svc.Autoscaled = autoscaled(s.Objects, svc.Name)
	}
	g, err := w.Generate(ctx)
	if err != nil {
		return nil, err
	}
	return w, w.Write(ctx, g)
}

// takeOut removes what meshstorm generates and what does not run.
func (m *merge) takeOut() error {
	live := map[manifest.ID]bool{}
	for _, o := range m.objects {
		live[m.snap.full(o.ID())] = true
	}
	for _, f := range m.files {
		if f.path != topping.TemplateFile && f.path != topping.IstioFile {
			continue
		}
		if err := m.cut(f, live); err != nil {
			return err
		}
	}
	return nil
}

// cut removes documents from a file that was just generated; such files have no
// "---" line inside a document.
func (m *merge) cut(f *file, live map[manifest.ID]bool) error {
	parts := strings.Split(string(f.data), "\n---\n")
	kept := parts[:0]
	for _, text := range parts {
		docs, err := manifest.Parse(f.path, []byte(text))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(docs, func(d *manifest.Document) bool { return d.Node != nil && d.ID.Kind != "" })
		if i < 0 || live[m.snap.full(docs[i].ID)] {
			kept = append(kept, text)
			continue
		}
		id := m.snap.full(docs[i].ID)
		delete(m.at, id)
		m.result.Objects = append(m.result.Objects, Outcome{APIGroup: id.Group, Kind: id.Kind, Namespace: id.Namespace, Name: id.Name,
			Fate: NotRunning, File: f.path, Why: "meshstorm would make it, but it does not run; taken out, as a person would"})
	}
	if len(kept) == len(parts) {
		return nil
	}
	data := strings.Join(kept, "\n---\n")
	if !strings.HasSuffix(data, "\n") {
		data += "\n"
	}
	f.data, f.touched = []byte(data), true
	return nil
}

func (r *Result) servicesOf(m *deploy.Model) {
	for _, s := range m.Services {
		svc := Service{Name: s.Name, PathPrefix: s.PathPrefix, Exposed: s.Exposed, Replicas: s.Replicas, Image: s.Image}
		for _, p := range s.Prefixes {
			svc.Paths = append(svc.Paths, p.Path)
		}
		for _, t := range s.Tracks {
			if t.Name == deploy.TrackStable && t.Weight != 100 {
				svc.Weights = map[string]int32{t.Name: t.Weight, deploy.TrackCanary: 100 - t.Weight}
			}
		}
		r.Services = append(r.Services, svc)
	}
}

// listFiles names what the new workspace will hold.
func (r *Result) listFiles() error {
	manifests, err := workspace.YAMLFiles(r.staging, workspace.ManifestDir)
	r.Files = append([]string{workspace.ModelFile, workspace.SettingsFile}, manifests...)
	return err
}
