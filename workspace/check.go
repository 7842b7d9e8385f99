package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

// Is reports whether a folder is a workspace's root.
func Is(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, ModelFile))
	return err == nil && info.Mode().IsRegular()
}

// CheckInput gathers the workspace for check: its manifests, model, intent and
// accepted findings. Files that are no YAML become findings, not errors.
func (w *Workspace) CheckInput() (*check.Input, error) {
	files, err := w.Manifests()
	if err != nil {
		return nil, err
	}
	in := w.Judged()
	for _, f := range files {
		if err := addFile(in, f, filepath.Join(w.Root, filepath.FromSlash(f))); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// Judged is CheckInput without the manifests, for those who have read them.
func (w *Workspace) Judged() *check.Input {
	in := &check.Input{Intent: w.Intent, Storm: w.Document.Model, Namespace: w.Settings.Namespace}
	var ids []string
	for _, p := range w.Intent.Problems {
		ids = append(ids, p.Source.ID)
	}
	in.Stickers = map[string]check.Place{}
	for id, p := range w.Document.Positions(ids) {
		in.Stickers[id] = check.Place{Line: p.Line, Column: p.Column}
	}
	for _, ig := range w.Settings.Ignore {
		in.Suppressions = append(in.Suppressions, check.Suppression{Code: ig.Code, Object: ig.Object, Reason: ig.Reason})
	}
	return in
}

// FilesInput gathers any YAML files and folders for check, each file once. A
// path that does not exist is an error.
func FilesInput(paths []string) (*check.Input, error) {
	in := &check.Input{}
	seen := map[string]bool{}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("%s: no such file or folder; name YAML files, folders that hold some, or a workspace", p)
		}
		files := []string{"."}
		if info.IsDir() {
			if files, err = YAMLFiles(p, "."); err != nil {
				return nil, err
			}
		}
		for _, f := range files {
			full := filepath.Join(p, filepath.FromSlash(f))
			if info.IsDir() && filepath.Base(full) == SettingsFile {
				continue // ours, and no manifest
			}
			if seen[full] {
				continue // named twice, as a folder and a file in it
			}
			seen[full] = true
			if err := addFile(in, filepath.ToSlash(full), full); err != nil {
				return nil, err
			}
		}
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("%s: no YAML files in there, so there is nothing to check", strings.Join(paths, ", "))
	}
	return in, nil
}

func addFile(in *check.Input, name, path string) error {
	data, err := manifest.ReadFile(path)
	if err != nil {
		return err
	}
	docs, err := manifest.Parse(name, data)
	in.Documents = append(in.Documents, docs...)
	if err != nil {
		in.Errors = append(in.Errors, err)
	}
	return nil
}
