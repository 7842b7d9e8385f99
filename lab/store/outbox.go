package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// leaseTime is how long events that were taken belong to who took them: longer
// than a broker takes to acknowledge, short enough that another replica takes
// over from one that was killed.
const leaseTime = 10 * time.Second

// outbox lends its events to one replica at a time, so that they reach the
// topic in the order of their commits.
type outbox struct {
	mu      sync.Mutex
	owner   string
	until   time.Time
	changed chan struct{} // closed when there may be something to take
}

func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
}

// lend gives the outbox to an owner, or tells when to ask again.
func (o *outbox) lend(owner string, now time.Time) (ok bool, changed <-chan struct{}, retry time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner != "" && o.owner != owner && now.Before(o.until) {
		return false, o.changed, o.until.Sub(now)
	}
	o.owner, o.until = owner, now.Add(leaseTime)
	return true, o.changed, 0
}

func (o *outbox) release(owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner == owner {
		o.owner = ""
		close(o.changed)
		o.changed = make(chan struct{})
	}
}

func enqueue(tx *bbolt.Tx, events []Event) error {
	bucket := tx.Bucket(outboxBucket)
	for _, e := range events {
		n, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		e.Seq = 0
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := bucket.Put(number(n), value); err != nil {
			return err
		}
	}
	return nil
}

// take gives the oldest events, and waits for some where there are none or
// another owner has them. It gives none when the time is over.
func (d *database) take(ctx context.Context, owner string, most int, wait time.Duration) ([]Event, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		ok, changed, retry := d.outbox.lend(owner, d.now())
		if ok {
			events, err := d.oldest(most)
			if err != nil || len(events) > 0 {
				return events, err
			}
			d.outbox.drop(owner)
			retry = wait + time.Second
		}
		again := time.NewTimer(retry)
		select {
		case <-changed:
		case <-again.C:
		case <-over.C:
			again.Stop()
			return nil, nil
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
		again.Stop()
	}
}

// drop gives the lease back without waking those who wait: there is nothing.
func (o *outbox) drop(owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner == owner {
		o.owner = ""
	}
}

func (d *database) oldest(most int) ([]Event, error) {
	var events []Event
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(outboxBucket).Cursor()
		size := 0
		for k, v := cursor.First(); k != nil && len(events) < most && size < maxFrame/4; k, v = cursor.Next() {
			var e Event
			if err := json.Unmarshal(v, &e); err != nil {
				return err
			}
			e.Seq = binary.BigEndian.Uint64(k)
			events = append(events, e)
			size += len(v)
		}
		return nil
	})
	return events, err
}

// ack removes published events and gives the outbox back.
func (d *database) ack(owner string, seqs []uint64) error {
	defer d.outbox.release(owner)
	if len(seqs) == 0 {
		return nil
	}
	return full(d.bolt.Batch(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(outboxBucket)
		for _, n := range seqs {
			if err := bucket.Delete(number(n)); err != nil {
				return err
			}
		}
		return nil
	}))
}
