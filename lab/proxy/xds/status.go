package xds

import (
	"maps"
	"slices"
	"sync"
)

// Status is how the client stands with istiod.
type Status struct {
	Connected bool
	Address   string
	LastError string   // of the last stream that ended; "" before
	Warming   []string // what is held back, and for what; sorted
	Types     map[string]TypeStatus
}

// TypeStatus is one type's last response, by type URL.
type TypeStatus struct {
	Version   string // of the last response
	Nonce     string
	Refused   string // the last NACK's text; "" after an ACK
	Resources int    // accepted
}

// Status gives a copy of the current status.
func (c *Client) Status() Status {
	b := &c.status
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.status
	out.Types = maps.Clone(out.Types)
	out.Warming = slices.Clone(out.Warming)
	return out
}

// board is the status that Run writes and others read.
type board struct {
	mu     sync.Mutex
	status Status
}

func (b *board) change(f func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.status)
}

func (b *board) connected(address string) {
	b.change(func(s *Status) { s.Connected, s.Address = true, address })
}

func (b *board) lost(err error) {
	b.change(func(s *Status) {
		s.Connected = false
		if err != nil {
			s.LastError = err.Error()
		}
	})
}

func (b *board) warming(cold []string) { b.change(func(s *Status) { s.Warming = cold }) }

func (b *board) answered(r response, refusal error, count int) {
	b.change(func(s *Status) {
		t := TypeStatus{Version: r.version, Nonce: r.nonce, Resources: count}
		if refusal != nil {
			t.Refused = refusal.Error()
		}
		s.Types[r.url] = t
	})
}

func (b *board) resources(k kind, count int) {
	b.change(func(s *Status) {
		t := s.Types[traitsOf[k].url]
		t.Resources = count
		s.Types[traitsOf[k].url] = t
	})
}
