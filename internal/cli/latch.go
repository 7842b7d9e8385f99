package cli

import "io"

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
