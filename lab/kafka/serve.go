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
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterID is kept in the data folder by the first broker that uses it.
const clusterID = "meshstorm-lab"

// windowsFile is where kfake keeps the producers' sequence numbers at an
// orderly end. They hold for that moment only: left behind, they would make a
// later start take new messages for repeated ones.
const windowsFile = "seq_windows.json"

// serve runs one broker after the other until ctx ends. A broker whose disk
// failed it has a state in memory that differs from its files, so it is
// replaced by one that begins from the files.
func (d doors) serve(ctx context.Context, dir string, out io.Writer, log *slog.Logger) error {
	stop := context.AfterFunc(ctx, d.close)
	defer stop()
	accepted := make(chan net.Conn)
	var accepting sync.WaitGroup
	defer accepting.Wait()
	defer d.close()
	for _, one := range d {
		accepting.Go(func() { one.accept(ctx, accepted) })
	}
	for first := true; ; first = false {
		b, err := newBroker(dir, d[0].advertised, accepted, log)
		if err != nil && first {
			return err
		}
		if err == nil {
			err = b.wait(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		_, _ = fmt.Fprintf(out, "Kafka cannot write its files and begins again from what is on disk: %v\n", err)
		log.Error("the broker cannot write its files and begins again from what is on disk", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retry):
		}
	}
}

func (d door) accept(ctx context.Context, accepted chan<- net.Conn) {
	for {
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no file descriptors left, or the client is gone already
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		select {
		case accepted <- newClient(conn, d.advertised):
		case <-ctx.Done():
			_ = conn.Close()
			return
		}
	}
}

// broker is one life of kfake.
type broker struct {
	cluster *kfake.Cluster
	dir     string
	log     *slog.Logger
	closed  chan struct{} // the listener is

	mu      sync.Mutex
	broken  error // what the disk said first
	failure chan struct{}
	clients map[*client]bool
}

func newBroker(dir string, advertised address, accepted <-chan net.Conn, log *slog.Logger) (*broker, error) {
	b := &broker{dir: dir, log: log, closed: make(chan struct{}), failure: make(chan struct{}), clients: map[*client]bool{}}
	options := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID(clusterID), kfake.DefaultNumPartitions(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) {
			return &listener{broker: b, advertised: advertised, accepted: accepted}, nil
		}),
		kfake.WithLogger(logger{b}),
	}
	if dir != "" {
		for _, name := range []string{"groups.log", "pids.log"} {
			if err := trim(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		options = append(options, kfake.DataDir(dir), kfake.SyncWrites())
	}
	var err error
	if b.cluster, err = kfake.NewCluster(options...); err != nil {
		return nil, fmt.Errorf("start the broker with the data in %q: %w", dir, err)
	}
	b.cluster.ControlKey(kmsg.Metadata.Int16(), b.create)
	if err := forgetWindows(dir); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// create makes the topics that a client asks for and that do not exist, where
// the client allows it, before kfake answers. kfake would make them itself, but
// writes the list of topics down only when it ends: after a kill -9 such a topic
// would be gone with all its messages.
func (b *broker) create(request kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's order of results
	// A control function of kfake remembers each connection for good, so each
	// request gets a new one.
	b.cluster.DropControl()
	b.cluster.ControlKey(kmsg.Metadata.Int16(), b.create)
	r, ok := request.(*kmsg.MetadataRequest)
	if !ok || !r.AllowAutoTopicCreation && r.Version >= 4 { // older clients always want it
		return nil, nil, false
	}
	for _, t := range r.Topics {
		if t.Topic == nil || *t.Topic == "" {
			continue
		}
		// What cannot be made, a name with a space, is answered as unknown.
		if err := b.cluster.CreateTopic(*t.Topic, -1, nil); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			b.log.Debug("a topic is not made", "topic", *t.Topic, "error", err)
		}
	}
	return nil, nil, false
}

func forgetWindows(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, windowsFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the producers' old sequence numbers: %w", err)
	}
	return nil
}

// wait gives back what the disk said, or nil when ctx ended.
func (b *broker) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-b.failure:
	}
	b.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		return nil
	}
	return errors.Join(b.broken, forgetWindows(b.dir))
}

// close ends kfake, which writes down what it knows; each of its files is
// replaced as a whole or not at all. Connections that it leaves open are closed.
func (b *broker) close() {
	b.cluster.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.clients {
		_ = c.Conn.Close()
	}
}

// fail takes note that something could not be written. From here on nothing is
// acknowledged.
func (b *broker) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.broken = err
		close(b.failure)
	}
}

func (b *broker) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// listener hands kfake the connections of all doors.
type listener struct {
	broker     *broker
	advertised address
	accepted   <-chan net.Conn
	once       sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.broker.closed:
		return nil, net.ErrClosed
	case conn := <-l.accepted:
		c := conn.(*client)
		c.broker = l.broker
		l.broker.mu.Lock()
		defer l.broker.mu.Unlock()
		l.broker.clients[c] = true
		return c, nil
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.broker.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.advertised }

// logger hears from kfake. A file that cannot be written is only a warning
// there, and the request is answered as if it had been; each of these warnings
// begins with "persist".
type logger struct{ broker *broker }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, msg string, args ...any) {
	if level != kfake.LogLevelWarn && level != kfake.LogLevelError {
		return
	}
	err := fmt.Errorf(msg, args...)
	l.broker.log.Warn("kafka", "message", err)
	if strings.HasPrefix(msg, "persist ") {
		l.broker.fail(err)
	}
}
