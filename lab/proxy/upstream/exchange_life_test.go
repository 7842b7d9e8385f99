package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// A connection that the upstream closed while it was idle fails no request.
func TestAStaleConnectionIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 100)
	at := raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") // and close, without saying so
		c.Close()
		closed <- struct{}{}
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	for range 50 {
		if _, body := do(t, k, request(t, "POST", "/", nil)); body != "ok" {
			t.Fatalf("got %q", body)
		}
		<-closed
	}
}

func TestCancellation(t *testing.T) {
	arrived := make(chan struct{}, 1)
	gone := make(chan struct{}, 1)
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	for _, path := range []string{"/", "/body"} {
		for _, protocol := range []string{`{}`, http2Cluster} {
			k, _ := cluster(t, upstream.Options{}, protocol, endpoints(at))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if path == "/" {
				go func() {
					<-arrived
					cancel()
				}()
			}
			resp, err := k.Do(ctx, pick(t, k), request(t, "GET", path, nil))
			if path == "/body" {
				if err != nil {
					t.Fatal(err)
				}
				<-arrived
				cancel()
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want context.Canceled", path, err)
			}
			<-gone // the upstream learns of it
		}
	}
}

func TestAnAnswerBeforeTheRequestIsOver(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	plain := answer(t, "HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\n\r\n") // net/http's server would read on
	for protocol, at := range map[string]netip.AddrPort{`{}`: plain, http2Cluster: at} {
		k, _ := cluster(t, upstream.Options{}, protocol, endpoints(at))
		body, client := io.Pipe()
		r := request(t, "POST", "/", body)
		r.ContentLength = -1
		resp, _ := do(t, k, r)
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d", resp.StatusCode)
		}
		client.Close()
	}
}

func TestAClientThatGoesAway(t *testing.T) {
	read := make(chan error, 1)
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	gone := errors.New("the client is gone")
	for _, length := range []int64{-1, 10} {
		r := request(t, "POST", "/", io.NopCloser(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(gone))))
		r.ContentLength = length
		if _, err := k.Do(context.Background(), pick(t, k), r); !errors.Is(err, gone) {
			t.Errorf("got %v, want the body's error", err)
		}
		if err := <-read; err == nil {
			t.Error("the upstream took half a request for a whole one")
		}
	}
}

func TestConcurrentExchanges(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	})
	for _, protocol := range []string{`{}`, http2Cluster} {
		k, all := cluster(t, upstream.Options{}, protocol, endpoints(at))
		var wait sync.WaitGroup
		for i := range 32 {
			wait.Go(func() {
				for j := range 50 {
					r := request(t, "POST", fmt.Sprintf("/%d/%d", i, j), io.NopCloser(strings.NewReader("body")))
					r.ContentLength = 4
					resp, err := k.Do(context.Background(), pick(t, k), r)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(resp.Body)
					if want := fmt.Sprintf("/%d/%d body", i, j); err != nil || string(body) != want {
						t.Errorf("got %q %v, want %q", body, err, want)
					}
					resp.Body.Close()
				}
			})
		}
		wait.Wait()
		all.Close()
	}
	eventually(t, "no goroutine of a closed cluster", func() bool { n, _ := goroutinesOf(t); return n == 0 })
}

func TestExpectContinue(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // sends 100 (Continue)
		_, _ = w.Write(body)
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	r := request(t, "POST", "/", strings.NewReader("hello"))
	r.Header.Set("Expect", "100-continue")
	if _, body := do(t, k, r); body != "hello" {
		t.Errorf("got %q", body)
	}
}

func TestUpgrade(t *testing.T) {
	at := raw(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "upgrade" {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi ")
		line, _ := r.ReadString('\n')
		_, _ = io.WriteString(c, "echo "+line)
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	r := request(t, "GET", "/", nil)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	resp, err := k.Do(context.Background(), pick(t, k), r)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok {
		t.Fatalf("got %d with a %T", resp.StatusCode, resp.Body)
	}
	_, _ = io.WriteString(both, "hello\n")
	if got, err := io.ReadAll(both); string(got) != "hi echo hello\n" {
		t.Errorf("got %q, %v", got, err)
	}
	both.Close()
}
