package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Client is a context's database as its pods see it. It connects when it is
// used, and again after the lab was started anew. All methods may be called at
// the same time.
type Client struct {
	socket, namespace, context string

	mu   sync.Mutex
	idle []*link
}

// idleLinks bounds the connections that wait for the next call.
const idleLinks = 4

// link is a connection; it carries one call at a time.
type link struct {
	conn net.Conn
	r    *bufio.Reader
}

// Open gives a context's database. It connects with the first call.
func Open(socket, namespace, context string) *Client {
	return &Client{socket: socket, namespace: namespace, context: context}
}

// Close ends the connections that are not in use.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.idle {
		_ = l.conn.Close()
	}
	c.idle = nil
}

// Get reads a record, or gives ErrNotFound.
func (c *Client) Get(ctx context.Context, kind, key string) (*Record, error) {
	answer, err := c.call(ctx, &request{Op: "get", Type: kind, Key: key})
	if err != nil {
		return nil, err
	}
	if answer.Record == nil {
		return nil, ErrNotFound
	}
	return answer.Record, nil
}

// List finds records. A type that was never stored has none.
func (c *Client) List(ctx context.Context, kind string, q Query) (*Page, error) {
	answer, err := c.call(ctx, &request{Op: "list", Type: kind, Query: &q})
	if err != nil {
		return nil, err
	}
	if answer.Page == nil {
		return &Page{}, nil
	}
	return answer.Page, nil
}

// NextID reserves a numeric key, from 1 on. A key that was stored once is never
// given again, as with a database's sequence.
func (c *Client) NextID(ctx context.Context, kind string) (int64, error) {
	answer, err := c.call(ctx, &request{Op: "next-id", Type: kind})
	if err != nil {
		return 0, err
	}
	return answer.ID, nil
}

// Commit changes everything in the batch, or nothing. It gives the new versions
// of the puts, in their order. When it returns without error, all is on disk.
func (c *Client) Commit(ctx context.Context, b Batch) ([]int64, error) {
	answer, err := c.call(ctx, &request{Op: "commit", Batch: &b})
	if err != nil {
		return nil, err
	}
	return answer.Versions, nil
}

// Processed tells whether a batch with this mark was committed.
func (c *Client) Processed(ctx context.Context, mark string) (bool, error) {
	answer, err := c.call(ctx, &request{Op: "processed", Key: mark})
	if err != nil {
		return false, err
	}
	return answer.Yes, nil
}

// Take gives the oldest events of the outbox, at most this many, and waits for
// some. For 10 s nobody but the owner gets events; then, or after Ack, others
// do. It gives none when the wait is over.
func (c *Client) Take(ctx context.Context, owner string, most int, wait time.Duration) ([]Event, error) {
	answer, err := c.call(ctx, &request{Op: "take", Owner: owner, Max: most, Wait: wait.Milliseconds()})
	if err != nil {
		return nil, err
	}
	return answer.Events, nil
}

// Ack removes events that were published, by their Seq, and lets others take
// what is left. With none it only gives the rest back.
func (c *Client) Ack(ctx context.Context, owner string, seqs ...uint64) error {
	_, err := c.call(ctx, &request{Op: "ack", Owner: owner, Seqs: seqs})
	return err
}

// call sends a request and waits for the answer. Only a request that cannot
// have reached the server is sent again.
func (c *Client) call(ctx context.Context, q *request) (*response, error) {
	q.Namespace, q.Context = c.namespace, c.context
	for {
		l, used, err := c.link(ctx)
		if err != nil {
			return nil, err
		}
		answer, sent, err := l.exchange(ctx, q)
		if err == nil {
			c.keep(l)
			return answer, answer.err()
		}
		_ = l.conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if used && (!sent || q.Op != "commit") {
			continue // the server was started anew meanwhile
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

func (c *Client) link(ctx context.Context) (l *link, used bool, err error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		l = c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return l, true, nil
	}
	c.mu.Unlock()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &link{conn, bufio.NewReaderSize(conn, 4<<10)}, false, nil
}

func (c *Client) keep(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) < idleLinks {
		c.idle = append(c.idle, l)
		return
	}
	_ = l.conn.Close()
}

func (l *link) exchange(ctx context.Context, q *request) (answer *response, sent bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeFrame(l.conn, q); err != nil {
		return nil, false, err
	}
	answer = &response{}
	if err := readFrame(l.r, answer); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended the connection before it answered")
		}
		return nil, true, err
	}
	if !stop() {
		return nil, true, context.Cause(ctx) // the deadline is set: the link is of no use
	}
	return answer, true, nil
}
