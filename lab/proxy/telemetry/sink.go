package telemetry

import (
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
	running bool
	writing bool
	closed  bool
	err     error
	wake    chan struct{}
	done    chan struct{}
}

func newSink(out io.Writer, failed func(error)) *sink {
	s := &sink{out: out, failed: failed, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.room.L = &s.mu
	return s
}

// sink gives the one writer of a path; nil where nothing can be written.
func (t *Telemetry) sink(path string) *sink {
	out, closer := t.open(path)
	if out == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sinks[path]; s != nil {
		return s
	}
	s := newSink(out, func(err error) { t.o.Log.Error("access log is not written", "path", path, "error", err) })
	s.closer = closer
	t.sinks[path] = s
	return s
}

func (t *Telemetry) open(path string) (io.Writer, io.Closer) {
	switch path {
	case "/dev/stdout":
		return t.o.Out, nil
	case "/dev/stderr":
		return t.o.Err, nil
	case "/dev/null":
		return io.Discard, nil
	}
	host, ok := t.o.Spec.HostPath(path)
	if !ok {
		t.unsupported("access log " + path + ", which is in no volume of the pod: nothing is written")
		return nil, nil
	}
	f := &lazyFile{path: filepath.Clean(host)}
	return f, f
}

// lazyFile is a file that is opened when it is first written.
type lazyFile struct {
	path string
	file *os.File
}

func (l *lazyFile) Write(b []byte) (int, error) {
	if l.file == nil {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		l.file = f
	}
	return l.file.Write(b)
}

func (l *lazyFile) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
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
	if !s.running {
		s.running = true // not before: a format that is only checked writes nothing
		go s.run()
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
	running := s.running
	s.mu.Unlock()
	if running {
		select {
		case s.wake <- struct{}{}:
		default:
		}
		<-s.done
	}
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
