package upstream

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// Cluster is one cluster of a snapshot. It stays usable by who holds it after
// the snapshot has gone: what it opens then is not kept.
type Cluster struct {
	name     string
	proto    *clusterv3.Cluster
	metadata map[string]any
	owner    *Clusters
	hosts    atomic.Pointer[[]*Host]
	next     atomic.Uint64
}

// Name is the cluster's name, "outbound|8080|stable|order.default.svc.cluster.local".
func (c *Cluster) Name() string { return c.name }

// Proto is the cluster as istiod sent it; read-only.
func (c *Cluster) Proto() *clusterv3.Cluster { return c.proto }

// Metadata is filter_metadata["istio"]; nil where there is none. Read-only.
func (c *Cluster) Metadata() map[string]any { return c.metadata }

// Pick chooses a host. The error wraps ErrNoHealthyHost.
func (c *Cluster) Pick(choice Choice) (*Host, error) {
	hosts := c.hosts.Load()
	if hosts == nil || len(*hosts) == 0 {
		return nil, &Error{Kind: ErrNoHealthyHost}
	}
	return (*hosts)[c.next.Add(1)%uint64(len(*hosts))], nil
}

// Do makes one exchange with a host, without retries: HTTP/1.1 or HTTP/2, as the
// cluster's protocol options say, or as req.ProtoMajor says where they are
// use_downstream_protocol_config. The errors wrap those of this package, or are
// the context's. req.Body is closed, perhaps after Do has returned. The
// response's body must be closed; reading it fails with ErrReset where the
// upstream goes away in between. A response with status 101 has a body that is
// an io.ReadWriteCloser.
func (c *Cluster) Do(ctx context.Context, h *Host, req *http.Request) (*http.Response, error) {
	out := req.Clone(ctx)
	out.URL.Scheme = "http"
	out.URL.Host = h.Address().String()
	out.RequestURI = ""
	return h.transport.RoundTrip(out)
}

// Connect opens a connection for TCP and upgrades, with the cluster's transport
// socket. It counts against max_connections until it is closed.
func (c *Cluster) Connect(ctx context.Context, h *Host) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", h.Address().String())
	if err != nil {
		return nil, connectError(err)
	}
	return conn, nil
}

// Retry asks whether one more retry may be under way: max_retries or the retry
// budget of the DEFAULT priority. release must be called when the retry is over.
func (c *Cluster) Retry() (release func(), ok bool) { return c.RetryFor(false) }

// RetryFor is Retry for a priority.
func (c *Cluster) RetryFor(highPriority bool) (release func(), ok bool) { return func() {}, true }

// Host is one endpoint of a cluster. The pointer is the same as long as the
// cluster has that endpoint.
type Host struct {
	address   netip.AddrPort
	hostname  string
	metadata  map[string]any
	transport *http.Transport
}

// Address is where the host is in the API's terms, 10.244.a.b:PORT.
func (h *Host) Address() netip.AddrPort { return h.address }

// Hostname is the endpoint's name: of STRICT_DNS and LOGICAL_DNS clusters the
// name that was resolved, of others what the endpoint says; "" for none
// (auto_host_rewrite).
func (h *Host) Hostname() string { return h.hostname }

// Metadata is the endpoint's filter_metadata["istio"]; nil where there is none.
func (h *Host) Metadata() map[string]any { return h.metadata }

// Result feeds outlier detection: the status of an answer, or 504 with the
// context's error for a timeout, or the error of Do or Connect; 0 and nil is a
// TCP connection that was made.
func (h *Host) Result(status int, err error) {}
