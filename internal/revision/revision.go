// Package revision reads a folder as it was at a git revision. It takes git's
// own name of the revision and gives a temporary folder with the YAML and JSON
// files of that time; the working tree is not touched.
package revision

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Prefix marks an argument as a git revision: git:HEAD~1, git:v1.2:deploy.
const Prefix = "git:"

// maxFile and maxTotal keep a damaged or hostile repository from filling the
// disk, in bytes.
const (
	maxFile  = 64 << 20
	maxTotal = 1 << 30
)

// Checkout writes the files of git:REV[:PATH] into a new temporary folder and
// returns it; the caller removes it. Without PATH it is the folder or file place
// as it was then. PATH is relative to the repository's root; of a file, the
// folder holds that one.
func Checkout(ctx context.Context, name, place string) (string, error) {
	rev, sub, hasPath := strings.Cut(strings.TrimPrefix(name, Prefix), ":")
	if rev == "" || strings.HasPrefix(rev, "-") {
		return "", fmt.Errorf("%s: expected git:REVISION or git:REVISION:PATH, such as git:HEAD~1", name)
	}
	dir, file := place, ""
	if info, err := os.Stat(place); err == nil && !info.IsDir() {
		dir, file = filepath.Split(filepath.Clean(place))
	}
	prefix, err := git(ctx, dir, "rev-parse", "--show-prefix")
	switch {
	case errors.Is(err, errNoGit), ctx.Err() != nil:
		return "", err
	case err != nil:
		return "", fmt.Errorf("%s: %s is in no git repository that can be read: %w", name, place, err)
	case !hasPath:
		sub = strings.TrimRight(string(prefix), "\r\n") + file
	}
	sub = strings.Trim(path.Clean("/"+filepath.ToSlash(sub)), "/")
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%s: git knows no revision %q here; see `git log --oneline`", name, rev)
	}
	tree := strings.TrimSpace(string(commit)) + ":" + sub
	kind, err := git(ctx, dir, "cat-file", "-t", tree)
	if err != nil {
		return "", fmt.Errorf("%s: that revision has no %q; was it committed by then?", name, sub)
	}
	if strings.TrimSpace(string(kind)) == "blob" {
		return single(ctx, dir, tree, path.Base(sub))
	}
	top, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	// From a folder below the root, archive would look for that folder in tree.
	archive, err := git(ctx, strings.TrimRight(string(top), "\r\n"), "archive", "--format=tar", tree)
	if err != nil {
		return "", err
	}
	out, err := os.MkdirTemp("", "meshstorm-revision-")
	if err != nil {
		return "", err
	}
	if err := unpack(bytes.NewReader(archive), out); err != nil {
		return "", errors.Join(err, os.RemoveAll(out))
	}
	return out, nil
}

// single writes one file of a revision.
func single(ctx context.Context, dir, blob, name string) (string, error) {
	data, err := git(ctx, dir, "cat-file", "blob", blob)
	if err != nil {
		return "", err
	}
	if len(data) > maxFile {
		return "", fmt.Errorf("%s: too large to be a manifest", name)
	}
	out, err := os.MkdirTemp("", "meshstorm-revision-")
	if err != nil {
		return "", err
	}
	if err := write(filepath.Join(out, name), bytes.NewReader(data)); err != nil {
		return "", errors.Join(err, os.RemoveAll(out))
	}
	return out, nil
}

var errNoGit = errors.New("git is not installed, and only git can read a revision; name a folder instead")

func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, errNoGit
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s in %s: %s", args[0], dir, strings.TrimSpace(failure.String()+" "+err.Error()))
	}
	return out, nil
}

// unpack writes the YAML and JSON files of an archive; links and everything
// else are left out.
func unpack(r io.Reader, dir string) error {
	var total int64
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read git's archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !wanted(h.Name) {
			continue
		}
		if total += h.Size; h.Size > maxFile || total > maxTotal {
			return fmt.Errorf("%s: too large to be a manifest", h.Name)
		}
		if !filepath.IsLocal(filepath.FromSlash(h.Name)) {
			return fmt.Errorf("git's archive names a file outside of it: %q", h.Name)
		}
		target := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := write(target, tr); err != nil {
			return err
		}
	}
}

func wanted(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func write(target string, r io.Reader) error {
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
