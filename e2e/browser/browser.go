// Package browser drives the studio's page in a real Chromium, for tests: it
// starts the built program on a folder, opens its one-time URL, and finds what
// is on the page as a screen reader does, by role and accessible name. A test
// fails when the page throws or logs an error. Screenshots are test output.
package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long something may take to appear. It is a safety net for a
// busy machine, not a measure.
const patience = 45 * time.Second

// Run runs a package's tests with one Chromium. Without one it fails with what
// installs it, unless NO_BROWSER is set.
func Run(m interface{ Run() int }) int {
	if os.Getenv("NO_BROWSER") != "" {
		fmt.Fprintln(os.Stderr, "NO_BROWSER is set: the tests in a browser do not run")
		return 0
	}
	path, err := find()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	data, err := os.MkdirTemp("", "meshstorm-chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(data)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(data), chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	var end context.CancelFunc
	chromium, end = chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(chromium); err != nil {
		fmt.Fprintf(os.Stderr, "%s does not start: %v\n", path, err)
		return 1
	}
	return m.Run()
}

// chromium is the browser's context, while Run runs.
var chromium context.Context

var errNone = errors.New("no Chromium or Chrome was found, which the tests of the studio's page need; " +
	"install one with `make deps`, name one in $CHROME, or leave these tests out with NO_BROWSER=1")

func find() (string, error) {
	if path := os.Getenv("CHROME"); path != "" {
		return exec.LookPath(path)
	}
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	if runtime.GOOS == "darwin" {
		names = append(names, "/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNone
}

// Studio is the built program, serving a folder.
type Studio struct {
	Root string // holds the workspaces
	Base string // http://127.0.0.1:PORT

	t       testing.TB
	program string
	env     []string
	cmd     *exec.Cmd
	first   string // the URL that it printed
}

// program is the one under test: MESHSTORM_BIN, or built once here.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("MESHSTORM_BIN"); path != "" {
		return path, nil
	}
	if dir := os.Getenv("MESHSTORM_BIN_DIR"); dir != "" {
		return filepath.Join(dir, "meshstorm"), nil
	}
	dir, err := os.MkdirTemp("", "meshstorm-e2e") // left to the system, as it outlives each test
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "meshstorm")
	build := exec.Command("go", "build", "-o", path, "github.com/meshstorm/meshstorm/cmd/meshstorm")
	build.Stderr = os.Stderr
	return path, build.Run()
})

// Start starts `meshstorm studio` on an empty folder, with these variables.
func Start(t testing.TB, env ...string) *Studio {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("", "ms") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	s := &Studio{Root: t.TempDir(), t: t, program: path}
	s.env = append(append(os.Environ(), "XDG_RUNTIME_DIR="+sockets, "BROWSER=none", "LANG=", "LC_ALL=", "LC_MESSAGES="), env...)
	s.serve("127.0.0.1:0")
	t.Cleanup(s.Kill)
	return s
}

func (s *Studio) serve(address string) {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "studio", "--addr", address)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = s.Root, s.env, os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("the studio printed no URL: %v", err)
	}
	s.first = strings.TrimSpace(line)
	s.Base = strings.Join(strings.Split(s.first, "/")[:3], "/")
}

// Kill ends the studio at once.
func (s *Studio) Kill() {
	_ = s.cmd.Process.Kill() // does nothing where it ended
	_ = s.cmd.Wait()
}

// Again starts the studio anew at the same address, after Kill.
func (s *Studio) Again() { s.t.Helper(); s.serve(strings.TrimPrefix(s.Base, "http://")) }

// URL is a fresh one-time URL.
func (s *Studio) URL() string {
	s.t.Helper()
	if s.first != "" {
		defer func() { s.first = "" }()
		return s.first
	}
	return strings.TrimSpace(s.Meshstorm("studio", "--print-url"))
}

// Meshstorm runs the program in the studio's folder; it must succeed.
func (s *Studio) Meshstorm(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Dir, cmd.Env = s.Root, s.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("meshstorm %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// Read is the text of a file below the studio's folder.
func (s *Studio) Read(path string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Root, filepath.FromSlash(path)))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// Exists tells whether such a file is there.
func (s *Studio) Exists(path string) bool {
	_, err := os.Stat(filepath.Join(s.Root, filepath.FromSlash(path)))
	return err == nil
}

// Write writes such a file, as another program would.
func (s *Studio) Write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Root, filepath.FromSlash(path)), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// Eventually waits until a condition holds; want says which.
func Eventually(t testing.TB, want string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, want)
		}
		time.Sleep(30 * time.Millisecond)
	}
}
