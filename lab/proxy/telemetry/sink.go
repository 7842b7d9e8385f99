package telemetry

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// maxPending is how many bytes of access log wait for a slow reader before
// requests wait too. Envoy flushes its buffer at 64 KiB.
const maxPending = 64 << 10

// sink writes access log lines. A line is written at once while the sink is
// idle, so that kubectl logs shows it; lines that come during a write go out
// together in the next one.
type sink struct {
	out    io.Writer
	closer io.Closer
	failed func(error)

	mu      sync.Mutex
	room    sync.Cond
	pending []byte
	writing bool
	closed  bool
	err     error
	wake    chan struct{}
	done    chan struct{}
}

func newSink(out io.Writer, failed func(error)) *sink {
	s := &sink{out: out, failed: failed, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.room.L = &s.mu
	go s.run()
	return s
}

// sink gives the one writer of a path.
func (t *Telemetry) sink(path string) (*sink, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sinks[path]; s != nil {
		return s, nil
	}
	out, closer, err := t.open(path)
	if err != nil {
		return nil, err
	}
	s := newSink(out, func(err error) { t.o.Log.Error("access log is not written", "path", path, "error", err) })
	s.closer = closer
	t.sinks[path] = s
	return s, nil
}

func (t *Telemetry) open(path string) (io.Writer, io.Closer, error) {
	switch path {
	case "/dev/stdout":
		return t.o.Out, nil, nil
	case "/dev/stderr":
		return t.o.Err, nil, nil
	case "/dev/null":
		return io.Discard, nil, nil
	case "":
		return nil, nil, fmt.Errorf("access log has no path")
	}
	host, ok := t.o.Spec.HostPath(path)
	if !ok {
		return nil, nil, fmt.Errorf("access log path %s is in no volume of the pod; the lab's containers have no file system of their own", path)
	}
	f, err := os.OpenFile(filepath.Clean(host), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("access log %s: %w", path, err)
	}
	return f, f, nil
}

func (s *sink) write(line []byte) {
	s.mu.Lock()
	for len(s.pending) >= maxPending && !s.closed {
		s.room.Wait()
	}
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.pending = append(s.pending, line...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sink) run() {
	defer close(s.done)
	var spare []byte
	for {
		<-s.wake
		for {
			s.mu.Lock()
			if len(s.pending) == 0 {
				closed := s.closed
				s.mu.Unlock()
				if closed {
					return
				}
				break
			}
			batch := s.pending
			s.pending = spare[:0]
			s.writing = true
			s.room.Broadcast()
			s.mu.Unlock()
			s.put(batch)
			spare = batch
		}
	}
}

func (s *sink) put(batch []byte) {
	_, err := s.out.Write(batch)
	s.mu.Lock()
	s.writing = false
	s.room.Broadcast()
	first := err != nil && s.err == nil
	s.err = err // the next failure after a success is said again
	s.mu.Unlock()
	if first {
		s.failed(err)
	}
}

// close writes what is pending and waits for it.
func (s *sink) close() error {
	s.mu.Lock()
	s.closed = true
	s.room.Broadcast()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	<-s.done
	if s.closer != nil {
		if err := s.closer.Close(); err != nil {
			return err
		}
	}
	return s.err
}

// flush waits until what was logged so far is written.
func (s *sink) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) > 0 || s.writing {
		s.room.Wait()
	}
}

// flush writes what the access logs hold.
func (t *Telemetry) flush() {
	t.mu.Lock()
	sinks := make([]*sink, 0, len(t.sinks))
	for _, s := range t.sinks {
		sinks = append(sinks, s)
	}
	t.mu.Unlock()
	for _, s := range sinks {
		s.flush()
	}
}
