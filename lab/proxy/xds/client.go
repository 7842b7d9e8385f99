package xds

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
)

// Options say where istiod is and who asks.
type Options struct {
	Address string // host:port
	// Dial makes the connection; net.Dialer where nil.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// TLS is for port 15012; its ServerName defaults to istiod.istio-system.svc.
	// Nil is plain text (15010).
	TLS *tls.Config
	// Token gives the bearer token of each stream, so that a renewed one is
	// taken; it is sent over TLS only. Nil for none.
	Token func() (string, error)
	Node  *corev3.Node
	Delta bool // else state of the world
	// Check refuses a resource; its error is the NACK's text. Nil refuses none.
	Check func(typeURL, name string, m proto.Message) error
	Log   *slog.Logger // nothing where nil

	// FetchTimeout is how long a cluster waits for its endpoints and a listener
	// for its routes, where istiod does not say so; Envoy's 15 s where 0.
	FetchTimeout time.Duration
	// Backoff is the first delay before a new stream, and Ceiling the longest;
	// Envoy's 500 ms and 30 s where 0. Each delay is random below a limit that
	// doubles, and begins anew after a stream that brought something.
	Backoff, Ceiling time.Duration
	// Random defaults to math/rand/v2.Uint64.
	Random func() uint64
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FetchTimeout <= 0 {
		o.FetchTimeout = 15 * time.Second
	}
	if o.Backoff <= 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.Ceiling <= 0 {
		o.Ceiling = 30 * time.Second
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	return o
}

// Client keeps the configuration of one proxy.
type Client struct {
	options   Options
	store     *store
	snapshots chan *Snapshot
	status    board
	wake      *time.Timer // the next look at the store, for what waits
}

// New prepares a client; Run connects it.
func New(o Options) *Client {
	o = o.withDefaults()
	wake := time.NewTimer(time.Hour)
	wake.Stop()
	c := &Client{options: o, store: newStore(o), snapshots: make(chan *Snapshot, 1), wake: wake}
	c.status.status.Types = map[string]TypeStatus{}
	return c
}

// Snapshots gives the newest snapshot that was not taken yet; older ones are
// lost. The channel is never closed.
func (c *Client) Snapshots() <-chan *Snapshot { return c.snapshots }

// Run keeps a stream to istiod until ctx ends, and gives its error. It
// reconnects for ever; what was received stays in force meanwhile. It must be
// called once.
func (c *Client) Run(ctx context.Context) error {
	limit := c.options.Backoff
	for ctx.Err() == nil {
		answered, err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if answered {
			limit = c.options.Backoff
		}
		delay := time.Duration(c.options.Random() % uint64(limit))
		limit = min(2*limit, c.options.Ceiling)
		c.status.lost(err)
		c.options.Log.Warn("no stream to istiod, trying again", "address", c.options.Address, "error", err, "after", delay)
		c.pause(ctx, delay)
	}
	c.status.lost(nil)
	return ctx.Err()
}

// pause waits before the next stream; what waits for a timeout goes on.
func (c *Client) pause(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-c.wake.C:
			c.look()
		}
	}
}

// look takes what is ready into a snapshot and hands it out. It tells whether
// anything is still being warmed.
func (c *Client) look() (cold bool) {
	now := time.Now()
	w := c.store.warm(now)
	if w.next.IsZero() {
		c.wake.Stop()
	} else {
		c.wake.Reset(max(w.next.Sub(now), 0))
	}
	c.status.warming(w.cold)
	if w.snapshot != nil {
		select {
		case <-c.snapshots:
		default:
		}
		c.snapshots <- w.snapshot
	}
	return len(w.cold) > 0
}
