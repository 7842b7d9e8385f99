package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// stdin is how a command line names the standard input, as kubectl's -f does.
const stdin = "-"

// enter goes to the folder that -C names, for the paths of a command line are
// relative to it.
func (a *app) enter() error {
	if a.dir == "" {
		return nil
	}
	if err := os.Chdir(a.dir); err != nil {
		return usage("-C %s: no such folder", a.dir)
	}
	a.dir, a.entered = "", a.dir
	return nil
}

// arguments are what a printed `meshstorm route` needs to ask the same
// manifests: those of files, else the workspace root. The line must work where
// the person is, not where -C went.
func (a *app) arguments(root string, files []string, profile string) string {
	var words []string
	add := func(flag, value string) { words = append(words, flag+" "+shellQuote(value)) }
	if a.entered != "" {
		add("-C", a.entered)
	} else if root != "" {
		if here, err := workspace.Find("."); err != nil || !sameFolder(here, root) {
			add("-C", fromHere(root))
		}
	}
	for _, f := range files {
		add("-f", f)
	}
	if profile != "" {
		add("--profile", profile)
	}
	return strings.Join(words, " ")
}

// fromHere is a folder as people name it who are above it.
func fromHere(dir string) string {
	here, err := os.Getwd()
	if err != nil {
		return dir
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if rel, err := filepath.Rel(here, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return abs
}

func sameFolder(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// filesInput reads YAML files, folders and, for "-", the standard input.
func (a *app) filesInput(paths []string) (*check.Input, error) {
	paths = splitPaths(paths)
	for _, p := range paths {
		if strings.HasPrefix(p, "http://") || strings.HasPrefix(p, "https://") {
			return nil, usage("%s: only files are read; `curl -s %s | meshstorm … -f -` fetches it", p, shellQuote(p))
		}
	}
	n := len(paths)
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == stdin })
	in := &check.Input{}
	if len(paths) > 0 {
		var err error
		if in, err = workspace.FilesInput(paths); err != nil {
			return nil, classify(err)
		}
	}
	if len(paths) == n {
		return in, nil
	}
	data, err := a.readStdin()
	if err != nil {
		return nil, err
	}
	docs, err := manifest.Parse("stdin", data)
	in.Documents = append(in.Documents, docs...)
	if err != nil {
		in.Errors = append(in.Errors, err)
	}
	if len(paths) == 0 && len(docs) == 0 && err == nil {
		return nil, usage("stdin: no objects; expected YAML or JSON, such as `kubectl get vs,dr,gw,svc,deploy -o yaml` prints")
	}
	return in, nil
}

func (a *app) readStdin() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(a.In, manifest.MaxFileSize+1))
	if err != nil {
		return nil, outside(fmt.Errorf("read stdin: %w", err))
	}
	if len(data) > manifest.MaxFileSize {
		return nil, usage("stdin: %v", manifest.ErrTooLarge)
	}
	return data, nil
}

// splitPaths takes lists with commas apart, as kubectl does, but not a path
// that has a comma in its name.
func splitPaths(paths []string) []string {
	var all []string
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			all = append(all, p)
			continue
		}
		all = append(all, strings.Split(p, ",")...)
	}
	return all
}
