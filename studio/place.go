package studio

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// place is a workspace that the studio has opened once. What it says comes from
// the disk each time; only what was made of the same bytes is kept.
type place struct {
	server  *Server
	id      string
	name    string
	path    string
	example bool

	write sync.Mutex // one change at a time; other programs are kept out by the workspace's lock

	mu    sync.Mutex
	last  *state
	found []check.Finding // what check said last, of whatever state

	parsing sync.Mutex
	parsed  map[string]parsed // manifests, by path
	readers map[string]*manifest.Reader

	memo check.Memo // what rules know of objects that did not change
}

// revisionOf names content.
func revisionOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// readOnly says why nothing may be changed, "" where everything may.
func (p *place) readOnly() string {
	if p.example {
		return "this is an example that comes with meshstorm; fork it to change it"
	}
	folder, err := os.Stat(p.path)
	if err != nil || folder.Mode().Perm()&0o200 == 0 {
		return "the folder cannot be written to; fork the workspace to change it"
	}
	file, err := os.Stat(p.path + "/" + workspace.ModelFile)
	if err == nil && file.Mode().Perm()&0o222 != 0 {
		if f, err := os.OpenFile(p.path+"/"+workspace.ModelFile, os.O_WRONLY, 0); err == nil {
			_ = f.Close() // nothing was written
			return ""
		}
	}
	return workspace.ModelFile + " cannot be written to; fork the workspace to change it"
}

// file is one of a workspace's files as it is on disk.
type file struct {
	path     string
	data     []byte
	revision string
}

// belongs tells whether a file is the workspace's, not just in its folder: the
// studio shows nothing else, for people make workspaces of folders with secrets.
func belongs(name string) bool {
	switch name {
	case workspace.ModelFile, workspace.SettingsFile, workspace.LayoutFile:
		return true
	}
	if !filepathIsPlain(name) {
		return false
	}
	top, _, inside := strings.Cut(name, "/")
	return inside && (top == workspace.ManifestDir || top == workspace.RoutesDir) && isYAML(name)
}

// filepathIsPlain tells whether a path is clean, and no part of it hidden.
func filepathIsPlain(name string) bool {
	if name != path.Clean(name) || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return strings.HasPrefix(part, ".") || part == "node_modules"
	})
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// files reads everything that makes up the workspace, sorted by path.
func (p *place) files() ([]file, error) {
	root, err := os.OpenRoot(p.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var all []file
	add := func(name string) error {
		data, err := read(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			all = append(all, file{name, data, revisionOf(data)})
		}
		return err
	}
	for _, name := range []string{workspace.ModelFile, workspace.SettingsFile, workspace.LayoutFile} {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, top := range []string{workspace.ManifestDir, workspace.RoutesDir} {
		err := fs.WalkDir(root.FS(), top, func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case d.IsDir() && !filepathIsPlain(name):
				return fs.SkipDir
			case d.Type().IsRegular() && belongs(name):
				return add(name)
			case d.Type()&fs.ModeSymlink != 0 && belongs(name):
				_ = add(name) // what leads out of the workspace is no file of it
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	return all, nil
}

// read reads a regular file inside a root.
func read(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxFileSize+1))
	if err == nil && len(data) > manifest.MaxFileSize {
		err = fmt.Errorf("%s: %w", name, manifest.ErrTooLarge)
	}
	return data, err
}

// file reads one of the workspace's files, nil where it is not there.
func (p *place) file(name string) (*file, error) {
	if !belongs(name) {
		return nil, problem(http.StatusNotFound, name+": no file of a workspace; those are storm.json, meshstorm.yaml, and the YAML below kubernetes/ and routes/")
	}
	return p.any(name)
}

// any reads a file that the studio itself names.
func (p *place) any(name string) (*file, error) {
	root, err := os.OpenRoot(p.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := read(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &file{name, data, revisionOf(data)}, nil
}

// change runs a change of the workspace: no other is under way meanwhile, of
// this studio or of another program.
func (p *place) change(ctx context.Context, do func(context.Context) error) error {
	if why := p.readOnly(); why != "" {
		return problem(http.StatusForbidden, p.name+" is read-only: "+why)
	}
	p.write.Lock()
	defer p.write.Unlock()
	lock, err := workspace.Lock(p.path)
	if err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // what matters is written; the system drops the lock anyway
	return do(ctx)
}

// commit writes files, all or none.
func (p *place) commit(ctx context.Context, changes ...manifest.Change) error {
	return manifest.Commit(context.WithoutCancel(ctx), p.path, changes)
}

// match compares If-Match with what is there. current makes the answer's body
// where they differ.
func match(given, now string, current func() (any, error)) error {
	given = strings.Trim(strings.TrimPrefix(strings.TrimSpace(given), "W/"), `"`)
	switch given {
	case now:
		return nil
	case "":
		return problem(http.StatusPreconditionRequired, "a save needs the ETag of what it replaces in If-Match, so that nobody's change is overwritten")
	}
	p := problem(http.StatusPreconditionFailed, "somebody else changed this meanwhile; what is there now comes with this answer")
	var err error
	if p.Current, err = current(); err != nil {
		return err
	}
	return p
}
