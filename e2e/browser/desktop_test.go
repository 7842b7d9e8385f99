package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The desktop's own command is replaced by one that notes what it was given,
// and the real browser opens that.
func TestADesktopsBrowserIsLedInByAFileThatOnlyItsUserCanRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("DISPLAY and xdg-open are Linux desktops'")
	}
	dir := t.TempDir()
	given := filepath.Join(dir, "given")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + given + ".tmp && mv " + given + ".tmp " + given + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	s := Start(t, "DISPLAY=:99", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	printed := s.Meshstorm("studio", "--print-url", "--open")
	Eventually(t, "the desktop is asked to open something", func() bool { _, err := os.Stat(given); return err == nil })
	data, err := os.ReadFile(given)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSpace(string(data))
	info, err := os.Stat(file)
	if err != nil {
		t.Fatalf("the command line is %q, not one file: %v", data, err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s may be read by others: %v", file, info.Mode())
	}
	p := s.Open(t, "en") // with the URL printed first, which is still good
	p.Wait("heading", "Workspaces")
	other := s.openAt(t, "en", "file://"+file)
	other.Wait("heading", "Workspaces")
	if !strings.Contains(printed, "#code=") {
		t.Errorf("printed %q", printed)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the file goes with the studio", func() bool { _, err := os.Stat(file); return os.IsNotExist(err) })
}

func TestWithoutADesktopTheURLIsPrintedAndNothingElseHappens(t *testing.T) {
	s := Start(t, "DISPLAY=", "WAYLAND_DISPLAY=")
	if runtime.GOOS != "linux" {
		t.Skip("other systems always have a desktop")
	}
	cmd := exec.Command(s.program, "studio", "--print-url", "--open")
	cmd.Dir, cmd.Env = s.Root, s.env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "#code=") || !strings.Contains(string(out), "no desktop here") {
		t.Errorf("%v: %s", err, out)
	}
}
