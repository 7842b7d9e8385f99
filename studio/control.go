package studio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotRunning says that no studio runs for a folder.
var ErrNotRunning = errors.New("no studio runs")

// ControlFolder is where running studios can be asked by their own user: below
// XDG_RUNTIME_DIR, else in the cache folder. Nobody else may look into it.
func ControlFolder(getenv func(string) string) (string, error) {
	base := getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("find a folder for the studio's socket: %w; set XDG_RUNTIME_DIR", err)
		}
	}
	folder := filepath.Join(base, "meshstorm", "studio")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o700) //nolint:gosec // a folder, which needs to be entered
}

// socket is a studio's, by the folder that it serves.
func socket(folder, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(folder, hex.EncodeToString(sum[:6])+".sock")
}

// LeadFile is where a page may lie that leads a browser to the studio of a
// folder. The studio removes it when it ends.
func LeadFile(folder, root string) string {
	return strings.TrimSuffix(socket(folder, root), ".sock") + ".html"
}

// Control answers Ask on a unix socket that only this user can open, until ctx
// ends or the studio is closed. It is called before Serve. base is the page's URL without a path.
func (s *Server) Control(ctx context.Context, folder, base string) error {
	path := socket(folder, s.folder.path)
	if _, err := os.Lstat(path); err == nil {
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = c.Close()
			return fmt.Errorf("%s is served by another studio already", s.folder.path)
		}
		if err := os.Remove(path); err != nil { // of a studio that was killed
			return err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /url", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Running{Root: s.folder.path, URL: s.OneTimeURL(base, r.URL.Query().Get("path"))})
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	end := func() {
		_ = server.Close() // removes the socket
		<-served
		_ = os.Remove(LeadFile(folder, s.folder.path))
	}
	context.AfterFunc(ctx, end)
	s.ending = append(s.ending, end)
	return nil
}

// OneTimeURL opens the page once, within CodeLife. The code stands in the
// fragment, which no browser sends and no log holds.
func (s *Server) OneTimeURL(base, path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := url.URL{Path: path}
	return base + u.EscapedPath() + "#code=" + s.OneTimeCode()
}

// Running is a studio that runs.
type Running struct {
	Root string `json:"root"`
	URL  string `json:"url"` // opens it once
}

// Ask gives a fresh URL of the studio that serves a folder; with root "" of the
// only one there is. path is the page to open. The error wraps ErrNotRunning
// where there is none.
func Ask(ctx context.Context, folder, root, path string) (*Running, error) {
	if root != "" {
		r, err := ask(ctx, socket(folder, root), path)
		if err != nil {
			return nil, fmt.Errorf("%w for %s; `meshstorm studio` starts one", ErrNotRunning, root)
		}
		return r, nil
	}
	sockets, err := filepath.Glob(filepath.Join(folder, "*.sock"))
	if err != nil {
		return nil, err
	}
	var found []*Running
	var roots []string
	for _, s := range sockets {
		if r, err := ask(ctx, s, path); err == nil {
			found = append(found, r)
			roots = append(roots, r.Root)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w; `meshstorm studio` starts one", ErrNotRunning)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("several studios run, for %s; name the folder of one", strings.Join(roots, ", "))
}

func ask(ctx context.Context, socket, path string) (*Running, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://studio/url?path="+url.QueryEscape(path), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r := &Running{}
	return r, json.NewDecoder(resp.Body).Decode(r)
}
