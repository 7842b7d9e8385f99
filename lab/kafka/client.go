package kafka

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// client is a connection that kfake serves. It watches which requests come in
// and puts the door's address into the answers that name a broker.
//
// It relies on two habits of kfake: an answer is one Write, and a connection's
// requests are answered one after the other. Produce and Fetch answers name
// brokers only where another one leads a partition (KIP-951), which cannot be
// with one broker, so they pass untouched.
type client struct {
	net.Conn
	advertised address
	broker     *broker

	read header // of the request that is being read
	mu   sync.Mutex
	asks map[int32]ask // by correlation ID, of the requests that matter here
}

// ask is a request whose answer matters.
type ask struct{ key, version int16 }

func newClient(conn net.Conn, advertised address) *client {
	return &client{Conn: conn, advertised: advertised, asks: map[int32]ask{}}
}

// header is where in the stream of requests a reader is: each is a size of four
// bytes, then key, version and correlation ID (Kafka protocol guide, "Request
// Header").
type header struct {
	bytes [12]byte
	have  int   // of bytes
	rest  int64 // bytes of the body still to come after the header
}

// Read implements net.Conn.
func (c *client) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.watch(b[:n])
	return n, err
}

func (c *client) watch(b []byte) {
	h := &c.read
	for len(b) > 0 {
		if h.rest > 0 {
			skip := min(h.rest, int64(len(b)))
			h.rest -= skip
			b = b[skip:]
			continue
		}
		n := copy(h.bytes[h.have:], b)
		h.have += n
		b = b[n:]
		if h.have < len(h.bytes) {
			return
		}
		h.have = 0
		h.rest = int64(binary.BigEndian.Uint32(h.bytes[:4])) - 8
		c.note(ask{int16(binary.BigEndian.Uint16(h.bytes[4:6])), int16(binary.BigEndian.Uint16(h.bytes[6:8]))},
			int32(binary.BigEndian.Uint32(h.bytes[8:12])))
	}
}

// note remembers the request that matters; an unanswered one (a Produce without
// acks) is forgotten with the next, as at most one waits behind the one that is
// being answered.
func (c *client) note(a ask, correlation int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a.key {
	case kmsg.Metadata.Int16(), kmsg.FindCoordinator.Int16(), kmsg.DescribeCluster.Int16(), kmsg.Produce.Int16():
		if len(c.asks) > 16 {
			clear(c.asks)
		}
		c.asks[correlation] = a
	}
}

func (c *client) take(correlation int32) (ask, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.asks[correlation]
	delete(c.asks, correlation)
	return a, ok
}

// Write implements net.Conn. After the disk failed nothing is written but that
// producing failed.
func (c *client) Write(answer []byte) (int, error) {
	changed := answer
	failed := c.broker.failed()
	a, known := ask{}, false
	if len(answer) >= 8 {
		a, known = c.take(int32(binary.BigEndian.Uint32(answer[4:8])))
	}
	switch {
	case failed != nil && (!known || a.key != kmsg.Produce.Int16()):
		return 0, fmt.Errorf("not answered: %w", failed)
	case known && (failed != nil || a.key != kmsg.Produce.Int16()):
		var err error
		if changed, err = c.rewrite(a, answer, failed); err != nil {
			return 0, err
		}
	}
	if _, err := c.Conn.Write(changed); err != nil {
		return 0, err
	}
	return len(answer), nil
}

// Close implements net.Conn.
func (c *client) Close() error {
	c.broker.mu.Lock()
	delete(c.broker.clients, c)
	c.broker.mu.Unlock()
	return c.Conn.Close()
}

func (c *client) rewrite(a ask, answer []byte, failed error) ([]byte, error) {
	response := kmsg.ResponseForKey(a.key)
	response.SetVersion(a.version)
	head := 8
	if response.IsFlexible() {
		head++ // the empty section of tagged fields
	}
	if len(answer) < head {
		return nil, fmt.Errorf("an answer to %s is too short", kmsg.NameForKey(a.key))
	}
	if err := response.ReadFrom(answer[head:]); err != nil {
		return nil, fmt.Errorf("read the answer to %s: %w", kmsg.NameForKey(a.key), err)
	}
	host, port := c.advertised.host, c.advertised.port
	switch r := response.(type) {
	case *kmsg.MetadataResponse:
		for i := range r.Brokers {
			r.Brokers[i].Host, r.Brokers[i].Port = host, port
		}
	case *kmsg.FindCoordinatorResponse:
		if r.ErrorCode == 0 {
			r.Host, r.Port = host, port
		}
		for i := range r.Coordinators {
			if r.Coordinators[i].ErrorCode == 0 {
				r.Coordinators[i].Host, r.Coordinators[i].Port = host, port
			}
		}
	case *kmsg.DescribeClusterResponse:
		for i := range r.Brokers {
			r.Brokers[i].Host, r.Brokers[i].Port = host, port
		}
	case *kmsg.ProduceResponse:
		refuse(r, failed)
	}
	changed := response.AppendTo(append([]byte(nil), answer[:head]...))
	binary.BigEndian.PutUint32(changed, uint32(len(changed)-4))
	return changed, nil
}

// refuse says of every partition that nothing was stored. A part of the request
// may have been; a producer that sends it again stores it twice, which Kafka's
// "at least once" allows, while a false acknowledgement would lose it.
func refuse(r *kmsg.ProduceResponse, failed error) {
	text := "the broker cannot write its files: " + failed.Error()
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			p := &r.Topics[i].Partitions[j]
			if p.ErrorCode == 0 {
				p.ErrorCode, p.BaseOffset = kerr.UnknownServerError.Code, -1
			}
			p.ErrorMessage = &text
		}
	}
}
