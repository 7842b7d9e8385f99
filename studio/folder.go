package studio

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/meshstorm/meshstorm/examples"
	"github.com/meshstorm/meshstorm/workspace"
)

// examplePrefix begins the ids of examples; no name of a workspace may hold a
// colon.
const examplePrefix = "example:"

// folder is the studio's root with the workspaces in it. Nothing that it opens
// lies outside, through no name and no symbolic link.
type folder struct {
	server *Server
	path   string
	root   *os.Root
	copies string // where the examples are unpacked; "" before the first

	mu   sync.Mutex
	open map[string]*place
	hub  *hub
}

func openFolder(s *Server) (*folder, error) {
	path, err := filepath.Abs(s.Root)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the studio's folder: %w", err)
	}
	return &folder{server: s, path: path, root: root, open: map[string]*place{}, hub: newHub(s.Log)}, nil
}

func (f *folder) close() error {
	f.hub.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.root.Close()
	if f.copies != "" {
		err = errors.Join(err, os.RemoveAll(f.copies))
	}
	return err
}

// ids lists the workspaces by name.
func (f *folder) ids() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if checkName(e.Name()) == nil && f.holds(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (f *folder) holds(name string) bool {
	info, err := f.root.Stat(name + "/" + workspace.ModelFile)
	return err == nil && info.Mode().IsRegular()
}

// checkName says why a name cannot be a workspace's folder.
func checkName(name string) error {
	bad := func(r rune) bool {
		return unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) || r == utf8.RuneError
	}
	switch {
	case name == "", len(name) > 200, strings.HasPrefix(name, "."), strings.HasSuffix(name, "."),
		strings.TrimSpace(name) != name, strings.ContainsFunc(name, bad), !filepath.IsLocal(name):
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("%q cannot be a workspace's name; expected a folder's name such as my-shop, that begins with no dot and holds none of / \\ : * ? \" < > |", name))
	}
	return nil
}

// get finds a workspace or an example.
func (f *folder) get(id string) (*place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.open[id]; p != nil && (p.example || f.holds(id)) {
		return p, nil
	}
	if name, ok := strings.CutPrefix(id, examplePrefix); ok {
		return f.example(id, name)
	}
	if checkName(id) != nil || !f.holds(id) {
		return nil, problem(http.StatusNotFound, fmt.Sprintf("there is no workspace %q in the studio's folder", id))
	}
	p := &place{server: f.server, id: id, name: id, path: filepath.Join(f.path, id)}
	f.open[id] = p
	return p, nil
}

// example unpacks an example that is asked for the first time.
func (f *folder) example(id, name string) (*place, error) {
	i := slices.IndexFunc(f.server.Examples, func(e examples.Example) bool { return e.Name == name })
	if i < 0 {
		return nil, problem(http.StatusNotFound, fmt.Sprintf("there is no example %q", name))
	}
	if f.copies == "" {
		dir, err := os.MkdirTemp("", "meshstorm-examples-")
		if err != nil {
			return nil, err
		}
		f.copies = dir
	}
	e := f.server.Examples[i]
	path := filepath.Join(f.copies, name)
	if err := os.CopyFS(path, e.Files); err != nil {
		return nil, errors.Join(fmt.Errorf("unpack the example %s: %w", name, err), os.RemoveAll(path))
	}
	p := &place{server: f.server, id: id, name: e.Title, path: path, example: true}
	f.open[id] = p
	return p, nil
}

// fresh is the path of a workspace that is to be made.
func (f *folder) fresh(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if _, err := f.root.Lstat(name); err == nil {
		return "", problem(http.StatusConflict, fmt.Sprintf("there is a folder %q already; choose another name, such as %q", name, f.free(name)))
	}
	return filepath.Join(f.path, name), nil
}

// free is a name like this one that no folder has.
func (f *folder) free(name string) string {
	for i := 2; ; i++ {
		other := fmt.Sprintf("%s-%d", name, i)
		if _, err := f.root.Lstat(other); err != nil {
			return other
		}
	}
}
