package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/workspace"
)

// Into compares a snapshot with an existing workspace and works out the edits;
// nothing is written. The caller holds the workspace's lock since before Open.
// The error wraps ErrNothing for a snapshot without objects, and ErrNamespace
// where the workspace is of another namespace; a file that is no YAML is a
// *manifest.SyntaxError.
func Into(ctx context.Context, w *workspace.Workspace, s *Snapshot, o Options) (*Result, error) {
	if s.Namespace != w.Settings.Namespace {
		return nil, fmt.Errorf("%w: the workspace's objects are in namespace %s, these are of %s; name -n %s, or a new folder",
			ErrNamespace, w.Settings.Namespace, s.Namespace, w.Settings.Namespace)
	}
	r := &Result{APIVersion: APIVersion, Root: w.Root, Namespace: s.Namespace, Model: "the workspace's " + workspace.ModelFile, Skipped: s.Skipped}
	m, err := newMerge(w.Root, s, o, r)
	if err != nil {
		return nil, err
	}
	if err := m.run(ctx); err != nil {
		return nil, err
	}
	m.onlyInFiles()
	r.gapsOf(m.objects, s, w.Intent)
	r.finish()
	return r, ctx.Err()
}

// merge is the run of one snapshot over a workspace's files.
type merge struct {
	root    string
	opts    Options
	fresh   bool // the files were made in this run
	snap    *Snapshot
	objects []Object // of the snapshot, without noise
	files   []*file
	at      map[manifest.ID]*file
	taken   map[manifest.ID]bool
	result  *Result
}

// file is a manifest of the workspace.
type file struct {
	path  string // relative
	old   []byte // as on disk, nil where there is none
	data  []byte
	ids   []manifest.ID
	bases []map[manifest.ID]map[string]any
	// state is what the last import gave, and what this one gives.
	state     map[manifest.ID]map[string]any
	stateOld  []byte
	generated bool // meshstorm has generated it, so that there is a base anyway
	touched   bool
}

func newMerge(root string, s *Snapshot, o Options, r *Result) (*merge, error) {
	kept, out := s.split()
	r.Objects = append(r.Objects, out...)
	if len(kept)+len(out) == 0 {
		return nil, fmt.Errorf("%w: namespace %s holds no objects, or is not there", ErrNothing, s.Namespace)
	}
	m := &merge{root: root, opts: o, snap: s, objects: kept, at: map[manifest.ID]*file{}, taken: map[manifest.ID]bool{}, result: r}
	paths, err := workspace.YAMLFiles(root, workspace.ManifestDir)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if err := m.load(p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// load reads a manifest with what it was when generated and when imported.
func (m *merge) load(path string) error {
	f := &file{path: path}
	var err error
	if f.old, err = manifest.ReadFile(filepath.Join(m.root, filepath.FromSlash(path))); err != nil {
		return err
	}
	f.data = f.old
	docs, err := manifest.Parse(path, f.data)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if d.Node == nil {
			continue
		}
		id := m.snap.full(d.ID)
		f.ids = append(f.ids, id)
		if m.at[id] == nil {
			m.at[id] = f
		}
	}
	generated, _, err := m.base(workspace.BaseDir + "/" + path)
	if err != nil {
		return err
	}
	if f.state, f.stateOld, err = m.base(StateDir + "/" + path); err != nil {
		return err
	}
	f.bases, f.generated = []map[manifest.ID]map[string]any{generated, maps.Clone(f.state)}, len(generated) > 0
	m.files = append(m.files, f)
	return nil
}

// base reads a file's earlier state; one that people broke is as good as none.
func (m *merge) base(path string) (map[manifest.ID]map[string]any, []byte, error) {
	data, err := manifest.ReadFile(filepath.Join(m.root, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return map[manifest.ID]map[string]any{}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	docs, err := manifest.Parse(path, data)
	if err != nil {
		return map[manifest.ID]map[string]any{}, data, nil //nolint:nilerr // as said above
	}
	all := map[manifest.ID]map[string]any{}
	for _, d := range docs {
		if content, err := contentOf(d); err == nil && d.Node != nil {
			all[m.snap.full(d.ID)] = content
		}
	}
	return all, data, nil
}

func (m *merge) run(ctx context.Context) error {
	byFile := map[*file]map[manifest.ID]Object{}
	for _, o := range m.objects {
		id := m.snap.full(o.ID())
		m.taken[id] = true
		f := m.at[id]
		if f == nil {
			continue
		}
		if byFile[f] == nil {
			byFile[f] = map[manifest.ID]Object{}
		}
		byFile[f][id] = o
	}
	for _, f := range slices.Clone(m.files) {
		if err := m.edit(f, byFile[f]); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for _, o := range m.objects {
		if m.at[m.snap.full(o.ID())] == nil {
			if err := m.add(o); err != nil {
				return err
			}
		}
	}
	return m.changes()
}

// edit lays the objects over the documents of one file.
func (m *merge) edit(f *file, objects map[manifest.ID]Object) error {
	if len(objects) == 0 {
		return nil
	}
	var fault error
	data, err := manifest.Edit(f.path, f.data, func(d *manifest.Document) {
		id := m.snap.full(d.ID)
		o, ok := objects[id]
		if !ok || d.Node == nil {
			return
		}
		delete(objects, id) // the second document of the same object is left alone
		if err := m.document(f, d, o); err != nil && fault == nil {
			fault = fmt.Errorf("%s:%d: %s %s: %w", f.path, d.Line, id.Kind, id.Name, err)
		}
	})
	if err != nil {
		return err
	}
	if fault != nil {
		return fault
	}
	f.touched = f.touched || !bytes.Equal(f.data, data)
	f.data = data
	return nil
}

// document lays one object over one document and reports what that changed.
func (m *merge) document(f *file, d *manifest.Document, o Object) error {
	files, err := contentOf(d)
	if err != nil {
		return err
	}
	id := m.snap.full(d.ID)
	lay := &overlay{kind: id.Group + "/" + id.Kind, theirs: m.opts.Theirs, fresh: m.fresh, held: shifted(o)}
	live := m.wanted(o, true)
	v := versions{files: files, live: live, in: map[string]any{}}
	for _, base := range f.bases {
		if content, ok := base[id]; ok {
			v.bases = append(v.bases, content)
		}
	}
	f.state[id] = live
	merged := lay.value("", "", v)
	out := newOutcome(o, Same)
	out.File, out.Fields, out.Conflicts = f.path, lay.set, lay.conflicts
	switch {
	case len(lay.set) > 0:
		out.Fate = AsEdit
	case len(lay.conflicts) > 0:
		out.Fate = Stands
	case m.fresh:
		out.Fate = AsModel
	}
	if lay.held {
		m.result.note("VirtualService/"+id.Name, "a shift is running: its weights are not taken over; the files' stand, and `apply` holds the shift's")
	}
	m.result.Objects = append(m.result.Objects, out)
	return reconcile(d.Node, files, merged)
}

// wanted is what is to be in the files of an object, defaults included or not.
func (m *merge) wanted(o Object, defaults bool) map[string]any {
	id := o.ID()
	content := cleaner{defaults: !defaults, nodePorts: !m.opts.NodePorts}.clean(id.Group+"/"+id.Kind, withoutShift(o).Content)
	if spec := mapping(content, "spec"); id.Kind == "Deployment" && autoscaled(m.objects, id.Name) {
		delete(spec, "replicas") // else every apply would undo the autoscaler
	}
	if meta := mapping(content, "metadata"); defaults && meta["namespace"] == nil {
		meta["namespace"] = m.snap.Namespace
	}
	return content
}

// add writes an object that the workspace does not have to a file of its own.
func (m *merge) add(o Object) error {
	id := o.ID()
	text, err := manifest.Encode(m.wanted(o, false), nil)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", id.Kind, id.Name, err)
	}
	path := Dir + "/" + fileName(id.Name) + ".yml"
	i := slices.IndexFunc(m.files, func(f *file) bool { return f.path == path })
	if i < 0 {
		i = len(m.files)
		m.files = append(m.files, &file{path: path, data: []byte(header), state: map[manifest.ID]map[string]any{}})
	}
	f := m.files[i]
	if len(f.data) > 0 && !bytes.HasSuffix(f.data, []byte("\n")) {
		f.data = append(bytes.Clone(f.data), '\n')
	}
	f.data = slices.Concat(f.data, []byte("---\n"), text)
	f.touched = true
	f.state[m.snap.full(id)] = m.wanted(o, true)
	out := newOutcome(o, AsFile)
	out.File, out.Why = path, kindGap(id)
	m.result.Objects = append(m.result.Objects, out)
	return nil
}

const header = "# Taken over by `meshstorm import`. Edit it freely; everything below kubernetes/ is applied.\n"

// fileName makes a file's name of an object's: some kinds allow characters that
// file systems do not.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if safe = strings.Trim(safe, "."); safe == "" {
		return "object"
	}
	return safe[:min(len(safe), 200)]
}

// changes notes the files to write, each with its state for the next import.
func (m *merge) changes() error {
	for _, f := range m.files {
		if f.touched {
			m.result.Files = append(m.result.Files, f.path)
			m.result.changes = append(m.result.changes, manifest.Change{Path: f.path, Data: f.data, Mode: 0o644})
		}
		if len(f.state) == 0 || !f.touched && f.stateOld == nil && f.generated {
			continue
		}
		var objects []manifest.Object
		for _, id := range slices.SortedFunc(maps.Keys(f.state), compareIDs) {
			objects = append(objects, manifest.Object{File: f.path, Value: f.state[id]})
		}
		files, err := manifest.Render(stateHeader, objects)
		if err != nil {
			return err
		}
		if !bytes.Equal(files[0].Data, f.stateOld) {
			m.result.changes = append(m.result.changes, manifest.Change{Path: StateDir + "/" + f.path, Data: files[0].Data, Mode: 0o644})
		}
	}
	return nil
}

const stateHeader = "What the last `meshstorm import` found, to tell people's edits from its own. Commit it, but do not edit it."

// onlyInFiles reports what the workspace has and the namespace does not.
func (m *merge) onlyInFiles() {
	seen := map[manifest.ID]bool{}
	for _, f := range m.files {
		for _, id := range f.ids {
			if m.taken[id] || seen[id] || id.Kind == "" || f.path == topping.ModelFile {
				continue
			}
			seen[id] = true
			m.result.Objects = append(m.result.Objects, Outcome{APIGroup: id.Group, Kind: id.Kind, Namespace: id.Namespace, Name: id.Name,
				Fate: OnlyInFiles, File: f.path, Why: "not in the namespace; the next apply makes it"})
		}
	}
}

// Write puts the import on disk: all files or none.
func (r *Result) Write(ctx context.Context) error {
	if r.Created {
		return workspace.Fork(ctx, r.staging, r.Root)
	}
	return manifest.Commit(ctx, r.Root, r.changes)
}

// Close removes what the import left aside.
func (r *Result) Close() {
	if r.staging != "" {
		_ = os.RemoveAll(r.staging) // a temporary folder
	}
}
