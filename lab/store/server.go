package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Listen makes the unix socket, which only its owner may open. A socket that a
// killed lab left is replaced.
func Listen(socket string) (net.Listener, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Serve answers clients until ctx ends, and then closes the listener and the
// files. Below dir there is one folder per namespace and one file per context.
func Serve(ctx context.Context, dir string, l net.Listener, log *slog.Logger) error {
	return (&server{dir: dir, log: log, now: time.Now}).serve(ctx, l)
}

type server struct {
	dir     string
	log     *slog.Logger
	now     func() time.Time
	maxSize int // of a file in bytes; 0 for what the disk holds

	mu        sync.Mutex
	databases map[string]*database
	conns     map[net.Conn]bool
	ending    bool
	wait      sync.WaitGroup
}

func (s *server) serve(ctx context.Context, l net.Listener) error {
	s.databases, s.conns = map[string]*database{}, map[net.Conn]bool{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		_ = l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ending = true
		for conn := range s.conns {
			// An answer that is on its way still gets out.
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer stop()
	var failed error
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				failed = fmt.Errorf("the stand-ins' database: %w", err)
			}
			break
		}
		s.wait.Add(1)
		go s.talk(ctx, conn)
	}
	cancel()
	s.wait.Wait()
	for _, d := range s.databases {
		failed = errors.Join(failed, d.bolt.Close())
	}
	return failed
}

// talk answers one request of a connection after the other.
func (s *server) talk(ctx context.Context, conn net.Conn) {
	defer s.wait.Done()
	defer conn.Close()
	s.mu.Lock()
	s.conns[conn] = true
	if s.ending {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	r := bufio.NewReaderSize(conn, 4<<10)
	var lent *request // the last that got events: who is killed with them gives them back
	defer func() { s.forget(lent) }()
	for ctx.Err() == nil {
		var q request
		if err := readFrame(r, &q); err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				s.log.Warn("a client of the stand-ins' database sent nonsense and was cut off", "error", err)
			}
			return
		}
		answer := s.attend(ctx, conn, r, &q)
		if len(answer.Events) > 0 {
			lent = &q
		}
		if err := writeFrame(conn, answer); err != nil {
			return
		}
	}
}

// attend answers a request. One that may wait ends when its client is gone, so
// that nobody who is dead gets events.
func (s *server) attend(ctx context.Context, conn net.Conn, r *bufio.Reader, q *request) response {
	if q.Op != "take" {
		return s.answer(ctx, q)
	}
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if _, err := r.Peek(1); err != nil {
			cancel()
		}
	}()
	answer := s.answer(ctx, q)
	_ = conn.SetReadDeadline(time.Unix(1, 0))
	<-gone
	s.mu.Lock() // not after the server asked all connections to end
	if !s.ending {
		_ = conn.SetReadDeadline(time.Time{})
	}
	s.mu.Unlock()
	cancel()
	return answer
}

// forget takes events back from who has gone.
func (s *server) forget(q *request) {
	if q == nil {
		return
	}
	if d, err := s.database(q.Namespace, q.Context); err == nil {
		d.outbox.release(q.Owner)
	}
}

func (s *server) answer(ctx context.Context, q *request) response {
	d, err := s.database(q.Namespace, q.Context)
	if err != nil {
		return failure(err)
	}
	answer := response{}
	switch q.Op {
	case "get":
		answer.Record, err = d.get(q.Type, q.Key)
	case "list":
		if q.Query == nil {
			q.Query = &Query{}
		}
		answer.Page, err = d.list(q.Type, *q.Query)
	case "next-id":
		answer.ID = d.nextID(q.Type)
	case "commit":
		if q.Batch == nil {
			q.Batch = &Batch{}
		}
		answer.Versions, err = d.commit(q.Batch)
	case "processed":
		answer.Yes, err = d.processed(q.Key)
	case "take":
		answer.Events, err = d.take(ctx, q.Owner, max(1, q.Max), time.Duration(q.Wait)*time.Millisecond)
	case "ack":
		err = d.ack(q.Owner, q.Seqs)
	default:
		err = fmt.Errorf("the stand-ins' database knows no operation %q", q.Op)
	}
	if err != nil {
		if errors.Is(err, ErrFull) {
			s.log.Error(ErrFull.Error(), "namespace", q.Namespace, "context", q.Context, "error", err)
		}
		return failure(err)
	}
	return answer
}

// label is a DNS label: nothing else may become part of a file's name.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (s *server) database(namespace, name string) (*database, error) {
	if !label.MatchString(namespace) || !label.MatchString(name) {
		return nil, fmt.Errorf("%q and %q are not a namespace and a context: both are DNS labels", namespace, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := namespace + "/" + name
	if d := s.databases[key]; d != nil {
		return d, nil
	}
	d, err := openDatabase(filepath.Join(s.dir, namespace, name+".db"), s.maxSize, s.now, s.log)
	if err != nil {
		return nil, err
	}
	s.databases[key] = d
	return d, nil
}
