package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Recover deals with a run that was killed: it completes one whose journal was
// written, which completed reports, and clears what one without a journal left
// aside. Who only reads needs it only where there is a journal; the rest is
// cleared by the next Lock. Without such leftovers it changes nothing and takes
// no lock; otherwise the error wraps ErrLocked while the run in question still
// goes on.
func Recover(root string) (completed bool, err error) {
	pending, err := leftovers(root)
	if err != nil || !pending {
		return false, err
	}
	held, err := lock(root)
	if err != nil {
		return false, err
	}
	completed, err = recoverLocked(root, nil)
	return completed, errors.Join(err, held.Unlock())
}

func leftovers(root string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(root, stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an interrupted run: %w", err)
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == path.Base(journalFile) || strings.HasPrefix(e.Name(), stagePrefix)
	}), nil
}

// recoverLocked is Recover for who holds the lock. It calls step before every
// file operation, for tests; it may be nil.
func recoverLocked(root string, step func(string) error) (bool, error) {
	d, err := openDisk(root, step)
	if err != nil {
		return false, err
	}
	defer d.root.Close()
	text, err := d.root.ReadFile(journalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, d.clear()
	}
	if err != nil {
		return false, fmt.Errorf("complete an interrupted run: %w", err)
	}
	var j journal
	err = json.Unmarshal(text, &j)
	if err == nil && !j.valid() {
		err = errors.New("its entries make no sense")
	}
	if err != nil {
		return false, fmt.Errorf("%s is no journal of meshstorm: %w; remove it to give the interrupted run up",
			filepath.Join(root, filepath.FromSlash(journalFile)), err)
	}
	if err := d.apply(j); err != nil {
		return false, fmt.Errorf("complete an interrupted run: %w; mend that and run the command again, or remove %s to give the run up", err, journalFile)
	}
	return true, d.clear()
}

// valid refuses a journal that this package did not write.
func (j journal) valid() bool {
	name, ok := strings.CutPrefix(j.Stage, stateDir+"/"+stagePrefix)
	if !ok || name == "" || strings.ContainsAny(name, `/\`) {
		return false
	}
	for _, m := range j.Moves {
		if !filepath.IsLocal(filepath.FromSlash(m.Path)) || strings.ContainsAny(m.From, `/\.`) {
			return false
		}
	}
	return true
}

// clear removes what runs without a journal left aside.
func (d *disk) clear() error {
	f, err := d.root.Open(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clear an interrupted run: %w", err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("clear an interrupted run: %w", err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, stagePrefix) {
			continue
		}
		stage := stateDir + "/" + name
		if err := d.do("remove", stage, func() error { return d.root.RemoveAll(stage) }); err != nil {
			return err
		}
	}
	return nil
}

// apply moves the files of a journal into place, makes that durable, and drops
// the journal. It may have been interrupted anywhere before: what is done
// already is left alone.
func (d *disk) apply(j journal) error {
	if err := d.do("sync", stateDir, func() error { return syncDir(d.root, stateDir) }); err != nil {
		return err
	}
	var dirs []string
	for _, m := range j.Moves {
		for dir := path.Dir(m.Path); ; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
			if dir == "." {
				break
			}
		}
		if err := d.move(j.Stage, m); err != nil {
			return err
		}
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		err := d.do("sync", dir, func() error { return syncDir(d.root, dir) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := d.do("remove", journalFile, func() error { return d.root.Remove(journalFile) }); err != nil {
		return err
	}
	if err := d.do("sync", stateDir, func() error { return syncDir(d.root, stateDir) }); err != nil {
		return err
	}
	return d.do("remove", j.Stage, func() error { return d.root.RemoveAll(j.Stage) })
}

func (d *disk) move(stage string, m move) error {
	if m.From == "" {
		err := d.do("remove", m.Path, func() error { return d.root.Remove(m.Path) })
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	from := stage + "/" + m.From
	if _, err := d.root.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // moved before the interruption
	}
	dir := path.Dir(m.Path)
	if err := d.do("create", dir, func() error { return d.root.MkdirAll(dir, 0o755) }); err != nil {
		return err
	}
	return d.do("rename", m.Path, func() error { return d.root.Rename(from, m.Path) })
}
