package studio_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/storm/stormtest"
	"github.com/meshstorm/meshstorm/studio"
	"github.com/meshstorm/meshstorm/workspace"
)

// BenchmarkWeights is a slider on the deploy screen of a hundred contexts, from
// the request to the new graph, without the rules that link Istio.
func BenchmarkWeights(b *testing.B) {
	root := b.TempDir()
	doc, err := workspace.ReadModel(bytes.NewReader(stormtest.Mall(100)), "mall")
	if err != nil {
		b.Fatal(err)
	}
	w, _, err := workspace.Create(b.Context(), root+"/big", doc, workspace.Options{})
	if err != nil {
		b.Fatal(err)
	}
	g, err := w.Generate(b.Context())
	if err == nil {
		err = w.Write(b.Context(), g)
	}
	if err != nil {
		b.Fatal(err)
	}
	s, err := studio.New(studio.Options{Root: root, Addresses: []string{"studio:1"}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var cookie string
	send := func(method, path, etag, text string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, studio.Prefix+path, strings.NewReader(text))
		r.Host = "studio:1"
		r.Header.Set(studio.ChangeHeader, "1")
		r.Header.Set("Cookie", cookie)
		r.Header.Set("If-Match", etag)
		out := httptest.NewRecorder()
		s.Handler().ServeHTTP(out, r)
		if out.Code >= 300 {
			b.Fatalf("%s %s: %d %s", method, path, out.Code, out.Body)
		}
		return out
	}
	cookie = send(http.MethodPost, "/session", "", `{"code":"`+s.OneTimeCode()+`"}`).Header().Get("Set-Cookie")
	etag := send(http.MethodGet, "/workspaces/big/graph", "", "").Header().Get("ETag")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out := send(http.MethodPut, "/workspaces/big/weights", etag,
			fmt.Sprintf(`{"virtualService":"default/vsvc-svc-0001","weights":{"stable":%d,"canary":%d}}`, i%100, 100-i%100))
		etag = out.Header().Get("ETag")
		_, _ = io.Copy(io.Discard, out.Body)
	}
}
