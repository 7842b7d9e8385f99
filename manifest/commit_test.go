package manifest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

// killAt tells a child process of this test binary before which file operation
// it ends, and killIn in which workspace.
const (
	killAt      = "MANIFEST_TEST_KILL_AT"
	killIn      = "MANIFEST_TEST_KILL_IN"
	killRecover = "MANIFEST_TEST_KILL_RECOVER"
)

// killed is the exit code of a child that did not get to its end.
const killed = 37

func TestMain(m *testing.M) {
	if root := os.Getenv(killIn); root != "" {
		os.Exit(child(root))
	}
	os.Exit(m.Run())
}

// child changes a workspace, or recovers it, and ends like a killed process
// before the given operation: without deferred calls.
func child(root string) int {
	at, _ := strconv.Atoi(os.Getenv(killAt))
	step := func(string) error {
		if at--; at < 0 {
			os.Exit(killed)
		}
		return nil
	}
	var err error
	if os.Getenv(killRecover) != "" {
		_, err = manifest.RecoverSteps(root, step)
	} else if _, err = manifest.Lock(root); err == nil {
		err = manifest.CommitSteps(context.Background(), root, changes, step)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var (
	before = map[string]string{
		"kubernetes/template/template.yml":                 "old: template\n",
		".meshstorm/base/kubernetes/template/template.yml": "old: base\n",
		"gone.yml": "old: gone\n", "same.yml": "same: 1\n",
	}
	after = map[string]string{
		"kubernetes/template/template.yml":                 "new: template\n",
		".meshstorm/base/kubernetes/template/template.yml": "new: base\n",
		"fresh/deep/file.yml":                              "new: file\n", "same.yml": "same: 1\n", "empty.yml": "",
	}
	changes = []manifest.Change{
		{Path: "kubernetes/template/template.yml", Data: []byte("new: template\n")},
		{Path: ".meshstorm/base/kubernetes/template/template.yml", Data: []byte("new: base\n")},
		{Path: "gone.yml", Remove: true},
		{Path: "never.yml", Remove: true},
		{Path: "fresh/deep/file.yml", Data: []byte("new: file\n")},
		{Path: "empty.yml"},
		{Path: "same.yml", Data: []byte("same: 1\n")},
	}
)

func TestAKilledRunLeavesAllOrNothing(t *testing.T) {
	complete, rolledBack := false, false
	for at := 0; !complete; at++ {
		root := workspace(t)
		complete = run(t, root, at, false)
		got := recovered(t, root)
		switch {
		case maps.Equal(got, before):
			rolledBack = true
			if complete {
				t.Fatalf("killed before operation %d: nothing changed, though the run ended well", at)
			}
		case !maps.Equal(got, after):
			t.Fatalf("killed before operation %d: a mixture of old and new: %v", at, got)
		}
	}
	if !rolledBack {
		t.Error("no kill was early enough to change nothing")
	}
}

func TestAKilledRecoveryIsRecovered(t *testing.T) {
	// The first operation after the journal, found by what the kill leaves.
	journaled := 0
	for ; ; journaled++ {
		root := workspace(t)
		if run(t, root, journaled, false) {
			t.Fatal("the run was never interrupted with a journal")
		}
		if _, err := os.Stat(filepath.Join(root, ".meshstorm/journal.json")); err == nil {
			break
		}
	}
	for at, complete := 0, false; !complete; at++ {
		root := workspace(t)
		run(t, root, journaled+at%4, false)
		complete = run(t, root, at, true)
		if got := recovered(t, root); !maps.Equal(got, after) {
			t.Fatalf("recovery killed before operation %d: %v", at, got)
		}
	}
}

// run starts the child and tells whether it got to its end.
func run(t *testing.T, root string, at int, recovery bool) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killIn+"="+root, killAt+"="+strconv.Itoa(at))
	if recovery {
		cmd.Env = append(cmd.Env, killRecover+"=1")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != killed) {
		t.Fatalf("child: %v\n%s", err, stderr.Bytes())
	}
	return err == nil
}

func workspace(t *testing.T) string {
	root := t.TempDir()
	for name, text := range before {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// recovered gives the files of a workspace after recovery, which must leave no
// other and must leave the lock free.
func recovered(t *testing.T, root string) map[string]string {
	t.Helper()
	if _, err := manifest.Recover(root); err != nil {
		t.Fatal(err)
	}
	held, err := manifest.Lock(root)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Unlock()
	return files(t, root)
}

func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && strings.HasPrefix(e.Name(), "tmp-") {
				all[path] = "a leftover folder"
			}
			return err
		}
		name, _ := filepath.Rel(root, path)
		if name = filepath.ToSlash(name); name == ".meshstorm/lock" {
			return nil
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFailingOperationChangesNothingOrIsCompletedLater(t *testing.T) {
	broken := errors.New("disk is full")
	for at := 0; ; at++ {
		root := workspace(t)
		n := 0
		err := manifest.CommitSteps(context.Background(), root, changes, func(string) error {
			if n++; n-1 == at {
				return broken
			}
			return nil
		})
		got := recovered(t, root)
		if err == nil {
			if !maps.Equal(got, after) {
				t.Errorf("without a failure: %v", got)
			}
			return
		}
		if !errors.Is(err, broken) || !maps.Equal(got, before) && !maps.Equal(got, after) {
			t.Fatalf("failure in operation %d (%v): %v", at, err, got)
		}
	}
}

func TestCommitKeepsPermissionsAndUnchangedFiles(t *testing.T) {
	root := workspace(t)
	same := filepath.Join(root, "same.yml")
	stat, _ := os.Stat(same)
	if err := manifest.Commit(context.Background(), root, changes); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.Stat(same); !os.SameFile(stat, again) || !again.ModTime().Equal(stat.ModTime()) {
		t.Error("a file with the right content was written again")
	}
	info, err := os.Stat(filepath.Join(root, "kubernetes/template/template.yml"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("permissions are %v, %v", info.Mode(), err)
	}
	empty := t.TempDir()
	if err := manifest.Commit(context.Background(), empty, nil); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 0 {
		t.Errorf("nothing to do left %v", entries)
	}
}

func TestCommitStopsWithItsContext(t *testing.T) {
	root := workspace(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := manifest.Commit(ctx, root, changes); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := files(t, root); !maps.Equal(got, before) {
		t.Errorf("left %v", got)
	}
}

func TestCommitRefusesPathsThatLeaveTheWorkspace(t *testing.T) {
	outside := t.TempDir()
	for _, test := range []struct{ name, path, link, to, want string }{
		{name: "an absolute path", path: "/etc/x", want: "leads out of the workspace"},
		{name: "a path with dots", path: "a/../../x", want: "leads out of the workspace"},
		{name: "the workspace itself", path: ".", want: "leads out of the workspace"},
		{name: "no path", path: "", want: "leads out of the workspace"},
		{name: "a folder that is a link outside", path: "out/x.yml", link: "out", to: outside, want: "check the symbolic links"},
		{name: "a folder that leads up", path: "up/x.yml", link: "up", to: "..", want: "check the symbolic links"},
		{name: "a file that is a link outside", path: "x.yml", link: "x.yml", to: filepath.Join(outside, "x"), want: "is a symbolic link to"},
		{name: "a file that leads up", path: "y.yml", link: "y.yml", to: "../y", want: "leads out of the workspace"},
		{name: "a link in a circle", path: "z.yml", link: "z.yml", to: "z.yml", want: "too many symbolic links"},
		{name: "a folder in the file's place", path: "kubernetes", want: "is a folder or device"},
		{name: "a file in the folder's place", path: "gone.yml/x", want: "gone.yml"},
		{name: "the journal", path: ".meshstorm/journal.json", want: "meshstorm's own runs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := workspace(t)
			if test.link != "" {
				if err := os.Symlink(test.to, filepath.Join(root, test.link)); err != nil {
					t.Skip(err)
				}
			}
			err := manifest.Commit(context.Background(), root, []manifest.Change{
				{Path: "ok.yml", Data: []byte("ok")}, {Path: test.path, Data: []byte("bad")},
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(root, "ok.yml")); err == nil {
				t.Error("another file of the run was written")
			}
		})
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("written outside: %v", entries)
	}
}

func TestCommitWritesThroughALinkInsideTheWorkspace(t *testing.T) {
	root := workspace(t)
	if err := os.Symlink("same.yml", filepath.Join(root, "link.yml")); err != nil {
		t.Skip(err)
	}
	if err := manifest.Commit(context.Background(), root, []manifest.Change{{Path: "link.yml", Data: []byte("x: 1\n")}}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(root, "same.yml"))
	link, err := os.Readlink(filepath.Join(root, "link.yml"))
	if string(text) != "x: 1\n" || link != "same.yml" || err != nil {
		t.Errorf("%q, link to %q, %v", text, link, err)
	}
}

func TestLock(t *testing.T) {
	root := t.TempDir()
	held, err := manifest.Lock(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Lock(root); !errors.Is(err, manifest.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second run gets %v", err)
	}
	if _, err := manifest.Recover(root); err != nil {
		t.Errorf("with nothing to recover, a reader gets %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := manifest.Lock(root)
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
}

func TestRecoverRefusesAForeignJournal(t *testing.T) {
	for _, text := range []string{"", "{}", `{"stage":".meshstorm/tmp-a","moves":[{"path":"../x","from":"1"}]}`, `{"stage":"..","moves":[]}`,
		`{"stage":".meshstorm/tmp-a/../..","moves":[]}`, `{"stage":".meshstorm/tmp-a","moves":[{"path":"x","from":"../../y"}]}`} {
		root := workspace(t)
		if err := os.WriteFile(filepath.Join(root, ".meshstorm/journal.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.Recover(root); err == nil || !strings.Contains(err.Error(), "remove it to give") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
