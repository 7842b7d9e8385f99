package xds_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

func TestAStreamThatDiesIsReplaced(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st, before := first(t, s, c)
		st.kill(errGone)
		again := s.stream()
		r := again.expect(xds.ClusterType)
		if r.node == nil || r.nonce != "" || delta && !maps.Equal(r.versions, map[string]string{"a": "v1"}) || !delta && r.version != "v1" {
			t.Errorf("clusters are asked for again with %+v", r)
		}
		for _, want := range []struct{ url, name, version string }{
			{xds.EndpointType, "eds-a", "v2"}, {xds.ListenerType, "", "v3"}, {xds.RouteType, "rds-l", "v4"},
		} {
			r := again.expect(want.url)
			if want.name != "" && !slices.Equal(r.names, []string{want.name}) {
				t.Errorf("%s is asked for again with %+v", want.url, r)
			}
			if delta && (len(r.versions) != 1 || slices.Collect(maps.Values(r.versions))[0] != want.version) {
				t.Errorf("%s is asked for again from the versions %v", want.url, r.versions)
			}
		}
		if got := c.Status(); !got.Connected || !strings.Contains(got.LastError, "istiod goes away") {
			t.Errorf("the status is %+v", got)
		}
		again.answer(xds.ClusterType, list(edsCluster("a")))
		again.answer(xds.EndpointType, list(endpointsOf("a", 1)))
		again.answer(xds.ListenerType, list(listener(t, "l")))
		c.none()
		again.answer(xds.RouteType, list(routesOf("l")))
		if after := c.any(); after.Clusters["a"] != before.Clusters["a"] || after.Number != 2 {
			t.Errorf("afterwards the snapshot is %+v", after)
		}
	})
}

func TestAStreamThatDiesInTheMiddleLosesNothing(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(edsCluster("a"), edsCluster("b")))
	if r := st.expect(xds.EndpointType); !slices.Equal(r.names, []string{"eds-a", "eds-b"}) {
		t.Errorf("endpoints are asked for with %+v", r)
	}
	st.answer(xds.EndpointType, list(endpointsOf("a", 1)))
	st.kill(errGone)
	again := s.stream()
	again.expect(xds.ClusterType)
	r := again.expect(xds.EndpointType)
	if !slices.Equal(r.names, []string{"eds-a", "eds-b"}) || !maps.Equal(r.versions, map[string]string{"eds-a": "v2"}) {
		t.Errorf("endpoints are asked for again with %+v", r)
	}
	again.answer(xds.EndpointType, list(endpointsOf("b", 2)))
	again.expect(xds.ListenerType)
	again.answer(xds.ListenerType, nil)
	if snapshot := c.any(); len(snapshot.Endpoints) != 2 {
		t.Errorf("the snapshot is %+v", snapshot)
	}
}

func TestWhatWasRemovedMeanwhileGoes(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st, _ := first(t, s, c)
		st.kill(errGone)
		again := s.stream()
		for range 4 {
			again.next()
		}
		if delta {
			again.answer(xds.ListenerType, nil, "l")
		} else {
			again.answer(xds.ListenerType, nil)
		}
		if after := c.any(); len(after.Listeners) > 0 {
			t.Errorf("the snapshot is %+v", after)
		}
	})
}

func TestIstiodThatComesBackIsFound(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	first(t, s, c)
	s.server.Stop()
	c.eventually("disconnected", func(s xds.Status) bool { return !s.Connected && s.LastError != "" })
	back := startIstiodAt(t, s.address)
	back.stream().expect(xds.ClusterType)
	c.eventually("connected", func(s xds.Status) bool { return s.Connected })
}

func TestBackOffGrowsUntilIstiodAnswers(t *testing.T) {
	var asked atomic.Int64
	dials := make(chan struct{}, 100)
	c := &client{t: t, Client: xds.New(xds.Options{
		Address: "istiod:15010", Delta: true, Backoff: time.Millisecond, Ceiling: 4 * time.Millisecond,
		Random: func() uint64 { asked.Add(1); return 0 },
		Dial: func(_ context.Context, address string) (net.Conn, error) {
			if address != "istiod:15010" {
				t.Errorf("%s is dialed", address)
			}
			dials <- struct{}{}
			return nil, errors.New("nobody is there")
		},
	})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for range 5 {
		<-dials
	}
	c.eventually("disconnected", func(s xds.Status) bool { return strings.Contains(s.LastError, "nobody is there") })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ends with %v", err)
	}
	if asked.Load() < 4 {
		t.Errorf("the delay was drawn %d times", asked.Load())
	}
}

func TestTLSWithATokenForEachStream(t *testing.T) {
	certificate, roots := authority(t, "istiod.istio-system.svc")
	s := startIstiod(t, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	var tokens atomic.Int64
	c := s.run(func(o *xds.Options) {
		o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		o.Token = func() (string, error) { return fmt.Sprintf("token-%d", tokens.Add(1)), nil }
	})
	st, _ := first(t, s, c)
	if got := st.header.Get("authorization"); !slices.Equal(got, []string{"Bearer token-1"}) {
		t.Errorf("the first stream has %q", got)
	}
	st.kill(errGone)
	if got := s.stream().header.Get("authorization"); !slices.Equal(got, []string{"Bearer token-2"}) {
		t.Errorf("the second stream has %q", got)
	}
}

func TestIstiodMustBeWhoItSays(t *testing.T) {
	certificate, roots := authority(t, "somebody.else")
	s := startIstiod(t, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	c := s.run(func(o *xds.Options) { o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
	c.eventually("refused", func(s xds.Status) bool {
		return !s.Connected && strings.Contains(s.LastError, "istiod.istio-system.svc")
	})
}

func TestATokenIsNotSentInPlainText(t *testing.T) {
	s := startIstiod(t)
	s.run(func(o *xds.Options) { o.Token = func() (string, error) { return "secret", nil } })
	if got := s.stream().header.Get("authorization"); len(got) > 0 {
		t.Errorf("the stream has %q", got)
	}
}

func TestATokenThatCannotBeReadIsTold(t *testing.T) {
	certificate, roots := authority(t, "istiod.istio-system.svc")
	s := startIstiod(t, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	c := s.run(func(o *xds.Options) {
		o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		o.Token = func() (string, error) { return "", io.ErrUnexpectedEOF }
	})
	c.eventually("told", func(s xds.Status) bool {
		return s.LastError == "read the token for istiod: unexpected EOF"
	})
}

// authority makes a certificate for a name, and the roots that trust it.
func authority(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// serve answers every request for what is in world, and gives a way to push.
func (s *stream) serve(world func(url string) []proto.Message) (push func(url string)) {
	var mu sync.Mutex
	wanted := map[string]map[string]bool{}
	push = func(url string) {
		mu.Lock()
		defer mu.Unlock()
		var out []proto.Message
		for _, m := range world(url) {
			if url == xds.ClusterType || url == xds.ListenerType || wanted[url][nameOf(m)] {
				out = append(out, m)
			}
		}
		s.push(url, out)
	}
	go func() {
		for {
			select {
			case <-s.gone.Done():
				return
			case r := <-s.requests:
				if r.refusal != "" {
					s.t.Errorf("refused: %s", r.refusal)
				}
				mu.Lock()
				if wanted[r.url] == nil {
					wanted[r.url] = map[string]bool{}
				}
				fresh := r.nonce == ""
				for _, name := range r.names {
					fresh = fresh || !wanted[r.url][name]
					wanted[r.url][name] = true
				}
				mu.Unlock()
				if fresh && len(r.dropped) == 0 {
					push(r.url)
				}
			}
		}
	}()
	return push
}

func TestAThousandClusters(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta), func(o *xds.Options) { o.Log = slog.New(slog.DiscardHandler) })
		const count = 1000
		var mu sync.Mutex
		port := uint32(1)
		world := func(url string) []proto.Message {
			mu.Lock()
			defer mu.Unlock()
			var out []proto.Message
			var names []string
			for i := range count {
				name := fmt.Sprintf("c%04d", i)
				names = append(names, name)
				switch url {
				case xds.ClusterType:
					out = append(out, edsCluster(name))
				case xds.EndpointType:
					out = append(out, endpointsOf(name, port))
				}
			}
			switch url {
			case xds.ListenerType:
				out = list(listener(t, "l"))
			case xds.RouteType:
				out = list(routesOf("l", names...))
			}
			return out
		}
		push := s.stream().serve(world)
		before := c.any()
		if len(before.Clusters) != count || len(before.Endpoints) != count || len(before.Routes) != 1 {
			t.Fatalf("the first snapshot has %d clusters and %d with endpoints", len(before.Clusters), len(before.Endpoints))
		}
		mu.Lock()
		port = 2
		mu.Unlock()
		push(xds.EndpointType)
		after := c.any()
		for name, cluster := range after.Clusters {
			if cluster != before.Clusters[name] {
				t.Fatalf("cluster %s is another pointer", name)
			}
			if after.Endpoints[name].Endpoints[0].LbEndpoints[0].GetEndpoint().GetAddress().GetSocketAddress().GetPortValue() != 2 {
				t.Fatalf("cluster %s has old endpoints", name)
			}
		}
	})
}
