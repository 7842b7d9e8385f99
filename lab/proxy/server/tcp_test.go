package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// echo is a TCP server that says a word first, then sends back what it reads
// until the other side has said all, and says another word.
func echo(t testing.TB, word string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.WriteString(c, word+" ")
				_, _ = io.Copy(c, c)
				_, _ = io.WriteString(c, " bye")
			}()
		}
	}()
	return ln.Addr().String()
}

func exchange(t testing.TB, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	_ = closeWrite(c)
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestTCP(t *testing.T) {
	w := newWorld(t, true)
	w.cluster("a", echo(t, "a"))
	w.cluster("b", echo(t, "b"))
	w.cluster("none")
	w.listener(gatewayListener(9000, `{"name":"plain","filters":[`+tcp("a", "")+`]}`))
	w.listener(gatewayListener(9001, `{"filters":[`+tcp("none", `"maxConnectAttempts":2`)+`]}`))
	w.listener(gatewayListener(9002, `{"filters":[`+tcp("missing", "")+`]}`))
	w.listener(gatewayListener(9003, `{"filters":[`+strings.Replace(tcp("", ""), `"cluster":""`, `"weightedClusters":{"clusters":[{"name":"b","weight":3}]}`, 1)+`]}`))
	w.listener(gatewayListener(9004, `{"filters":[{"name":"direct","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config","response":{"inlineString":"direct!"}}}]}`))
	w.listener(gatewayListener(9005, `{"name":"guarded","filters":[{"name":"rbac","typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"}},`+tcp("a", "")+`]}`))
	w.listener(gatewayListener(9006, `{"filters":[{"name":"limit","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit","statPrefix":"x","maxConnections":"1"}},`+tcp("a", "")+`]}`))
	w.listener(gatewayListener(9007, `{"filters":[`+tcp("a", `"idleTimeout":"0.05s"`)+`]}`))
	w.mustApply()
	cases := []struct {
		name string
		port int
		want string
		log  string
	}{
		{"bytes flow both ways and each side may end first", 9000, "a hi bye", "code=0 flags=- details=- chain=plain up=a in=2 out=8"},
		{"no host closes", 9001, "", "flags=UH details=- chain=- up=none"},
		{"no cluster closes", 9002, "", "flags=NC"},
		{"weighted clusters", 9003, "b hi bye", "up=b"},
		{"a direct response", 9004, "direct!", ""},
		{"a filter that is not supported fails closed", 9005, "", "chain=guarded"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn := w.dial(c.port)
			_, _ = io.WriteString(conn, "hi")
			_ = closeWrite(conn)
			got, _ := io.ReadAll(conn)
			if string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			eventually(t, c.log+" in the access log", func() bool { return strings.Contains(w.log.String(), c.log) })
		})
	}
	t.Run("what is refused is named", func(t *testing.T) {
		want := "listener 0.0.0.0_9005, filter chain guarded: network filter rbac (envoy.extensions.filters.network.rbac.v3.RBAC) is not supported; its connections are closed"
		if got := w.server.Unsupported(); len(got) != 1 || got[0] != want {
			t.Errorf("got %q", got)
		}
	})
	t.Run("connections above the limit are closed", func(t *testing.T) {
		first := w.dial(9006)
		_, _ = io.ReadFull(first, make([]byte, 2))
		if got, _ := io.ReadAll(w.dial(9006)); len(got) > 0 {
			t.Errorf("the second got %q", got)
		}
		_ = first.Close()
		eventually(t, "room for another", func() bool {
			got := make([]byte, 2)
			n, _ := io.ReadFull(w.dial(9006), got)
			return n == 2
		})
	})
	t.Run("an idle connection is closed", func(t *testing.T) {
		if got, _ := io.ReadAll(w.dial(9007)); string(got) != "a " {
			t.Errorf("got %q", got)
		}
	})
}

const passthrough = `{"name":"virtualOutbound","address":{"socketAddress":{"address":"0.0.0.0","portValue":15001}},"useOriginalDst":true,"trafficDirection":"OUTBOUND",
	"filterChains":[{"name":"pass","filters":[%s]}]}`

// TestOutbound goes through a sidecar's 15001 to where the listeners say.
func TestOutbound(t *testing.T) {
	w := newWorld(t, false)
	for _, name := range []string{"exact", "any", "pass", "fall"} {
		w.cluster(name, echo(t, name))
	}
	w.listener(fmt.Sprintf(passthrough, tcp("pass", "")))
	w.listener(`{"name":"10.96.0.2_9092","address":{"socketAddress":{"address":"10.96.0.2","portValue":9092}},"bindToPort":false,"trafficDirection":"OUTBOUND",
		"additionalAddresses":[{"address":{"socketAddress":{"address":"10.96.0.3","portValue":9092}}}],"filterChains":[{"filters":[` + tcp("exact", "") + `]}]}`)
	w.listener(`{"name":"0.0.0.0_9092","address":{"socketAddress":{"address":"0.0.0.0","portValue":9092}},"bindToPort":false,"trafficDirection":"OUTBOUND",
		"filterChains":[{"filterChainMatch":{"prefixRanges":[{"addressPrefix":"10.96.7.0","prefixLen":24}]},"filters":[` + tcp("any", "") + `]}],
		"defaultFilterChain":{"name":"default","filters":[` + tcp("fall", "") + `]}}`)
	w.mustApply()
	d := &loopback.Dialer{Net: w.spec.Net, Self: w.spec.IP}
	cases := []struct{ name, dst, want string }{
		{"the listener of the address", "10.96.0.2:9092", "exact"},
		{"an additional address", "10.96.0.3:9092", "exact"},
		{"the listener of the port", "10.96.7.7:9092", "any"},
		{"its default chain", "10.96.8.8:9092", "fall"},
		{"virtualOutbound's own chain", "192.0.2.1:443", "pass"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, err := d.Through(context.Background(), w.address(15001), netip.MustParseAddrPort(c.dst))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			if got := exchange(t, conn, "x"); got != c.want+" x bye" {
				t.Errorf("got %q", got)
			}
			eventually(t, "the original destination in the access log", func() bool {
				return strings.Contains(w.log.String(), "to="+c.dst) && strings.Contains(w.log.String(), "from="+w.spec.IP.String())
			})
		})
	}
	t.Run("a connection without a PROXY header is refused", func(t *testing.T) {
		conn, err := net.Dial("tcp", w.address(15001))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if got, _ := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
}

// TestInbound comes to a pod's own ports.
func TestInbound(t *testing.T) {
	w := newWorld(t, false, func(o *Options) { o.Ports = []int{8080, 15020} })
	w.cluster("app", backend(t, hello2))
	w.cluster("raw", echo(t, "raw"))
	w.routes("r", "app")
	w.cluster("inbound|7070||", echo(t, "x"))
	in := w.listener(`{"name":"virtualInbound","address":{"socketAddress":{"address":"0.0.0.0","portValue":15006}},"trafficDirection":"INBOUND",
		"listenerFilters":[{"name":"tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}},
			{"name":"http","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"},"filterDisabled":{"destinationPortRange":{"start":6060,"end":6061}}}],
		"listenerFiltersTimeout":"0.05s","continueOnListenerFiltersTimeout":true,
		"filterChains":[
			{"name":"http","filterChainMatch":{"transportProtocol":"raw_buffer","applicationProtocols":["http/1.1","h2c"]},"filters":[` + hcm("r", "") + `]},
			{"name":"raw","filterChainMatch":{"transportProtocol":"raw_buffer"},"filters":[` + tcp("raw", "") + `]},
			{"name":"six","filterChainMatch":{"destinationPort":6060},"filters":[` + tcp("raw", "") + `]}]}`)
	w.mustApply()
	t.Run("HTTP is found out", func(t *testing.T) {
		got := exchange(t, w.dial(8080), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, "x-seen: GET / h") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a client that speaks something else goes the raw way", func(t *testing.T) {
		if got := exchange(t, w.dial(8080), "\x00\x01"); got != "raw \x00\x01 bye" {
			t.Errorf("got %q", got)
		}
		eventually(t, "pod addresses in the access log", func() bool {
			return strings.Contains(w.log.String(), "chain=raw up=raw in=2 out=10 from=127.0.0.1:") && strings.Contains(w.log.String(), "to="+w.spec.IP.String()+":8080")
		})
	})
	t.Run("a server that speaks first is heard after the filters' timeout", func(t *testing.T) {
		got := make([]byte, 4)
		if _, err := io.ReadFull(w.dial(7070), got); err != nil || string(got) != "raw " {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("a filter that is disabled for a port does not wait", func(t *testing.T) {
		if got := exchange(t, w.dial(6060), "x"); got != "raw x bye" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the proxy's own ports are not taken", func(t *testing.T) {
		if c, err := net.Dial("tcp", w.address(15020)); err == nil {
			_ = c.Close()
			t.Error("15020 is bound")
		}
	})
	t.Run("a port that comes and goes", func(t *testing.T) {
		w.cluster("inbound|7171||", echo(t, "x"))
		w.mustApply()
		_ = w.dial(7171)
		delete(w.snap.Clusters, "inbound|7171||")
		w.mustApply()
		if c, err := net.Dial("tcp", w.address(7171)); err == nil {
			_ = c.Close()
			t.Error("7171 is still bound")
		}
		if w.server.listeners.Load().byName["virtualInbound"].proto != in {
			t.Error("the listener was compiled again")
		}
	})
}

func TestASecretOfTheMeshFailsClosed(t *testing.T) {
	w := newWorld(t, false, func(o *Options) { o.Ports = []int{8080} })
	w.cluster("app", backend(t, hello2))
	w.routes("r", "app")
	w.listener(`{"name":"virtualInbound","address":{"socketAddress":{"address":"0.0.0.0","portValue":15006}},"trafficDirection":"INBOUND",` + accessLog + `,
		"listenerFilters":[{"name":"tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}],
		"filterChains":[{"name":"strict","filterChainMatch":{"destinationPort":8080,"transportProtocol":"tls"},"filters":[` + hcm("r", "") + `],
			"transportSocket":{"name":"tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
				"commonTlsContext":{"tlsCertificateSdsSecretConfigs":[{"name":"default"}]},"requireClientCertificate":true}}}]}`)
	w.mustApply()
	conn := w.dial(8080)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	eventually(t, "the reason in the access log", func() bool {
		return strings.Contains(w.log.String(), "flags=NR") && strings.Contains(w.log.String(), "the_lab_has_no_mTLS")
	})
	if got := w.server.Unsupported(); len(got) != 1 || !strings.Contains(got[0], "port 8080: the lab has no mTLS") {
		t.Errorf("Unsupported is %q", got)
	}
}
