package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// ErrNotEmpty says that a new workspace would mix with what a folder holds.
var ErrNotEmpty = errors.New("the folder is not empty")

// Create makes a workspace of a model in a folder that does not exist or is
// empty, else the error wraps ErrNotEmpty. Where the model carries objects
// drawn on the original's canvas, it also makes the first generation, with
// these objects as edits; a nil Generation says that it did not. On any error
// the folder is as it was.
func Create(ctx context.Context, dir string, doc *msaez.Document, o Options) (*Workspace, *Generation, error) {
	var model bytes.Buffer
	if err := doc.Write(&model); err != nil {
		return nil, nil, fmt.Errorf("write the model: %w", err)
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	w := &Workspace{Root: root, Document: doc}
	settings := newSettings(Name(filepath.Base(root)))
	if w.Settings, err = LoadSettings(settings, filepath.Base(root), o); err != nil {
		return nil, nil, err
	}
	w.Intent = deploy.Build(doc.Model, w.Settings)
	w.Intent.ArchiveSettings = settings
	changes := []manifest.Change{
		{Path: ModelFile, Data: model.Bytes(), Mode: 0o644},
		{Path: SettingsFile, Data: settings, Mode: 0o644},
		{Path: SchemaFile, Data: deploy.Schema(), Mode: 0o644},
		{Path: ".gitignore", Data: []byte(gitignore), Mode: 0o644},
	}
	undo, err := emptyFolder(root)
	if err != nil {
		return nil, nil, err
	}
	var g *Generation
	if len(doc.Canvas()) > 0 && len(w.Intent.Fatal()) == 0 {
		if g, err = w.Generate(ctx); err != nil {
			undo()
			return nil, nil, err
		}
		changes = append(changes, withoutSchema(g.changes)...)
	}
	if err := commitNew(ctx, root, changes, undo); err != nil {
		return nil, nil, err
	}
	return w, g, nil
}

// commitNew writes a new workspace's files under its lock, as every run does:
// who reads beside it would take a run without a lock for a killed one, and
// complete it. On an error undo takes back what was made.
func commitNew(ctx context.Context, root string, changes []manifest.Change, undo func()) error {
	held, err := Lock(root)
	if err != nil {
		return err // what is there belongs to the run that holds it
	}
	err = manifest.Commit(ctx, root, changes)
	err = errors.Join(err, held.Unlock())
	if err != nil {
		undo()
	}
	return err
}

// gitignore keeps what belongs to one run on one machine out of git.
const gitignore = StateDir + "/lock\n" + StateDir + "/journal*\n" + StateDir + "/tmp-*\n"

func withoutSchema(changes []manifest.Change) []manifest.Change {
	var kept []manifest.Change
	for _, c := range changes {
		if c.Path != SchemaFile {
			kept = append(kept, c)
		}
	}
	return kept
}

func newSettings(name string) []byte {
	return []byte("# yaml-language-server: $schema=" + SchemaFile + `
# Every setting has a default. What is most often set:
workspace: ` + name + `
# namespace: shop
# image:
#   registry: ghcr.io/your-name
#   tag: v1
# kafka: dev          # writes a one-broker Kafka too
# names:
#   "결제": payment     # a bounded context's name, as a DNS name
# services:
#   order:
#     replicas: 2
`)
}

// emptyFolder makes sure that a folder is there and empty; undo takes back
// what was made.
func emptyFolder(root string) (undo func(), err error) {
	entries, err := os.ReadDir(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		top := firstMissing(root)
		if err := os.MkdirAll(root, 0o755); err != nil {
			return nil, err
		}
		return func() { _ = os.RemoveAll(top) }, nil
	case err != nil:
		return nil, err
	case len(entries) > 0 && (len(entries) > 1 || entries[0].Name() != ".git"):
		return nil, fmt.Errorf("%s: %w (it holds %s); name a new folder, or empty this one", root, ErrNotEmpty, entries[0].Name())
	}
	return func() {
		entries, _ := os.ReadDir(root)
		for _, e := range entries {
			if e.Name() != ".git" {
				_ = os.RemoveAll(filepath.Join(root, e.Name()))
			}
		}
	}, nil
}

// firstMissing is the topmost folder of a path that is not there yet.
func firstMissing(path string) string {
	for {
		parent := filepath.Dir(path)
		if _, err := os.Stat(parent); err == nil || parent == path {
			return path
		}
		path = parent
	}
}

// Fork copies a workspace with its manifests, edits and tests into a new
// folder. The name in the settings stays, for objects in a cluster carry it.
func Fork(ctx context.Context, from, dir string) error {
	root, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	changes, err := forkedFiles(from)
	if err != nil {
		return err
	}
	undo, err := emptyFolder(root)
	if err != nil {
		return err
	}
	return commitNew(ctx, root, changes, undo)
}

// forkedFiles reads everything that makes up a workspace.
func forkedFiles(from string) ([]manifest.Change, error) {
	var changes []manifest.Change
	for _, top := range []string{ModelFile, SettingsFile, ".gitignore", ManifestDir, RoutesDir, BaseDir, LayoutFile, SchemaFile} {
		err := filepath.WalkDir(filepath.Join(from, filepath.FromSlash(top)), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := manifest.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, path)
			changes = append(changes, manifest.Change{Path: filepath.ToSlash(rel), Data: data, Mode: 0o644})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// ReadModel reads a model from a reader, for Create.
func ReadModel(r io.Reader, name string) (*msaez.Document, error) {
	return msaez.Read(r, strings.TrimPrefix(name, "./"))
}
