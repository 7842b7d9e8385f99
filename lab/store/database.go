package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Buckets of a file.
var (
	recordsBucket   = []byte("records")   // a bucket per type: key → version in eight bytes, JSON
	sequencesBucket = []byte("sequences") // type → the highest numeric key ever stored
	countsBucket    = []byte("counts")    // type → number of records
	outboxBucket    = []byte("outbox")    // sequence → Event
	processedBucket = []byte("processed") // mark → sequence
	orderBucket     = []byte("order")     // sequence → mark, to forget the oldest
)

// remembered is how many processed events a context knows: many more than a
// broker delivers again after a crash.
const remembered = 50_000

// database is the file of one context.
type database struct {
	bolt *bbolt.DB
	now  func() time.Time
	keep uint64 // how many marks are remembered

	mu   sync.Mutex
	next map[string]int64 // the highest key given out, by type

	outbox outbox
}

func openDatabase(file string, maxSize int, now func() time.Time, log *slog.Logger) (*database, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, full(err)
	}
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: 2 * time.Second, FreelistType: bbolt.FreelistMapType, MaxSize: maxSize})
	if err != nil {
		return nil, full(fmt.Errorf("open %s: %w", file, err))
	}
	db.AllocSize = 1 << 20              // bbolt's 16 MiB a file is a lot for a laptop
	db.MaxBatchDelay = time.Millisecond // requests at the same time share an fsync
	d := &database{bolt: db, now: now, keep: remembered, next: map[string]int64{}}
	d.outbox.changed = make(chan struct{})
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{recordsBucket, sequencesBucket, countsBucket, outboxBucket, processedBucket, orderBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(sequencesBucket).ForEach(func(k, v []byte) error {
			d.next[string(k)] = int64(binary.BigEndian.Uint64(v))
			return nil
		})
	})
	if err != nil {
		_ = db.Close()
		return nil, full(fmt.Errorf("open %s: %w", file, err))
	}
	log.Debug("the database of a context is open", "file", file)
	return d, nil
}

// full tells errors of a disk (or quota) without space from others.
func full(err error) error {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, bolterrors.ErrMaxSizeReached} {
		// bbolt gives only the text of some.
		if err != nil && (errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error())) {
			return fmt.Errorf("%w (%w)", ErrFull, err)
		}
	}
	return err
}

// nextID reserves a key. It needs no fsync: the commit that uses the key writes
// down that it is taken, and one that was never committed may be given again.
func (d *database) nextID(kind string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next[kind]++
	return d.next[kind]
}

func (d *database) get(kind, key string) (*Record, error) {
	var record *Record
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(recordsBucket).Bucket([]byte(kind))
		if bucket == nil {
			return ErrNotFound
		}
		value := bucket.Get(encodeKey(key))
		if value == nil {
			return ErrNotFound
		}
		record = decodeRecord(key, value)
		return nil
	})
	return record, err
}

func (d *database) processed(mark string) (yes bool, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		yes = tx.Bucket(processedBucket).Get([]byte(mark)) != nil
		return nil
	})
	return yes, err
}

// commit applies a batch and gives the versions of its puts.
func (d *database) commit(b *Batch) (versions []int64, err error) {
	err = d.bolt.Batch(func(tx *bbolt.Tx) error {
		versions = make([]int64, 0, len(b.Puts)) // bbolt may run this again
		if err := mark(tx, b.Processed, d.keep); err != nil {
			return err
		}
		for i := range b.Puts {
			version, err := put(tx, &b.Puts[i])
			if err != nil {
				return err
			}
			versions = append(versions, version)
		}
		for i := range b.Deletes {
			if err := remove(tx, &b.Deletes[i]); err != nil {
				return err
			}
		}
		return enqueue(tx, b.Events)
	})
	if err != nil {
		return nil, full(err)
	}
	d.raise(b.Puts)
	if len(b.Events) > 0 {
		d.outbox.wake()
	}
	return versions, nil
}

// raise keeps keys that were given by clients from being given out.
func (d *database) raise(puts []Put) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range puts {
		if n, ok := numericKey(puts[i].Key); ok && n > d.next[puts[i].Type] {
			d.next[puts[i].Type] = n
		}
	}
}

// mark notes that an event was processed and forgets the oldest marks.
func mark(tx *bbolt.Tx, id string, keep uint64) error {
	if id == "" {
		return nil
	}
	marks, order := tx.Bucket(processedBucket), tx.Bucket(orderBucket)
	if marks.Get([]byte(id)) != nil {
		return ErrProcessed
	}
	n, err := order.NextSequence()
	if err != nil {
		return err
	}
	if n > keep {
		oldest := number(n - keep)
		if old := order.Get(oldest); old != nil {
			if err := marks.Delete(old); err != nil {
				return err
			}
			if err := order.Delete(oldest); err != nil {
				return err
			}
		}
	}
	if err := marks.Put([]byte(id), number(n)); err != nil {
		return err
	}
	return order.Put(number(n), []byte(id))
}

func put(tx *bbolt.Tx, p *Put) (int64, error) {
	if p.Type == "" || p.Key == "" || !json.Valid(p.Value) {
		return 0, fmt.Errorf("a record needs a type, a key and JSON; type %q, key %q", p.Type, p.Key)
	}
	bucket, err := tx.Bucket(recordsBucket).CreateBucketIfNotExists([]byte(p.Type))
	if err != nil {
		return 0, err
	}
	key := encodeKey(p.Key)
	version := int64(0)
	old := bucket.Get(key)
	switch {
	case old != nil && p.Create:
		return 0, ErrExists
	case old != nil:
		version = int64(binary.BigEndian.Uint64(old)) + 1
		if p.IfAt != nil && *p.IfAt != version-1 {
			return 0, ErrConflict
		}
	case p.IfAt != nil:
		return 0, ErrConflict
	default:
		if err := count(tx, p.Type, 1); err != nil {
			return 0, err
		}
	}
	if n, ok := numericKey(p.Key); ok && n > 0 {
		sequences := tx.Bucket(sequencesBucket)
		if highest := sequences.Get([]byte(p.Type)); highest == nil || int64(binary.BigEndian.Uint64(highest)) < n {
			if err := sequences.Put([]byte(p.Type), number(uint64(n))); err != nil {
				return 0, err
			}
		}
	}
	return version, bucket.Put(key, append(number(uint64(version)), p.Value...))
}

func remove(tx *bbolt.Tx, del *Delete) error {
	bucket := tx.Bucket(recordsBucket).Bucket([]byte(del.Type))
	if bucket == nil {
		return ErrNotFound
	}
	key := encodeKey(del.Key)
	old := bucket.Get(key)
	if old == nil {
		return ErrNotFound
	}
	if del.IfAt != nil && *del.IfAt != int64(binary.BigEndian.Uint64(old)) {
		return ErrConflict
	}
	if err := count(tx, del.Type, -1); err != nil {
		return err
	}
	return bucket.Delete(key)
}

func count(tx *bbolt.Tx, kind string, change int64) error {
	counts := tx.Bucket(countsBucket)
	var n int64
	if old := counts.Get([]byte(kind)); old != nil {
		n = int64(binary.BigEndian.Uint64(old))
	}
	return counts.Put([]byte(kind), number(uint64(n+change)))
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// encodeKey orders whole numbers as numbers, before all text.
func encodeKey(key string) []byte {
	if n, ok := numericKey(key); ok {
		return append([]byte{'0'}, number(uint64(n)^(1<<63))...)
	}
	return append([]byte{'1'}, key...)
}

func decodeKey(key []byte) string {
	if len(key) == 9 && key[0] == '0' {
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(key[1:])^(1<<63)), 10)
	}
	return string(key[1:])
}

// numericKey reads keys that are spelled as Long keys are: "01" and "+1" are
// text.
func numericKey(key string) (int64, bool) {
	n, err := strconv.ParseInt(key, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == key
}

func decodeRecord(key string, value []byte) *Record {
	return &Record{Key: key, Version: int64(binary.BigEndian.Uint64(value)), Value: append(json.RawMessage(nil), value[8:]...)}
}
