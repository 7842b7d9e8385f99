package telemetry

import (
	"encoding/binary"
	"io"
	"sync/atomic"
)

// Messages counts the gRPC messages of one direction of a stream, for
// Stats.ObserveMessages. Count reads the frames' heads (gRPC over HTTP/2,
// Length-Prefixed-Message) as the bytes pass; it keeps none of them.
type Messages struct {
	n    atomic.Uint64
	head [5]byte
	have int
	rest uint32
}

// Count takes the next bytes of the stream.
func (m *Messages) Count(b []byte) {
	for len(b) > 0 {
		if m.rest > 0 {
			skip := min(uint64(m.rest), uint64(len(b)))
			m.rest -= uint32(skip)
			b = b[skip:]
			continue
		}
		n := copy(m.head[m.have:], b)
		m.have += n
		b = b[n:]
		if m.have == len(m.head) {
			m.n.Add(1)
			m.have, m.rest = 0, binary.BigEndian.Uint32(m.head[1:])
		}
	}
}

// Total is the number of messages that have begun.
func (m *Messages) Total() uint64 { return m.n.Load() }

// Reader counts what is read of a body.
func (m *Messages) Reader(body io.ReadCloser) io.ReadCloser { return &counted{body, m} }

type counted struct {
	io.ReadCloser
	m *Messages
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.m.Count(b[:n])
	return n, err
}
