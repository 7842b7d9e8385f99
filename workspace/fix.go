package workspace

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

// CheckedFiles reads the files of an input again, for check.Fix. root is the
// workspace's folder, or "" where the paths are the operating system's. A file
// that is not as it was checked is an error that wraps manifest.ErrChanged.
func CheckedFiles(in *check.Input, root string) ([]manifest.File, error) {
	texts := map[string][][]byte{}
	var paths []string
	for _, d := range in.Documents {
		if texts[d.Path] == nil {
			paths = append(paths, d.Path)
		}
		texts[d.Path] = append(texts[d.Path], d.Text)
	}
	var files []manifest.File
	for _, p := range paths {
		data, err := manifest.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil {
			return nil, err
		}
		docs, _ := manifest.Parse(p, data) // what cannot be read was no document before either
		same := len(docs) == len(texts[p])
		for i := 0; same && i < len(docs); i++ {
			same = bytes.Equal(docs[i].Text, texts[p][i])
		}
		if !same {
			return nil, fmt.Errorf("%s: %w; run check again", p, manifest.ErrChanged)
		}
		files = append(files, manifest.File{Path: p, Data: data})
	}
	return files, nil
}

// WriteFixed writes what check.Fix made of a workspace's files: all of them or
// none, and none where somebody changed one meanwhile. The caller holds the
// workspace's lock since before the files were read.
func WriteFixed(ctx context.Context, root string, files []check.FixedFile) error {
	var changes []manifest.Change
	for _, f := range files {
		now, err := manifest.ReadFile(filepath.Join(root, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		if !bytes.Equal(now, f.Before) {
			return fmt.Errorf("%s: %w; run the command again", f.Path, manifest.ErrChanged)
		}
		changes = append(changes, manifest.Change{Path: f.Path, Data: f.After})
	}
	return manifest.Commit(ctx, root, changes)
}

// ReplaceFixed does the same for files that lie in no workspace.
func ReplaceFixed(ctx context.Context, files []check.FixedFile) error {
	var all []manifest.Replacement
	for _, f := range files {
		all = append(all, manifest.Replacement{Path: filepath.FromSlash(f.Path), Before: f.Before, After: f.After})
	}
	return manifest.Replace(ctx, all)
}
