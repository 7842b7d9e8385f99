package standin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/meshstorm/meshstorm/deploy"
)

// models is the folder with a namespace's models, WORKSPACE.json each.
type models struct {
	dir string
	app string // the pod's label
	log *slog.Logger

	file    string // the model that was taken
	content []byte
	// settings are the workspace's as written (WORKSPACE.yaml beside the model):
	// names and paths depend on them.
	settings []byte
}

// errUnchanged is load's answer where the model is the one it gave before.
var errUnchanged = errors.New("the model is the same")

// load finds the context among the models. Of several workspaces with such a
// context it takes the one it had, else the first by name, and says so.
func (m *models) load() (*domain, error) {
	files, err := filepath.Glob(filepath.Join(m.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	if i := slices.Index(files, m.file); i > 0 {
		files[0], files[i] = files[i], files[0]
	}
	var known []string
	var faults error
	for _, file := range files {
		workspace := strings.TrimSuffix(filepath.Base(file), ".json")
		data, err := os.ReadFile(file)
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		written, err := os.ReadFile(filepath.Join(m.dir, workspace+".yaml"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = errors.Join(faults, err)
			continue
		}
		if file == m.file && bytes.Equal(data, m.content) && bytes.Equal(written, m.settings) {
			return nil, errUnchanged
		}
		a, err := readArchive(data, filepath.Base(file))
		if err != nil {
			faults = errors.Join(faults, err)
			if file == m.file {
				return nil, err // a broken file replaces nothing
			}
			continue
		}
		settings, err := deploy.LoadSettings(written, deploy.LoadOptions{Workspace: workspace})
		if err != nil {
			faults = errors.Join(faults, err)
			if file == m.file {
				return nil, err
			}
			continue
		}
		built := deploy.Build(a.model, settings)
		context, service := find(built, m.app)
		if context == nil {
			for _, name := range contextNames(built) {
				known = append(known, workspace+"/"+name)
			}
			continue
		}
		m.file, m.content, m.settings = file, data, written
		return compile(a, built, context, workspace, service.Name), nil
	}
	return nil, errors.Join(fmt.Errorf("no model in %s has a bounded context that the pod's label app=%q names; there are %s",
		m.dir, m.app, listOr(known, "none")), faults)
}

// Find tells which bounded context of a model a pod's label app names: by the
// context's name in the cluster, else by the name on its sticker without regard
// to case and separators. It gives the name in the cluster, "" where there is
// none, and the names of all contexts. Names that a workspace's settings give
// (names:) are not in the model.
func Find(model []byte, file, app string) (context string, all []string, err error) {
	a, err := readArchive(model, file)
	if err != nil {
		return "", nil, err
	}
	built := deploy.Build(a.model, settings())
	if _, service := find(built, app); service != nil {
		context = service.Name
	}
	return context, contextNames(built), nil
}

func listOr(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return strings.Join(list, ", ")
}

// settle is how long a folder must be quiet: an editor or the lab writes a file
// in several steps.
const settle = 100 * time.Millisecond

// watch gives the domain now and whenever the model changes, until ctx ends.
// Only the first error ends it; later a model that cannot be read is logged and
// the last good one stays.
func (m *models) watch(ctx context.Context, take func(*domain)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the models: %w", err)
	}
	if err := watcher.Add(m.dir); err != nil {
		_ = watcher.Close()
		return fmt.Errorf("watch the models: %w", err)
	}
	first, err := m.load() // after the watch began, so that no change is missed
	if err != nil {
		_ = watcher.Close()
		return err
	}
	take(first)
	go m.follow(ctx, watcher, take)
	return nil
}

func (m *models) follow(ctx context.Context, watcher *fsnotify.Watcher, take func(*domain)) {
	defer watcher.Close()
	quiet := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-watcher.Events:
			if !ok {
				return
			}
			quiet.Reset(settle)
		case err := <-watcher.Errors: // an overflow: something changed, nobody knows what
			m.log.Warn("watching the models", "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			d, err := m.load()
			switch {
			case errors.Is(err, errUnchanged):
			case err != nil:
				m.log.Error("a changed model is not taken over; the service goes on with the last one", "error", err)
			default:
				take(d)
				m.log.Info("the changed model is taken over", "workspace", d.workspace, "context", d.label)
				debug.FreeOSMemory() // a model is large for a moment; many stand-ins share a machine
			}
		}
	}
}
