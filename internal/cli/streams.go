package cli

import (
	"context"
	"io"
)

// latch is a writer that remembers the first failure, so that no answer is
// lost in silence when the disk is full.
type latch struct {
	to  io.Writer
	err error
}

func (l *latch) Write(p []byte) (int, error) {
	n, err := l.to.Write(p)
	if err != nil && l.err == nil {
		l.err = err
	}
	return n, err
}

// patient is a reader that stops waiting when the person interrupts: a read of
// a terminal or a silent pipe would go on for ever.
type patient struct {
	ctx  context.Context // an io.Reader is given none
	from io.Reader
}

func (r patient) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	size := len(p)
	go func() {
		data := make([]byte, size) // its own, since p is the caller's again after an interrupt
		n, err := r.from.Read(data)
		done <- result{data[:n], err}
	}()
	select {
	case got := <-done:
		return copy(p, got.data), got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
