package xds

import (
	"context"
	"fmt"
	"time"
)

// session is the state of one stream.
type session struct {
	*Client
	wire  wire
	first bool          // nothing was sent yet
	begun [kinds]bool   // the type's first request was sent
	nonce [kinds]string // of the last response
}

// event is what the stream's reader has to tell.
type event struct {
	wire     wire // it is open
	response response
	err      error // it is over
}

// connectTimeout is how long a stream may take to open.
const connectTimeout = 10 * time.Second

// session opens one stream and works it until it ends. It tells whether istiod
// answered anything.
func (c *Client) session(ctx context.Context) (answered bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A few responses are read ahead, so that what belongs together becomes one
	// snapshot.
	events := make(chan event, 8)
	go read(ctx, c.options, events)
	s := &session{Client: c, first: true}
	for {
		select {
		case <-ctx.Done():
			return answered, ctx.Err()
		case <-c.wake.C:
			err = s.settle()
		case e := <-events:
			switch {
			case e.err != nil:
				return answered, e.err
			case e.wire != nil:
				s.wire = e.wire
				err = s.begin()
			default:
				answered = true
				err = s.take(e.response)
				if err == nil && len(events) == 0 {
					err = s.settle()
				}
			}
		}
		if err != nil {
			return answered, err
		}
	}
}

// read opens the stream and passes on what comes.
func read(ctx context.Context, o Options, events chan<- event) {
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	tell := func(e event) bool {
		select {
		case events <- e:
			return e.err == nil
		case <-ctx.Done():
			return false
		}
	}
	late := time.AfterFunc(connectTimeout, cancel)
	w, shut, err := open(streaming, o)
	if !late.Stop() && err != nil {
		err = fmt.Errorf("no connection within %s: %w", connectTimeout, err)
	}
	if err != nil {
		tell(event{err: err})
		return
	}
	defer shut()
	for more := tell(event{wire: w}); more; {
		r, err := w.receive()
		more = tell(event{response: r, err: err})
	}
}

// begin asks for clusters, and for all that is known already.
func (s *session) begin() error {
	s.status.connected(s.options.Address)
	s.options.Log.Info("connected to istiod", "address", s.options.Address, "delta", s.options.Delta)
	if err := s.start(clusters); err != nil {
		return err
	}
	for k := endpoints; k < kinds; k++ {
		if traitsOf[k].wildcard && s.store.answered[k] || len(s.store.asked[k]) > 0 {
			if err := s.start(k); err != nil {
				return err
			}
		}
	}
	return s.settle()
}

// start sends the first request of a type on this stream.
func (s *session) start(k kind) error {
	names := s.store.names(k)
	s.begun[k] = true
	return s.send(request{url: traitsOf[k].url, names: names, added: names, version: s.store.version[k], versions: s.store.versions(k)})
}

func (s *session) send(r request) error {
	if s.first {
		r.node, s.first = s.options.Node, false
	}
	return s.wire.send(r)
}

// take reads a response and answers it.
func (s *session) take(r response) error {
	k, ok := kindOf(r.url)
	if !ok || !s.begun[k] {
		s.options.Log.Warn("istiod sent a type that was not asked for", "type", r.url)
		return nil
	}
	s.nonce[k] = r.nonce
	refusal := s.store.take(k, r)
	if refusal == nil {
		s.store.version[k] = r.version
	} else {
		s.options.Log.Warn("refused what istiod sent", "type", traitsOf[k].noun, "version", r.version, "reason", refusal.Error())
	}
	s.status.answered(r, refusal, len(s.store.accepted[k]))
	return s.send(request{url: r.url, nonce: r.nonce, version: s.store.version[k], names: s.store.names(k), refusal: refusal})
}

// settle puts what is ready into use and asks for what is referred to now.
func (s *session) settle() error {
	if err := s.subscribe(); err != nil {
		return err
	}
	cold := s.look()
	// What went out of use needs no resources any more.
	if err := s.subscribe(); err != nil {
		return err
	}
	// Listeners come when there are clusters to send their traffic to.
	if s.wire != nil && !s.begun[listeners] && s.store.answered[clusters] && !cold {
		return s.start(listeners)
	}
	return nil
}

// subscribe tells istiod which names are wanted, where that has changed.
func (s *session) subscribe() error {
	if s.wire == nil {
		return nil
	}
	wanted := s.store.wanted()
	for k := range kinds {
		if traitsOf[k].wildcard {
			continue
		}
		added, dropped := s.store.subscribe(k, wanted[k])
		if len(added)+len(dropped) == 0 {
			continue
		}
		s.status.resources(k, len(s.store.accepted[k]))
		if !s.begun[k] {
			// The request must name something: without names it would ask for all.
			if len(s.store.asked[k]) > 0 {
				if err := s.start(k); err != nil {
					return err
				}
			}
			continue
		}
		r := request{url: traitsOf[k].url, names: s.store.names(k), added: added, dropped: dropped}
		if !s.wire.delta() {
			r.nonce, r.version = s.nonce[k], s.store.version[k]
		}
		if err := s.send(r); err != nil {
			return err
		}
	}
	return nil
}
