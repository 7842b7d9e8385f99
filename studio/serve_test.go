package studio_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/studio"
)

func TestABusyPortGivesWayToTheNext(t *testing.T) {
	first, err := studio.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := studio.Listen(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	a, b := first.Addr().(*net.TCPAddr), second.Addr().(*net.TCPAddr)
	if b.Port <= a.Port || !b.IP.IsLoopback() {
		t.Errorf("%v after %v", b, a)
	}
	for _, wrong := range []string{"8080", "127.0.0.1:http", "127.0.0.1:99999", ""} {
		if l, err := studio.Listen(wrong); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %v %v", wrong, l, err)
		}
	}
}

func TestWhichAddressesAreThisMachineOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:1": true, "[::1]:8080": true, "127.8.8.8:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:80": false, "localhost.example:80": false,
	} {
		if got := studio.Loopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestARunningStudioGivesFreshURLs(t *testing.T) {
	control, err := os.MkdirTemp("", "ms") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(control) })
	control, err = studio.ControlFolder(func(string) string { return control })
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if _, err := studio.Ask(t.Context(), control, root, "/"); !errors.Is(err, studio.ErrNotRunning) {
		t.Errorf("before: %v", err)
	}
	l, err := studio.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := studio.New(studio.Options{Root: root, Addresses: studio.Addresses(l)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	base := "http://" + l.Addr().String()
	if err := s.Control(ctx, control, base); err != nil {
		t.Fatal(err)
	}
	go func() { served <- s.Serve(ctx, l, nil) }()
	sockets, _ := filepath.Glob(filepath.Join(control, "*"))
	info, err := os.Stat(sockets[0])
	if err != nil || len(sockets) != 1 || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("sockets %v %v %v", sockets, info.Mode(), err)
	}
	if err := s.Control(ctx, control, base); err == nil {
		t.Error("a second studio took the socket")
	}
	for _, asked := range []string{root, ""} {
		r, err := studio.Ask(t.Context(), control, asked, "/w/my shop/model")
		if err != nil {
			t.Fatal(err)
		}
		page, code, ok := strings.Cut(r.URL, "#code=")
		if page != base+"/w/my%20shop/model" || !ok || r.Root != root {
			t.Errorf("%+v", r)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+studio.Prefix+"/session", strings.NewReader(`{"code":"`+code+`"}`))
		req.Header.Set(studio.ChangeHeader, "1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("the URL's code: %d", resp.StatusCode)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := studio.Ask(t.Context(), control, root, "/"); !errors.Is(err, studio.ErrNotRunning) {
		t.Errorf("after: %v", err)
	}
}

func TestASocketOfAKilledStudioIsReplaced(t *testing.T) {
	control, err := os.MkdirTemp("", "ms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(control) })
	root := t.TempDir()
	s, err := studio.New(studio.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first, stop := context.WithCancel(t.Context())
	if err := s.Control(first, control, "http://a"); err != nil {
		t.Fatal(err)
	}
	sockets, _ := filepath.Glob(filepath.Join(control, "*"))
	stop()
	for { // until the first one is gone
		if _, err := studio.Ask(t.Context(), control, root, "/"); err != nil {
			break
		}
	}
	left, err := net.Listen("unix", sockets[0])
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = left.Close()
	if err := s.Control(t.Context(), control, "http://b"); err != nil {
		t.Fatal(err)
	}
	if r, err := studio.Ask(t.Context(), control, root, "/"); err != nil || !strings.HasPrefix(r.URL, "http://b/#code=") {
		t.Errorf("%+v %v", r, err)
	}
}
