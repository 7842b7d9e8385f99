package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// payload is what a volume holds: relative paths and contents.
type payload map[string]file

type file struct {
	data []byte
	mode fs.FileMode
}

const (
	publicFile = fs.FileMode(0o644)
	secretFile = fs.FileMode(0o600)
	dataLink   = "..data"
)

// write makes dir hold the payload, as a kubelet's atomic writer does: the files
// lie in a folder of their own that ..data points to; a change makes a new one
// and swaps that link, so that a reader never sees half of it. It tells whether
// anything changed.
func (p payload) write(dir string) (bool, error) {
	if err := p.check(); err != nil {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	old, _ := os.Readlink(filepath.Join(dir, dataLink))
	if old != "" && p.same(filepath.Join(dir, old)) {
		return false, nil
	}
	fresh, err := os.MkdirTemp(dir, "..data_")
	if err != nil {
		return false, err
	}
	if err := p.fill(fresh); err != nil {
		return false, errors.Join(err, os.RemoveAll(fresh))
	}
	if err := relink(filepath.Base(fresh), filepath.Join(dir, dataLink)); err != nil {
		return false, errors.Join(err, os.RemoveAll(fresh))
	}
	if err := p.links(dir); err != nil {
		return true, err
	}
	if old != "" {
		return true, os.RemoveAll(filepath.Join(dir, old))
	}
	return true, nil
}

func (p payload) check() error {
	for name := range p {
		if !filepath.IsLocal(name) || strings.HasPrefix(name, "..") {
			return fmt.Errorf("invalid path %q in a volume", name)
		}
	}
	return nil
}

func (p payload) same(dir string) bool {
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		want, ok := p[filepath.ToSlash(rel)]
		if !ok {
			return fs.ErrNotExist
		}
		have, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, want.data) {
			return fs.ErrInvalid
		}
		seen++
		return nil
	})
	return err == nil && seen == len(p)
}

func (p payload) fill(dir string) error {
	for name, f := range p {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// links makes the names that a reader uses: symbolic links through ..data.
func (p payload) links(dir string) error {
	top := map[string]bool{}
	for name := range p {
		first, _, _ := strings.Cut(name, "/")
		top[first] = true
	}
	for _, name := range slices.Sorted(maps.Keys(top)) {
		target, at := filepath.Join(dataLink, name), filepath.Join(dir, name)
		if have, _ := os.Readlink(at); have == target {
			continue
		}
		if err := relink(target, at); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !top[e.Name()] && !strings.HasPrefix(e.Name(), "..") {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func relink(target, at string) error {
	tmp := at + "_tmp"
	if filepath.Base(at) != dataLink {
		tmp = filepath.Join(filepath.Dir(at), "..tmp_"+filepath.Base(at))
	}
	_ = os.Remove(tmp)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, at)
}
