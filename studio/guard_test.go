package studio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/studio"
)

func TestRequestsThatAreRefused(t *testing.T) {
	p := open(t)
	port := strings.TrimPrefix(p.http.URL, "http://127.0.0.1:")
	for _, c := range []struct {
		name, method, path string
		headers            []string
		body               string
		status             int
		says               string
	}{
		{"a page of another host name (DNS rebinding)", "GET", "/workspaces", []string{"Host: evil.example:" + port}, "", 403, "does not answer to the host name evil.example"},
		{"the right name with another port", "GET", "/workspaces", []string{"Host: 127.0.0.1:1"}, "", 403, "host name"},
		{"a name without a port", "GET", "/workspaces", []string{"Host: localhost"}, "", 403, "host name"},
		{"the page itself under another name", "GET", "//", []string{"Host: evil.example"}, "", 403, "host name"},
		{"a read from another origin", "GET", "/workspaces", []string{"Origin: https://evil.example"}, "", 403, "another page"},
		{"a change from another origin", "POST", "/workspaces", []string{"Origin: https://evil.example"}, `{"name":"x","from":{"empty":true}}`, 403, "another page"},
		{"another port of this machine", "POST", "/workspaces", []string{"Origin: http://127.0.0.1:1"}, `{"name":"x","from":{"empty":true}}`, 403, "another page"},
		{"https instead of http", "GET", "/workspaces", []string{"Origin: https://127.0.0.1:" + port}, "", 403, "another page"},
		{"an origin of a sandbox", "GET", "/workspaces", []string{"Origin: null"}, "", 403, "another page"},
		{"a link on another site", "GET", "/workspaces/mall/archive.zip", []string{"Sec-Fetch-Site: cross-site"}, "", 403, "another page"},
		{"a page on another port of the same site", "GET", "/workspaces", []string{"Sec-Fetch-Site: same-site"}, "", 403, "another page"},
		{"a form, which cannot send the header", "POST", "/workspaces", []string{"X-Meshstorm: -"}, `{"name":"x","from":{"empty":true}}`, 403, "X-Meshstorm"},
		{"signing in by a form", "POST", "/session", []string{"X-Meshstorm: -"}, `{"code":"x"}`, 403, "X-Meshstorm"},
		{"a body that is too large", "POST", "/workspaces", nil, `{"name":"` + strings.Repeat("x", studio.MaxBody) + `"}`, 413, ""},
		{"an unknown field", "POST", "/workspaces", nil, `{"name":"x","form":{}}`, 422, "form"},
		{"a path of the API that is not there", "GET", "/nothing", nil, "", 404, "no GET /api/v1/nothing"},
		{"a change of the page", "POST", "//index.html", nil, "{}", 405, "part of the page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			a := p.send(c.method, c.path, c.headers, body(c.body))
			if a.status != c.status || !strings.Contains(a.body, c.says) {
				t.Errorf("%d %.300s; want %d with %q", a.status, a.body, c.status, c.says)
			}
			if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("Content-Type %q", ct)
			}
		})
	}
	p.t = t
	if list, _ := get[studio.Workspaces](p, "/workspaces"); len(list.Items) != 1 {
		t.Errorf("a refused request made something: %v", list.Items)
	}
	if a := p.send("GET", "/session", []string{"Host: localhost:" + port, "Origin: http://localhost:" + port}, nil); a.status != 200 {
		t.Errorf("localhost is this machine's name too: %d %s", a.status, a.body)
	}
}

// operations are all that the description has, so that a new one is guarded too
// or fails here.
func operations(p *page) map[string][]string {
	p.t.Helper()
	raw := p.send("GET", "//api/openapi.json", nil, nil)
	var spec struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(raw.body), &spec); err != nil {
		p.t.Fatal(err)
	}
	all := map[string][]string{}
	for path, methods := range spec.Paths {
		at := strings.NewReplacer("{id}", "mall", "{path}", "storm.json").Replace(path)
		for method := range methods {
			all[at] = append(all[at], strings.ToUpper(method))
		}
	}
	if len(all) < 20 {
		p.t.Fatalf("only %d paths in the description", len(all))
	}
	return all
}

func TestNothingIsAnsweredWithoutSession(t *testing.T) {
	p := open(t)
	all := operations(p)
	p.client = p.newClient()
	for path, methods := range all {
		if path == "/session" {
			continue
		}
		for _, method := range methods {
			a := p.send(method, path, nil, body("{}"))
			if a.status != 401 || !strings.Contains(a.body, "--print-url") {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
	if s, _ := get[studio.SessionState](p, "/session"); s.SignedIn || s.Login != "code" {
		t.Errorf("session state %+v", s)
	}
}

func TestNoOperationAnswersAnotherPageEvenWithASession(t *testing.T) {
	p := open(t)
	for path, methods := range operations(p) {
		for _, method := range methods {
			for _, header := range []string{"Host: evil.example", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"} {
				if a := p.send(method, path, []string{header}, body("{}")); a.status != 403 {
					t.Errorf("%s %s with %s: %d %.200s", method, path, header, a.status, a.body)
				}
			}
			if method == "GET" {
				continue
			}
			if a := p.send(method, path, []string{"X-Meshstorm: -"}, body("{}")); a.status != 403 {
				t.Errorf("%s %s without the header that no form can send: %d %.200s", method, path, a.status, a.body)
			}
		}
	}
}

func TestOneTimeCodes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := open(t, func(o *studio.Options) { o.Now = func() time.Time { return now } })
	code := p.server.OneTimeCode()
	in := func(code string) reply {
		p.client = p.newClient()
		return p.send("POST", "/session", nil, body(fmt.Sprintf(`{"code":%q}`, code)))
	}
	first := in(code)
	if first.status != 204 {
		t.Fatalf("first use: %d %s", first.status, first.body)
	}
	cookie := first.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if u, _ := url.Parse(p.http.URL); !strings.HasPrefix(cookie, "meshstorm-"+u.Port()+"=") {
		t.Errorf("cookie %q does not say which studio's it is", cookie)
	}
	if s, _ := get[studio.SessionState](p, "/session"); !s.SignedIn {
		t.Error("not signed in after the exchange")
	}
	for name, code := range map[string]string{"second use": code, "a guess": "AAAA", "none": ""} {
		if a := in(code); a.status != 401 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	old := p.server.OneTimeCode()
	now = now.Add(studio.CodeLife)
	if a := in(old); a.status != 401 || !strings.Contains(a.body, "60 s") {
		t.Errorf("expired code: %d %s", a.status, a.body)
	}
	last := p.server.OneTimeCode()
	now = now.Add(studio.CodeLife - time.Nanosecond)
	if a := in(last); a.status != 204 {
		t.Errorf("code of almost 60 s: %d", a.status)
	}
}

func TestPasswordOpensASessionAndCannotBeGuessedFast(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := open(t, func(o *studio.Options) { o.Password, o.Now = "correct horse battery", func() time.Time { return now } })
	p.client = p.newClient()
	in := func(password string) int {
		return p.send("POST", "/session", nil, body(fmt.Sprintf(`{"password":%q}`, password))).status
	}
	for range 5 {
		if got := in("wrong"); got != 401 {
			t.Fatalf("wrong password: %d", got)
		}
	}
	if got := in("correct horse battery"); got != http.StatusTooManyRequests {
		t.Errorf("after five wrong ones: %d", got)
	}
	now = now.Add(time.Minute)
	if got := in("correct horse battery"); got != 204 {
		t.Errorf("the password: %d", got)
	}
	if s, _ := get[studio.SessionState](p, "/session"); !s.SignedIn || s.Login != "password" {
		t.Errorf("session state %+v", s)
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	p := open(t)
	for _, path := range []string{"//", "//w/mall/deploy", "//api", "/about", "/nothing"} {
		a := p.send("GET", path, nil, nil)
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy %q, nosniff %q", path, csp, a.header.Get("X-Content-Type-Options"))
		}
	}
}

func TestThePageIsServedForEveryDeepLink(t *testing.T) {
	p := open(t)
	index := p.send("GET", "//", nil, nil)
	if index.status != 200 || !strings.Contains(strings.ToLower(index.body), "<!doctype html>") {
		t.Fatalf("page: %d %.100s", index.status, index.body)
	}
	for _, path := range []string{"//w/mall/model", "//w/mall/code/kubernetes/template/istio.yml", "//w/example%3A12st-mall/deploy?node=x"} {
		if a := p.send("GET", path, nil, nil); a.body != index.body {
			t.Errorf("%s is not the page: %d", path, a.status)
		}
	}
	if a := p.send("GET", "//", []string{"If-None-Match: " + index.header.Get("ETag")}, nil); a.status != 304 {
		t.Errorf("unchanged page: %d", a.status)
	}
	if a := p.send("GET", "//assets/nothing.js", nil, nil); a.status != 404 {
		t.Errorf("asset that is not there: %d", a.status)
	}
	manual := p.send("GET", "//api", nil, nil)
	if !strings.Contains(manual.body, "/workspaces/{id}/weights") || strings.Contains(manual.body, "<script") {
		t.Errorf("manual: %.300s", manual.body)
	}
}
