// Package crilog writes and reads containers' log files in the format that the
// Container Runtime Interface prescribes ("kubelet CRI logging"): one line each,
// TIME STREAM TAG TEXT, where TIME is RFC 3339 with nanoseconds, STREAM stdout
// or stderr, and TAG F for a full line, P for a part of a longer one. A file is
// rotated once when it is full, so a container never holds more than two.
package crilog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// MaxSize is the size in bytes at which a file is rotated: the kubelet's
	// containerLogMaxSize.
	MaxSize = 10 << 20
	// maxPart is the longest text of one line, as containerd cuts it.
	maxPart = 16 << 10
	layout  = "2006-01-02T15:04:05.000000000Z07:00"
)

// Writer is one container's log file. It is safe for concurrent use.
type Writer struct {
	path string
	now  func() time.Time
	max  int64

	mu      sync.Mutex
	file    *os.File
	size    int64
	streams []*stream
	failed  error
}

// Create makes the file and its folder; an older file of that name goes.
func Create(path string, now func() time.Time) (*Writer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("container log: %w", err)
	}
	w := &Writer{path: path, now: now, max: MaxSize}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) open() error {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("container log: %w", err)
	}
	w.file, w.size = f, 0
	return nil
}

// Stream is where a process's stdout or stderr goes. Its writer never fails: a
// program must not stop because a disk is full. Err tells.
func (w *Writer) Stream(name string) io.Writer {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &stream{w: w, name: name}
	w.streams = append(w.streams, s)
	return s
}

// Err is the first write that failed, and nil again once writing works.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Close writes what is left of unfinished lines and closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	for _, s := range w.streams {
		if len(s.rest) > 0 {
			w.line(s.name, "F", s.rest)
			s.rest = nil
		}
	}
	err := w.file.Close()
	w.file = nil
	return err
}

type stream struct {
	w    *Writer
	name string
	rest []byte
}

func (s *stream) Write(p []byte) (int, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	n := len(p)
	for {
		at := bytes.IndexByte(p, '\n')
		if at < 0 {
			break
		}
		s.full(p[:at])
		p = p[at+1:]
	}
	s.rest = append(s.rest, p...)
	s.parts()
	return n, nil
}

func (s *stream) full(text []byte) {
	if len(s.rest) > 0 {
		s.rest = append(s.rest, text...)
		s.parts()
		text = s.rest
	}
	for len(text) > maxPart {
		s.w.line(s.name, "P", text[:maxPart])
		text = text[maxPart:]
	}
	s.w.line(s.name, "F", text)
	s.rest = nil
}

func (s *stream) parts() {
	for len(s.rest) > maxPart {
		s.w.line(s.name, "P", s.rest[:maxPart])
		s.rest = append([]byte(nil), s.rest[maxPart:]...)
	}
}

// line is called with the lock held.
func (w *Writer) line(name, tag string, text []byte) {
	if w.file == nil {
		return
	}
	b := make([]byte, 0, len(layout)+len(name)+len(text)+6)
	b = w.now().UTC().AppendFormat(b, layout)
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, ' ')
	b = append(b, tag...)
	b = append(b, ' ')
	b = append(b, text...)
	b = append(b, '\n')
	if w.size > 0 && w.size+int64(len(b)) > w.max {
		w.rotate()
	}
	n, err := w.file.Write(b)
	w.size += int64(n)
	w.failed = err
}

// rotate keeps the full file as NAME.1. Where that fails, the file grows on:
// losing lines would be worse.
func (w *Writer) rotate() {
	if err := os.Rename(w.path, w.path+".1"); err != nil {
		w.failed = err
		return
	}
	old := w.file
	if err := w.open(); err != nil {
		w.file, w.failed = old, err
		return
	}
	_ = old.Close()
}
