package manifest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Change is a file's new content, or its removal.
type Change struct {
	Path   string // slash-separated, relative to the workspace
	Data   []byte
	Remove bool
	Mode   fs.FileMode // of a new file; 0 is 0644. An existing file keeps its own.
}

// Commit makes all changes or none. It writes every new file aside, syncs
// them, records the run in .meshstorm/journal.json, and only then renames them
// into place; Recover completes a run that ended after the journal was there,
// and clears one that ended before. The caller holds the Lock. Files whose
// bytes are right already are not touched. Paths that leave the workspace, by
// name or through a symbolic link, are refused. ctx can stop the run up to the
// journal; an error after that says that the next command completes the run.
func Commit(ctx context.Context, root string, changes []Change) error {
	return commit(ctx, root, changes, nil)
}

// commit calls step before every file operation, for tests; it may be nil.
func commit(ctx context.Context, root string, changes []Change, step func(string) error) error {
	d, err := openDisk(root, step)
	if err != nil {
		return err
	}
	defer d.root.Close()
	if _, err := d.root.Lstat(journalFile); err == nil {
		return fmt.Errorf("%s: an interrupted run waits to be completed; run the command again", root)
	}
	plan, err := d.plan(changes)
	if err != nil || len(plan) == 0 {
		return err
	}
	j, err := d.stage(ctx, plan)
	if err != nil {
		if j.Stage != "" {
			err = errors.Join(err, d.root.RemoveAll(j.Stage))
		}
		return err
	}
	if err := d.apply(j); err != nil {
		return fmt.Errorf("%w; all new files are written aside, the next meshstorm command completes the run", err)
	}
	return nil
}

// disk is a workspace's folder; nothing it does can leave that.
type disk struct {
	name string
	root *os.Root
	step func(string) error
}

func openDisk(name string, step func(string) error) (*disk, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	if step == nil {
		step = func(string) error { return nil }
	}
	return &disk{name, root, step}, nil
}

// do is one file operation.
func (d *disk) do(what, file string, op func() error) error {
	err := d.step(what + " " + file)
	if err == nil {
		err = op()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, file, err)
	}
	return nil
}

// journal is a run whose files are all written aside.
type journal struct {
	Stage string `json:"stage"` // the folder with the new files
	Moves []move `json:"moves"`
}

type move struct {
	Path   string `json:"path"`
	From   string `json:"from,omitempty"` // the file in the stage; "" removes Path
	data   []byte
	mode   fs.FileMode
	exists bool
}

// plan checks every path before anything is written, and leaves out what needs
// no change.
func (d *disk) plan(changes []Change) ([]move, error) {
	var plan []move
	seen := map[string]bool{}
	for _, c := range changes {
		target, info, err := d.target(c.Path)
		if err != nil {
			return nil, err
		}
		if seen[target] {
			return nil, fmt.Errorf("%s: changed twice in one run", c.Path)
		}
		if target == lockFile || target == journalFile || strings.HasPrefix(target, stateDir+"/"+stagePrefix) {
			return nil, fmt.Errorf("%s: belongs to meshstorm's own runs", c.Path)
		}
		seen[target] = true
		m := move{Path: target, data: c.Data, mode: cmp.Or(c.Mode.Perm(), 0o644), exists: info != nil}
		if info != nil {
			m.mode = info.Mode().Perm()
		}
		switch {
		case c.Remove && info == nil:
			continue
		case c.Remove:
			m.data = nil
		case info != nil && info.Size() == int64(len(c.Data)):
			old, err := d.root.ReadFile(target)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", c.Path, err)
			}
			if bytes.Equal(old, c.Data) {
				continue
			}
		}
		if !c.Remove {
			m.From = strconv.Itoa(len(plan) + 1)
		}
		plan = append(plan, m)
	}
	return plan, nil
}

// maxLinks is how many symbolic links a file may be behind.
const maxLinks = 10

// target is the file to replace: the one a symbolic link inside the workspace
// leads to, so that the link survives. info is nil where there is none yet.
func (d *disk) target(name string) (string, fs.FileInfo, error) {
	at := name
	for range maxLinks {
		if !filepath.IsLocal(filepath.FromSlash(at)) || path.Clean(at) == "." {
			return "", nil, fmt.Errorf("%s: leads out of the workspace; expected a path inside it", name)
		}
		info, err := d.root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path.Clean(at), nil, d.parents(name, at)
		case err != nil:
			return "", nil, fmt.Errorf("%s: %w; expected a file inside the workspace, check the symbolic links on its path", name, err)
		case info.Mode().IsRegular():
			return path.Clean(at), info, nil
		case info.Mode()&fs.ModeSymlink == 0:
			return "", nil, fmt.Errorf("%s: is a folder or device, expected a file; move it away", name)
		}
		link, err := d.root.Readlink(at)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		if filepath.IsAbs(link) {
			return "", nil, fmt.Errorf("%s: is a symbolic link to %s; expected a relative link inside the workspace", name, link)
		}
		at = path.Join(path.Dir(at), filepath.ToSlash(link))
	}
	return "", nil, fmt.Errorf("%s: too many symbolic links", name)
}

// parents refuses a new file below something that is not a folder.
func (d *disk) parents(name, at string) error {
	for dir := path.Dir(path.Clean(at)); dir != "."; dir = path.Dir(dir) {
		info, err := d.root.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if _, err := d.root.Lstat(dir); err == nil {
				return fmt.Errorf("%s: %s is a symbolic link to nothing; expected a folder", name, dir)
			}
			continue
		case err != nil:
			return fmt.Errorf("%s: %w; check the symbolic links on its path", name, err)
		case !info.IsDir():
			return fmt.Errorf("%s: %s is a file, expected a folder; move it away", name, dir)
		}
		return nil
	}
	return nil
}

// stage writes the new files aside and then the journal. On error the caller
// removes the stage.
func (d *disk) stage(ctx context.Context, plan []move) (journal, error) {
	if err := d.do("create", stateDir, func() error { return d.root.MkdirAll(stateDir, 0o755) }); err != nil {
		return journal{}, err
	}
	j := journal{Stage: stateDir + "/" + stagePrefix + strconv.FormatInt(time.Now().UnixNano(), 36), Moves: plan}
	if err := d.do("create", j.Stage, func() error { return d.root.Mkdir(j.Stage, 0o755) }); err != nil {
		return journal{}, err
	}
	for _, m := range plan {
		if err := ctx.Err(); err != nil {
			return j, err
		}
		if m.From == "" {
			continue
		}
		if err := d.write(j.Stage+"/"+m.From, m.data, m.mode, m.exists); err != nil {
			return j, err
		}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return j, fmt.Errorf("write the journal: %w", err)
	}
	record := j.Stage + "/journal"
	if err := d.write(record, text, 0o644, false); err != nil {
		return j, err
	}
	if err := d.do("sync", j.Stage, func() error { return syncDir(d.root, j.Stage) }); err != nil {
		return j, err
	}
	if err := ctx.Err(); err != nil {
		return j, err
	}
	return j, d.do("rename", record, func() error { return d.root.Rename(record, journalFile) })
}

// write makes a file durable under its own name; chmod makes mode hold against
// the umask.
func (d *disk) write(name string, data []byte, mode fs.FileMode, chmod bool) error {
	var f *os.File
	err := d.do("create", name, func() (err error) {
		f, err = d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close() // the second close of the good path does nothing
	if err := d.do("write", name, func() error { _, err := f.Write(data); return err }); err != nil {
		return err
	}
	if chmod {
		if err := d.do("chmod", name, func() error { return f.Chmod(mode) }); err != nil {
			return err
		}
	}
	if err := d.do("sync", name, f.Sync); err != nil {
		return err
	}
	return d.do("close", name, f.Close)
}
