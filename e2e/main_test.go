// Package e2e runs the real program in temporary folders, as a user does.
package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// binary is the program under test: MESHSTORM_BIN, or built once here.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if binary = os.Getenv("MESHSTORM_BIN"); binary == "" {
		dir, err := os.MkdirTemp("", "meshstorm-e2e")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "meshstorm")
		build := exec.Command("go", "build", "-o", binary, "../cmd/meshstorm")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return 1, fmt.Errorf("build the program: %w", err)
		}
	}
	return m.Run(), nil
}

// result is what a run of the program left.
type result struct {
	stdout, stderr string
	code           int
}

// command is one run of the program.
type command struct {
	dir   string
	stdin string
	env   []string
}

func (c command) run(t *testing.T, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = c.dir
	cmd.Stdin = strings.NewReader(c.stdin)
	cmd.Env = append(os.Environ(), c.env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	r := result{stdout: out.String(), stderr: errOut.String()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("meshstorm %s: %v", strings.Join(args, " "), err)
	}
	return r
}

// meshstorm runs the program in dir and expects an exit code.
func meshstorm(t *testing.T, dir string, code int, args ...string) result {
	t.Helper()
	r := command{dir: dir}.run(t, args...)
	if r.code != code {
		t.Fatalf("meshstorm %s: exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, data string, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces a text that must stand in a file exactly once.
func edit(t *testing.T, path, old, now string) {
	t.Helper()
	data := read(t, path)
	if n := strings.Count(data, old); n != 1 {
		t.Fatalf("%s holds %q %d times, expected once", path, old, n)
	}
	write(t, strings.Replace(data, old, now, 1), path)
}

// models lists the project's own models, and the shared samples where they are.
func models(t *testing.T) []string {
	t.Helper()
	own, _ := filepath.Glob("../testdata/models/*.json")
	if len(own) < 6 {
		t.Fatalf("found %d models in testdata/models", len(own))
	}
	shared, _ := filepath.Glob("../../shared/models/*.json")
	all := append(append(own, shared...), "../examples/12st-mall/storm.json")
	for i, m := range all {
		abs, err := filepath.Abs(m)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = abs
	}
	return all
}

func title(model string) string {
	name := strings.TrimSuffix(filepath.Base(model), ".json")
	if name == "storm" {
		return "12st-mall"
	}
	if len(name) > 40 {
		name = name[:40]
	}
	return name
}
