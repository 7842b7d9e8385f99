package studio

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/meshstorm/meshstorm/workspace"
)

// settle is how long the disk must be quiet before a change is told: a checkout
// or a generation writes many files.
const settle = 60 * time.Millisecond

// hub watches the workspaces that somebody looks at, each once.
type hub struct {
	log *slog.Logger

	mu      sync.Mutex
	watches map[*place]*watch
	closed  bool
}

func newHub(log *slog.Logger) *hub { return &hub{log: log, watches: map[*place]*watch{}} }

// watch gives a channel with the changes of a workspace from now on; it is
// closed when the studio ends. A client that does not read gets what it missed
// as one change.
func (h *hub) watch(p *place) (<-chan Changed, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, errors.New("the studio ends")
	}
	w := h.watches[p]
	if w == nil {
		var err error
		if w, err = newWatch(p, h.log); err != nil {
			return nil, nil, err
		}
		h.watches[p] = w
	}
	c := make(chan Changed, 1)
	w.add(c)
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if w.remove(c) && h.watches[p] == w {
			delete(h.watches, p)
			w.stop()
		}
	}, nil
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for p, w := range h.watches {
		delete(h.watches, p)
		w.stop()
		w.end()
	}
}

// watch looks at the folders of one workspace.
type watch struct {
	place *place
	log   *slog.Logger
	disk  *fsnotify.Watcher
	known map[string]string // revisions by path, as told last

	mu      sync.Mutex
	clients map[chan Changed]bool
}

func newWatch(p *place, log *slog.Logger) (*watch, error) {
	disk, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watch{place: p, log: log, disk: disk, clients: map[chan Changed]bool{}}
	if err := w.folders(); err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	files, err := p.files()
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	w.known = byPath(files)
	go w.run()
	return w, nil
}

func byPath(files []file) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.path] = f.revision
	}
	return m
}

// folders watches every folder that may hold a file of the workspace; those
// that are watched already stay so.
func (w *watch) folders() error {
	if err := w.disk.Add(w.place.path); err != nil {
		return err
	}
	for _, top := range []string{workspace.StateDir, workspace.ManifestDir, workspace.RoutesDir} {
		err := filepath.WalkDir(filepath.Join(w.place.path, top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil //nolint:nilerr // gone meanwhile, or not there yet
			case !d.IsDir():
				return nil
			case d.Name() == "node_modules", top == workspace.StateDir && d.Name() != workspace.StateDir:
				return fs.SkipDir // base and a run's own files
			case strings.HasPrefix(d.Name(), ".") && d.Name() != workspace.StateDir:
				return fs.SkipDir
			}
			if err := w.disk.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) run() {
	timer := time.NewTimer(settle)
	timer.Stop()
	for {
		select {
		case _, ok := <-w.disk.Events:
			if !ok {
				return
			}
			timer.Reset(settle)
		case err, ok := <-w.disk.Errors:
			if !ok {
				return
			}
			w.log.Warn("watch", "workspace", w.place.id, "error", err)
			timer.Reset(settle) // events were lost: look at everything
		case <-timer.C:
			w.look()
		}
	}
}

// look compares the files with what was told last.
func (w *watch) look() {
	err := w.folders()
	if errors.Is(err, fsnotify.ErrClosed) {
		return // the last one who looked left meanwhile
	}
	if err != nil {
		w.log.Warn("watch", "workspace", w.place.id, "error", err)
	}
	files, err := w.place.files()
	if err != nil {
		w.log.Warn("watch", "workspace", w.place.id, "error", err)
		return
	}
	now := byPath(files)
	paths := map[string]bool{}
	for path, revision := range now {
		if w.known[path] != revision {
			paths[path] = true
		}
	}
	for path := range w.known {
		if _, there := now[path]; !there {
			paths[path] = true
		}
	}
	if len(paths) == 0 {
		return
	}
	w.known = now
	revision, _ := revisions(files)
	w.tell(Changed{Revision: revision, Paths: slices.Sorted(maps.Keys(paths))})
}

func (w *watch) tell(c Changed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for client := range w.clients {
		all := c
		select {
		case missed := <-client:
			all.Paths = slices.Compact(slices.Sorted(slices.Values(slices.Concat(missed.Paths, c.Paths))))
		default:
		}
		client <- all // there is room: only this goroutine sends
	}
}

func (w *watch) add(c chan Changed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients[c] = true
}

// remove tells whether nobody is left.
func (w *watch) remove(c chan Changed) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.clients, c)
	return len(w.clients) == 0
}

func (w *watch) stop() { _ = w.disk.Close() }

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.clients {
		close(c)
		delete(w.clients, c)
	}
}
