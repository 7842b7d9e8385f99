// Package workspace is a folder that holds a model, its settings and the files
// generated from them. It takes the folder and gives the model, the intent and
// a generation: what every file becomes when the newly generated objects are
// merged into what people made of the last ones. The command line and the
// studio both work through it.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/topping/istio"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
)

// Names inside a workspace, slash-separated and relative to its root.
const (
	ModelFile    = "storm.json"
	SettingsFile = deploy.SettingsFile
	ManifestDir  = "kubernetes"
	RoutesDir    = "routes"
	StateDir     = ".meshstorm"
	BaseDir      = StateDir + "/base"
	LayoutFile   = StateDir + "/layout.json"
	SchemaFile   = StateDir + "/meshstorm.schema.json"
)

// ErrNone says that neither a folder nor its parents hold a storm.json.
var ErrNone = errors.New("no workspace here")

// Toppings are the renderers that meshstorm has, in the order they run.
func Toppings() topping.Registry { return topping.Registry{kubernetes.Topping{}, istio.Topping{}} }

// Find returns the root of the workspace that dir lies in: dir itself or the
// nearest parent with a storm.json. The error wraps ErrNone.
func Find(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := abs; ; d = filepath.Dir(d) {
		if info, err := os.Stat(filepath.Join(d, ModelFile)); err == nil && info.Mode().IsRegular() {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%w: neither %s nor a parent folder holds a %s; make a workspace with `meshstorm new DIR`, or name one", ErrNone, dir, ModelFile)
		}
	}
}

// Options says what stands besides the workspace's files.
type Options struct {
	Getenv   func(string) string // MESHSTORM_* variables; nil for none
	Toppings []string            // overrides the settings' toppings when not nil
	Settings []byte              // stands for meshstorm.yaml's content when not nil
}

// Workspace is an opened workspace. Files on disk may change behind it; open
// it again to see that.
type Workspace struct {
	Root     string // absolute
	Document *msaez.Document
	Settings *deploy.Settings
	Intent   *deploy.Model
}

// Open reads a workspace. A run that was killed while it wrote is completed or
// rolled back first. Errors of the model are *msaez.Error, of the settings
// *deploy.SettingsError (joined).
func Open(ctx context.Context, root string, o Options) (*Workspace, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if err := recoverRun(root); err != nil {
		return nil, err
	}
	w := &Workspace{Root: root}
	data, err := manifest.ReadFile(filepath.Join(root, ModelFile))
	if err != nil {
		return nil, err
	}
	if w.Document, err = msaez.Parse(data, ModelFile); err != nil {
		return nil, err
	}
	data, err = manifest.ReadFile(filepath.Join(root, SettingsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if o.Settings != nil {
		data = o.Settings
	}
	w.Settings, err = LoadSettings(data, filepath.Base(root), o)
	if err != nil {
		return nil, err
	}
	w.Intent = deploy.Build(w.Document.Model, w.Settings)
	w.Intent.ArchiveSettings = data
	return w, ctx.Err()
}

// LoadSettings reads the settings of a workspace in a folder of this name.
func LoadSettings(data []byte, folder string, o Options) (*deploy.Settings, error) {
	s, err := deploy.LoadSettings(data, deploy.LoadOptions{
		Workspace: Name(folder), Getenv: o.Getenv, Toppings: Toppings().Names(),
	})
	if err != nil {
		return nil, err
	}
	if o.Toppings != nil {
		for _, name := range o.Toppings {
			if _, err := Toppings().Get(name); err != nil {
				return nil, fmt.Errorf("--topping: %w", err)
			}
		}
		s.SetToppings(o.Toppings, "--topping")
	}
	return s, nil
}

// Name is the workspace's name as made from its folder's: a DNS-1123 label of
// at most 40 characters, so that names made from it stay valid.
func Name(folder string) string {
	name := strings.TrimPrefix(deploy.DNSName(folder), "svc-")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "-")
	}
	if name == "" {
		return "workspace"
	}
	return name
}

// recoverRun completes or rolls back what a killed run left. A run that is
// writing just now is no killed one: the error says that it holds the lock.
func recoverRun(root string) error {
	_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(StateDir), "journal.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := manifest.Recover(root); err != nil {
		return fmt.Errorf("complete the last run in %s: %w", root, err)
	}
	return nil
}

// Lock keeps other runs from writing to a workspace; take it before Open, so
// that what is read is what the run works on. The error wraps
// manifest.ErrLocked where another run holds it.
func Lock(root string) (*manifest.Held, error) { return manifest.Lock(root) }

// read returns a file of the workspace; a missing one is empty.
func (w *Workspace) read(path string) ([]byte, error) {
	data, err := manifest.ReadFile(filepath.Join(w.Root, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Manifests lists the workspace's YAML files under kubernetes/, sorted.
func (w *Workspace) Manifests() ([]string, error) {
	return YAMLFiles(w.Root, ManifestDir)
}

// YAMLFiles lists all .yaml and .yml files below a folder of root, sorted, as
// slash-separated paths relative to root. Hidden folders and node_modules are
// left out; a missing folder holds no files.
func YAMLFiles(root, dir string) ([]string, error) {
	var files []string
	base := filepath.Join(root, filepath.FromSlash(dir))
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != base && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || !isYAML(d.Name()):
			return nil
		}
		rel, err := filepath.Rel(root, path)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

func isYAML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}
