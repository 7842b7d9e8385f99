package server

import (
	"context"
	"time"
)

// beginWatch arms the watcher of a request: when the request takes longer than
// watchAfter, a goroutine waits for the client to leave and cancels the
// request's context if it does. It reads into the connection's buffer, so that
// a pipelined request is not lost.
func (h *http1) beginWatch(cancel context.CancelFunc, b *body) {
	h.mu.Lock()
	h.cancel, h.state = cancel, watchable
	if b != nil {
		h.state = bodyFlows
	}
	h.mu.Unlock()
	h.watch.Reset(watchAfter)
}

// bodyDone says that the request's body was read to its end.
func (h *http1) bodyDone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == bodyFlows {
		h.state = watchable
		h.watch.Reset(watchAfter)
	}
}

func (h *http1) startWatch() {
	h.mu.Lock()
	if h.state != watchable || h.br.Buffered() > 0 {
		h.mu.Unlock()
		return
	}
	h.state = watching
	done := make(chan struct{})
	h.idle = done
	cancel := h.cancel
	h.mu.Unlock()
	go func() {
		defer close(done)
		if _, err := h.br.Peek(1); err != nil && !h.ended() {
			cancel()
		}
	}()
}

func (h *http1) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == watchEnded
}

// endWatch stops the watcher, if it runs, before the next request is read.
func (h *http1) endWatch() {
	h.watch.Stop()
	h.mu.Lock()
	running := h.state == watching
	h.state = watchEnded
	done := h.idle
	h.mu.Unlock()
	if !running {
		return
	}
	_ = h.conn.SetReadDeadline(time.Unix(1, 0))
	<-done
	_ = h.conn.SetReadDeadline(time.Time{})
	h.mu.Lock()
	h.state, h.idle = unwatched, nil
	h.mu.Unlock()
}
