package live

import (
	"context"
	"sync"
	"time"
)

// shares let all who look at a place share one worker. It begins with the first
// of them and ends when the last has been gone for linger.
type shares[T any] struct {
	life    context.Context // of all workers
	running *sync.WaitGroup
	linger  time.Duration
	// work looks at a place and tells what it finds, until ctx ends.
	work func(ctx context.Context, p Place, tell func(T))

	mu  sync.Mutex
	all map[Place]*share[T]
}

type share[T any] struct {
	stop    context.CancelFunc
	viewers map[chan T]bool
	last    *T
	leaving *time.Timer
}

// follow hands to show what is known of a place, and then whatever is new, until
// ctx ends or show fails. Who is slow sees only the newest.
func (s *shares[T]) follow(ctx context.Context, p Place, show func(T) error) error {
	news, leave := s.join(p)
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.life.Done():
			return s.life.Err()
		case v := <-news:
			if err := show(v); err != nil {
				return err
			}
		}
	}
}

// join gives a channel that always holds the newest.
func (s *shares[T]) join(p Place) (<-chan T, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[p]
	if one == nil {
		ctx, stop := context.WithCancel(s.life)
		one = &share[T]{stop: stop, viewers: map[chan T]bool{}}
		s.all[p] = one
		s.running.Go(func() { s.work(ctx, p, func(v T) { s.tell(one, v) }) })
	}
	if one.leaving != nil {
		one.leaving.Stop()
		one.leaving = nil
	}
	news := make(chan T, 1)
	one.viewers[news] = true
	if one.last != nil {
		news <- *one.last
	}
	return news, func() { s.leave(p, one, news) }
}

func (s *shares[T]) leave(p Place, one *share[T], news chan T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(one.viewers, news); len(one.viewers) > 0 || s.all[p] != one {
		return
	}
	end := func() {
		delete(s.all, p)
		one.stop()
	}
	if s.linger == 0 {
		end()
		return
	}
	one.leaving = time.AfterFunc(s.linger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(one.viewers) == 0 && s.all[p] == one {
			end()
		}
	})
}

func (s *shares[T]) tell(one *share[T], v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.last = &v
	for news := range one.viewers {
		select {
		case <-news: // one that was not read
		default:
		}
		news <- v // there is room: only this sends
	}
}
