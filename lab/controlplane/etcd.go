package controlplane

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

type etcd struct {
	address string // https://127.0.0.1:PORT
	server  *embed.Etcd
	ended   chan struct{}
}

// startEtcd runs the one member of the cluster. Clients need a certificate, so
// that other users of the machine cannot read what it holds.
func startEtcd(ctx context.Context, dir string, keys *Keys, log *slog.Logger) (*etcd, error) {
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "etcd")
	c.Name = "lab"
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	c.AdvertiseClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:2379"}} // nobody reads it
	peer, err := freePort()
	if err != nil {
		return nil, err
	}
	c.ListenPeerUrls = []url.URL{{Scheme: "https", Host: peer}}
	c.AdvertisePeerUrls = c.ListenPeerUrls
	c.InitialCluster = "lab=https://" + peer
	tls := transport.TLSInfo{
		CertFile: keys.cert(etcdName), KeyFile: keys.key(etcdName),
		TrustedCAFile: keys.cert(caName), ClientCertAuth: true,
	}
	c.ClientTLSInfo, c.PeerTLSInfo = tls, tls
	c.AutoCompactionMode, c.AutoCompactionRetention = "periodic", "5m"
	c.QuotaBackendBytes = 2 << 30
	c.SnapshotCount = 10_000
	server, err := embed.StartEtcd(c)
	if err != nil {
		return nil, err
	}
	e := &etcd{server: server, ended: make(chan struct{}), address: "https://" + server.Clients[0].Addr().String()}
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		server.Close()
		return nil, err
	case <-time.After(time.Minute):
		server.Close()
		return nil, fmt.Errorf("etcd in %s was not ready within a minute", c.Dir)
	case <-ctx.Done():
		server.Close()
		return nil, ctx.Err()
	}
	go func() {
		defer close(e.ended)
		select {
		case <-ctx.Done():
		case err := <-server.Err():
			log.Error("etcd stopped", "error", err)
		}
		server.Close()
	}()
	return e, nil
}

func (e *etcd) wait() { <-e.ended }

// freePort is an address on 127.0.0.1 that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
