package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrChanged says that a file is not what it was when it was read.
var ErrChanged = errors.New("the file was changed by somebody else meanwhile")

// Replacement is a file's new content, and the one that it must still have.
type Replacement struct {
	Path          string // of the operating system
	Before, After []byte
}

// Replace writes files that lie anywhere, each by renaming a new file into
// place, and all or none: it writes and syncs all of them aside first, and when
// a rename fails it puts the files back that were renamed before. A file that
// is not as it was is never touched; the error wraps ErrChanged. Symbolic links
// stay, and what they lead to is written. Only a crash between two renames can
// leave a part of the files new; workspaces have Commit, which survives that.
func Replace(ctx context.Context, files []Replacement) (err error) {
	var staged []stagedFile
	defer func() {
		for _, s := range staged {
			_ = os.Remove(s.temporary) // gone already where it was renamed
		}
	}()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := stage(f)
		if err != nil {
			return err
		}
		staged = append(staged, s)
	}
	for i, s := range staged {
		if err := s.unchanged(); err != nil {
			return errors.Join(err, undo(staged[:i]))
		}
		if err := os.Rename(s.temporary, s.target); err != nil {
			return errors.Join(fmt.Errorf("replace %s: %w", s.Path, err), undo(staged[:i]))
		}
	}
	return nil
}

type stagedFile struct {
	Replacement
	target    string // Path without symbolic links
	temporary string
	mode      fs.FileMode
}

func stage(f Replacement) (stagedFile, error) {
	s := stagedFile{Replacement: f}
	var err error
	if s.target, err = filepath.EvalSymlinks(f.Path); err != nil {
		return s, fmt.Errorf("replace %s: %w", f.Path, err)
	}
	info, err := os.Stat(s.target)
	if err != nil {
		return s, fmt.Errorf("replace %s: %w", f.Path, err)
	}
	s.mode = info.Mode().Perm()
	if err := s.unchanged(); err != nil {
		return s, err
	}
	s.temporary, err = aside(s.target, s.After, s.mode)
	return s, err
}

func (s *stagedFile) unchanged() error {
	now, err := os.ReadFile(s.target)
	if err != nil {
		return fmt.Errorf("replace %s: %w", s.Path, err)
	}
	if !bytes.Equal(now, s.Before) {
		return fmt.Errorf("%s: %w; run the command again", s.Path, ErrChanged)
	}
	return nil
}

// aside writes a file beside the one that it will replace.
func aside(target string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return "", fmt.Errorf("write beside %s: %w", target, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write beside %s: %w", target, err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// undo puts files back that were replaced.
func undo(replaced []stagedFile) error {
	var errs []error
	for _, s := range replaced {
		old, err := aside(s.target, s.Before, s.mode)
		if err == nil {
			err = os.Rename(old, s.target)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("put %s back: %w", s.Path, err))
		}
	}
	return errors.Join(errs...)
}

// WriteFile writes a file that lies anywhere: whoever reads it finds the old
// content or the new one, never half. mode is a new file's.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	temporary, err := aside(path, data, mode)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.RemoveAll(temporary))
	}
	return nil
}
