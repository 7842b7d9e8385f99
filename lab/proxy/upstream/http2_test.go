package upstream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

func protocol(options string) string {
	return `{"typedExtensionProtocolOptions":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",` + options + `}}}`
}

var http2Cluster = protocol(`"explicitHttpConfig":{"http2ProtocolOptions":{}}`)

func TestProtocol(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	for _, c := range []struct {
		name, cluster string
		major         int
		want          string
	}{
		{"HTTP/1.1 unless said otherwise", `{}`, 2, "HTTP/1.1"},
		{"HTTP/2 by prior knowledge", http2Cluster, 1, "HTTP/2.0"},
		{"as the client's: HTTP/2", protocol(`"useDownstreamProtocolConfig":{"httpProtocolOptions":{},"http2ProtocolOptions":{}}`), 2, "HTTP/2.0"},
		{"as the client's: HTTP/1.1", protocol(`"useDownstreamProtocolConfig":{"httpProtocolOptions":{},"http2ProtocolOptions":{}}`), 1, "HTTP/1.1"},
		{"the cluster's own, deprecated field", `{"http2ProtocolOptions":{}}`, 1, "HTTP/2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{}, c.cluster, endpoints(at))
			r := request(t, "GET", "/", nil)
			r.ProtoMajor = c.major
			if _, body := do(t, k, r); body != c.want {
				t.Errorf("the upstream got %s, want %s", body, c.want)
			}
		})
	}
}

func TestTrailersOfHTTP2(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if ua, ok := r.Header["User-Agent"]; ok {
			t.Errorf("user agent %q was added", ua)
		}
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(200)
		_, _ = w.Write(body)
		w.Header().Set("Grpc-Status", "0")
	})
	k, _ := cluster(t, upstream.Options{}, http2Cluster, endpoints(at))
	r := request(t, "POST", "/order.Orders/Place", io.NopCloser(strings.NewReader("grpc")))
	r.Header.Set("Te", "trailers")
	r.Header.Set("Connection", "keep-alive")
	resp, body := do(t, k, r)
	if body != "grpc" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("got %q and trailers %v", body, resp.Trailer)
	}
}

func TestAStreamThatIsReset(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	k, _ := cluster(t, upstream.Options{}, http2Cluster, endpoints(at))
	_, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil))
	if !errors.Is(err, upstream.ErrStreamReset) || upstream.ResetReason(err) != "remote reset" {
		t.Errorf("got %v (%q), want ErrStreamReset", err, upstream.ResetReason(err))
	}
}

func TestStreamsPerConnection(t *testing.T) {
	release := make(chan struct{})
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	defer close(release)
	k, _ := cluster(t, upstream.Options{}, protocol(`"explicitHttpConfig":{"http2ProtocolOptions":{"maxConcurrentStreams":2}}`), endpoints(at))
	locals := map[string]int{}
	for range 5 {
		ex := &upstream.Exchange{}
		resp, err := k.Do(upstream.WithExchange(context.Background(), ex), pick(t, k), request(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		locals[ex.Local.String()]++
	}
	if len(locals) != 3 {
		t.Errorf("5 streams, 2 per connection, took %v", locals)
	}
}
