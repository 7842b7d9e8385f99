// Package desktop opens a page in the person's browser without telling anybody
// else its URL. A URL with a one-time code must not stand in a command line,
// which every user of a machine can read: the desktop is given a file that only
// this user can read, and the file leads on to the URL.
//
// A browser that is confined to a part of the disk (Snap, Flatpak) may refuse
// to read such a file; whoever calls Open prints a URL as well.
package desktop

import (
	"bytes"
	"errors"
	"html/template"
	"os/exec"
	"runtime"

	"github.com/meshstorm/meshstorm/manifest"
)

// ErrNone says that there is no desktop to open anything in.
var ErrNone = errors.New("there is no desktop here: neither DISPLAY nor WAYLAND_DISPLAY is set")

var lead = template.Must(template.New("lead").Parse(`<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>meshstorm</title>
<meta http-equiv="refresh" content="0;url={{.}}">
<p><a href="{{.}}">{{.}}</a></p>
`))

// Open has the desktop open url by way of file, which it writes, mode 0600, in
// a folder that exists. The file has to stay until the browser has read it. The
// error is ErrNone where there is no desktop, or one of the command that opens
// files there. The browser outlives this program, and Ctrl-C at its terminal.
func Open(getenv func(string) string, file, url string) error {
	command := opener(runtime.GOOS, getenv)
	if command == nil {
		return ErrNone
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := lead.Execute(&page, url); err != nil {
		return err
	}
	if err := manifest.WriteFile(file, page.Bytes(), 0o600); err != nil {
		return err
	}
	c := exec.Command(path, append(command[1:], file)...) //nolint:gosec // the desktop's own program
	apart(c)
	if err := c.Start(); err != nil {
		return err
	}
	// Some of these programs end at once, some become the browser.
	go func() { _ = c.Wait() }()
	return nil
}

// opener is the command that opens a file on a system, nil where nobody would
// see it.
func opener(system string, getenv func(string) string) []string {
	switch {
	case system == "darwin":
		return []string{"open"}
	case system == "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "":
		return []string{"xdg-open"}
	}
	return nil
}

// Here tells whether there is a desktop that a person at this terminal sees:
// not over SSH, and not where BROWSER says none.
func Here(getenv func(string) string) bool {
	return opener(runtime.GOOS, getenv) != nil && getenv("SSH_CONNECTION") == "" && getenv("BROWSER") != "none"
}
