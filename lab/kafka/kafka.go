// Package kafka is the lab's Kafka broker: kfake, which speaks Kafka's protocol
// and keeps its log on disk, behind a forwarder that tells each client the
// address it came through. Pods know the broker as my-kafka:9092, clients on
// the host by a port of loopback; Kafka's own answer to that are two listeners
// with advertised names (KIP-103), which kfake does not have.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// HostVariable names the address that clients on the host come through,
// 127.0.0.1:PORT. Without it the second listener advertises what the first does.
const HostVariable = "MESHSTORM_KAFKA_HOST"

// The container's ports.
const (
	Port     = 9092
	HostPort = 9094
)

// Advertised is the broker's name inside of the cluster: each namespace with a
// model has a Service of this name.
const Advertised = "my-kafka"

// Run is the broker until ctx ends. Without Spec.Data it forgets everything
// when it stops, as a broker without a volume does.
func Run(ctx context.Context, s *pod.Spec, env func(string) string, _ io.Writer, log *slog.Logger) error {
	inside := endpoint{host: Advertised, port: Port}
	host := inside
	if at := env(HostVariable); at != "" {
		name, port, err := net.SplitHostPort(at)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", HostVariable, at, err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", HostVariable, at, err)
		}
		host = endpoint{host: name, port: number}
	}
	b, err := open(s.Data, log)
	if err != nil {
		return err
	}
	defer b.cluster.Close()
	return b.serve(ctx, map[string]endpoint{s.ListenOn(Port): inside, s.ListenOn(HostPort): host})
}

// endpoint is an advertised address.
type endpoint struct {
	host string
	port int
}

type broker struct {
	cluster *kfake.Cluster
	inner   *pipeListener
	log     *slog.Logger
}

// open starts kfake on the log in dir. Every write is synced before it is
// acknowledged.
func open(dir string, log *slog.Logger) (*broker, error) {
	b := &broker{inner: newPipeListener(), log: log}
	options := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("meshstorm-lab"), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return b.inner, nil }),
	}
	if dir != "" {
		dir = filepath.Join(dir, "kafka")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		options = append(options, kfake.DataDir(dir), kfake.SyncWrites())
	}
	var err error
	if b.cluster, err = kfake.NewCluster(options...); err != nil {
		return nil, fmt.Errorf("start Kafka on %s: %w", dir, err)
	}
	return b, nil
}

func (b *broker) serve(ctx context.Context, listeners map[string]endpoint) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	var bound []net.Listener
	for address := range listeners {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, other := range bound {
				_ = other.Close()
			}
			return err
		}
		bound = append(bound, l)
		wait.Go(func() {
			if err := b.accept(ctx, l, listeners[address]); err != nil {
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	for _, l := range bound {
		_ = l.Close()
	}
	wait.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (b *broker) accept(ctx context.Context, l net.Listener, advertise endpoint) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wait.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			up, err := b.inner.dial()
			if err != nil {
				_ = conn.Close()
				return
			}
			if err := forward(conn, up, advertise); err != nil && ctx.Err() == nil {
				b.log.Debug("connection ended", "client", conn.RemoteAddr(), "error", err)
			}
		})
	}
}

// pipeListener is kfake's only listener: it takes connections of this process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is what kfake would advertise; the forwarder replaces it.
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: Port} }

func (l *pipeListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
