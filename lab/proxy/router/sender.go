package router

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// sender writes a response's body. What was written is sent at once where it is
// part of a stream, else after a moment in which more may come: Envoy sends what
// it has at the end of a turn of its event loop.
type sender struct {
	w       http.ResponseWriter
	flusher http.Flusher
	now     bool

	mu      sync.Mutex
	timer   *time.Timer
	pending bool
	stopped bool
}

// sendAfter is how long a part of a response waits for more of it.
const sendAfter = time.Millisecond

func newSender(x *exchange, resp *http.Response) *sender {
	s := &sender{w: x.w}
	s.flusher, _ = x.w.(http.Flusher)
	s.now = x.limit > 0 || x.rec.GRPC || x.upload != nil && !x.upload.complete() ||
		strings.HasPrefix(first(resp.Header, "Content-Type"), "text/event-stream")
	switch {
	case resp.ContentLength == 0:
	case s.now:
		s.flush()
	case resp.ContentLength < 0:
		s.later() // the head
	}
	return s
}

// send writes p; last says that nothing follows.
func (s *sender) send(p []byte, last bool) (int, error) {
	if s.now {
		n, err := s.w.Write(p)
		if err == nil && !last {
			s.flush()
		}
		return n, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(p)
	if err == nil && !last {
		s.laterLocked()
	}
	return n, err
}

func (s *sender) flush() {
	if s.flusher != nil {
		s.flusher.Flush()
	}
}

func (s *sender) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.laterLocked()
}

func (s *sender) laterLocked() {
	if s.pending {
		return
	}
	s.pending = true
	if s.timer == nil {
		s.timer = time.AfterFunc(sendAfter, s.due)
		return
	}
	s.timer.Reset(sendAfter)
}

func (s *sender) due() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending && !s.stopped {
		s.flush()
	}
	s.pending = false
}

// stop ends the sender; the response's end sends what is left.
func (s *sender) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
