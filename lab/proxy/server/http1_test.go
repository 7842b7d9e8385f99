package server

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHTTP1 sends bytes and looks at the bytes that come back.
func TestHTTP1(t *testing.T) {
	w := simple(t, hello2, `"maxRequestHeadersKb":4,"commonHttpProtocolOptions":{"maxHeadersCount":20}`)
	cases := []struct {
		name, send string
		want, not  []string
	}{
		{"a request", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			[]string{"HTTP/1.1 200 OK\r\n", "x-seen: GET /a x", "connection: close\r\n", "hello"}, nil},
		{"an absolute URL's authority goes before Host", "GET http://y/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []string{"x-seen: GET /b y"}, nil},
		{"two requests in one packet are answered in order", "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			[]string{"GET /1 x", "GET /2 x"}, nil},
		{"a body with a length", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", []string{"POST /p x abc"}, nil},
		{"a body in chunks with an extension and a trailer", "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2;q=1\r\nab\r\n1\r\nc\r\n0\r\nx-t: 1\r\n\r\n",
			[]string{"POST /c x abc"}, nil},
		{"a client that waits may go on", "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nz",
			[]string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", "POST /e x z"}, nil},
		{"HEAD has no body", "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []string{"HTTP/1.1 200", "x-seen: HEAD /h x"}, []string{"\r\nhello"}},
		{"no Host is refused", "GET / HTTP/1.1\r\n\r\n", []string{"HTTP/1.1 400 Bad Request", "Bad Request", "connection: close"}, []string{"hello"}},
		{"nonsense is refused", "hello there\r\n\r\n", []string{"HTTP/1.1 400 Bad Request"}, nil},
		{"a space before the colon is refused", "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", []string{"HTTP/1.1 400"}, nil},
		{"a length beside chunked is refused", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{"HTTP/1.1 400"}, nil},
		{"two lengths are refused", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", []string{"HTTP/1.1 400"}, nil},
		{"an unknown transfer encoding is refused", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", []string{"HTTP/1.1 501"}, nil},
		{"a negative length is refused", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n", []string{"HTTP/1.1 400"}, nil},
		{"HTTP/1.0 must upgrade", "GET / HTTP/1.0\r\n\r\n", []string{"HTTP/1.1 426 Upgrade Required"}, nil},
		{"headers that are too long are refused", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 5000) + "\r\n\r\n", []string{"HTTP/1.1 431"}, nil},
		{"too many headers are refused", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: a\r\n", 30) + "\r\n", []string{"HTTP/1.1 431"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn := w.dial(8080)
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(got), want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			for _, not := range c.not {
				if strings.Contains(string(got), not) {
					t.Errorf("%q is in\n%s", not, got)
				}
			}
		})
	}
	eventually(t, "a DPE line in the access log", func() bool {
		return strings.Contains(w.log.String(), "code=400 flags=DPE details=http1.codec_error")
	})
}

func TestAnswersKeepTheConnection(t *testing.T) {
	w := simple(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			for range 3 {
				_, _ = io.WriteString(w, "part ")
				w.(http.Flusher).Flush()
			}
		}
	}, `"commonHttpProtocolOptions":{"maxRequestsPerConnection":3}`)
	conn := w.dial(8080)
	br := bufio.NewReader(conn)
	for i, path := range []string{"/empty", "/stream", "/last"} {
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if path == "/stream" && string(body) != "part part part " {
			t.Errorf("the body is %q", body)
		}
		if resp.Close != (i == 2) {
			t.Errorf("%s: connection: close is %v", path, resp.Close)
		}
	}
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	gone := make(chan struct{})
	started := make(chan struct{})
	w := simple(t, func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		select {
		case <-r.Context().Done():
			close(gone)
		case <-time.After(20 * time.Second):
		}
	}, "")
	conn := w.dial(8080)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	_ = conn.Close()
	select {
	case <-gone:
	case <-time.After(15 * time.Second):
		t.Fatal("the upstream was not told")
	}
}

// FuzzParseHead holds our parser to the standard library's: what ours accepts,
// the other accepts too, with the same meaning.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte("GET /a?b=c HTTP/1.1\r\nHost: x\r\nA: b\r\nA: c\r\n\r\n"))
	f.Add([]byte("POST http://h/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("\r\nOPTIONS * HTTP/1.1\nHost:y\n\n"))
	f.Add([]byte("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := readHead(bufio.NewReader(bytes.NewReader(data)), nil, 8<<10)
		if err != nil {
			return
		}
		req := &http.Request{}
		lim := limits{bytes: 8 << 10, headers: 100, http10: true}
		if parseHead(head, lim, req) != nil {
			return
		}
		if _, _, err := framing(req, lim); err != nil {
			return
		}
		if req.Method == http.MethodConnect || strings.ContainsAny(string(head), "%") {
			return // forms that Envoy forwards and Go refuses
		}
		other, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(head, "\r\n"...))))
		if err != nil {
			return
		}
		if other.Method != req.Method || other.Host != req.Host || other.URL.Path != req.URL.Path || other.URL.RawQuery != req.URL.RawQuery {
			t.Errorf("%q: %s %s %s, want %s %s %s", head, req.Method, req.Host, req.URL, other.Method, other.Host, other.URL)
		}
	})
}
