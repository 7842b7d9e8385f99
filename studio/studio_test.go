package studio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/simulate/answer"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/studio"
)

// page is a browser with the studio's page: signed in, and with the headers that
// the page sends.
type page struct {
	t      *testing.T
	server *studio.Server
	http   *httptest.Server
	client *http.Client
	root   string
}

// open starts a studio on a folder that holds the example as "mall".
func open(t *testing.T, change ...func(*studio.Options)) *page {
	t.Helper()
	p := &page{t: t, root: t.TempDir()}
	if err := os.CopyFS(filepath.Join(p.root, "mall"), os.DirFS("../examples/12st-mall")); err != nil {
		t.Fatal(err)
	}
	p.http = httptest.NewUnstartedServer(nil)
	o := studio.Options{
		Root: p.root, Addresses: studio.Addresses(p.http.Listener), Version: "v9",
		Ask: func(_ context.Context, in *check.Input, r answer.Request) (*answer.Answer, error) {
			if r.URL == "" {
				return nil, errors.New("expected a URL")
			}
			return &answer.Answer{APIVersion: answer.APIVersion, Request: r, Outcome: answer.OutcomeRoute}, nil
		},
		Fetch: func(_ context.Context, url string) (*msaez.Document, error) {
			if strings.HasSuffix(url, "/gone") {
				return nil, errors.New("download: the server answered 404")
			}
			return msaez.New("fetched"), nil
		},
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if p.server, err = studio.New(o); err != nil {
		t.Fatal(err)
	}
	p.http.Config.Handler = p.server.Handler()
	p.http.Start()
	t.Cleanup(func() {
		if err := p.server.Close(); err != nil { // before the HTTP server, which waits for event streams
			t.Error(err)
		}
		p.http.Close()
	})
	p.client = p.newClient()
	if a := p.send(http.MethodPost, "/session", nil, body(`{"code":"`+p.server.OneTimeCode()+`"}`)); a.status != http.StatusNoContent {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	return p
}

func (p *page) newClient() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type reply struct {
	status int
	header http.Header
	body   string
}

func body(s string) io.Reader { return strings.NewReader(s) }

// send sends what the page would; headers are NAME: VALUE.
func (p *page) send(method, path string, headers []string, b io.Reader) reply {
	p.t.Helper()
	if !strings.HasPrefix(path, "//") {
		path = studio.Prefix + path
	} else {
		path = path[1:]
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.http.URL+path, b)
	if err != nil {
		p.t.Fatal(err)
	}
	if method != http.MethodGet {
		req.Header.Set("X-Meshstorm", "1")
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", p.http.URL)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch {
		case name == "Host":
			req.Host = value
		case value == "-":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := reply{resp.StatusCode, resp.Header, string(data)}
	asDescribed(p.t, method, req.URL.EscapedPath(), a)
	return a
}

// get reads JSON that must come.
func get[T any](p *page, path string) (T, string) {
	p.t.Helper()
	var out T
	a := p.send(http.MethodGet, path, nil, nil)
	if a.status != http.StatusOK {
		p.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		p.t.Fatalf("GET %s: %v in %s", path, err, a.body)
	}
	return out, a.header.Get("ETag")
}

// do changes something, and the answer must have this status.
func do[T any](p *page, status int, method, path, etag string, in any) T {
	p.t.Helper()
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // as browsers write it
	if err := enc.Encode(in); err != nil {
		p.t.Fatal(err)
	}
	var headers []string
	if etag != "" {
		headers = append(headers, "If-Match: "+etag)
	}
	a := p.send(method, path, headers, &data)
	if a.status != status {
		p.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.body)
	}
	var out T
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			p.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return out
}

func (p *page) exists(path string) bool {
	_, err := os.Stat(filepath.Join(p.root, filepath.FromSlash(path)))
	return err == nil
}

func (p *page) read(path string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.root, filepath.FromSlash(path)))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *page) write(path, text string) {
	p.t.Helper()
	full := filepath.Join(p.root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

type problemBody struct {
	Type, Title, Detail string
	Status              int
	Errors              []struct{ Message, Location string }
	Current             json.RawMessage
}
