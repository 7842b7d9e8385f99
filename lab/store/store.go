// Package store is the stand-ins' database. Like a database outside of the mesh
// it is shared by all replicas and tracks of a bounded context: Serve keeps one
// bbolt file per namespace and context below a folder and answers on a unix
// socket in the lab's main process; pods use a Client.
//
// A commit is one transaction: aggregates and read models that change, the
// events that follow from the change (an outbox), and the mark that an event was
// consumed go to the disk together, with an fsync, or not at all. So neither a
// pod nor the lab that is killed loses an event of a change that was answered,
// and an event delivered twice acts once.
package store

import (
	"encoding/json"
	"errors"
)

// Record is a stored aggregate or a row of a read model.
type Record struct {
	Key     string          `json:"key"`
	Version int64           `json:"version"` // 0 when created, one more with each change, as JPA's @Version counts
	Value   json.RawMessage `json:"value"`
}

// Query selects records of a type. Numbers are compared as numbers, text byte
// by byte, and what is missing or null comes first.
type Query struct {
	Page  int                        `json:"page,omitempty"`  // from 0
	Size  int                        `json:"size,omitempty"`  // records a page; 0 for all
	Sort  []Order                    `json:"sort,omitempty"`  // without one: by key, numeric keys first
	Where map[string]json.RawMessage `json:"where,omitempty"` // fields and what they must equal; "a.b" for a field inside
}

// Order is a field to sort by; "a.b" for a field inside.
type Order struct {
	Field      string `json:"field"`
	Descending bool   `json:"descending,omitempty"`
}

// Page is a part of what a query finds.
type Page struct {
	Records []Record `json:"records"`
	Total   int      `json:"total"` // of all pages
}

// Batch is what a transaction changes.
type Batch struct {
	// Processed names an event and who consumed it. Where it was committed
	// before, nothing is changed and the error is ErrProcessed.
	Processed string   `json:"processed,omitempty"`
	Puts      []Put    `json:"puts,omitempty"`
	Deletes   []Delete `json:"deletes,omitempty"`
	Events    []Event  `json:"events,omitempty"`
}

// Put writes a record.
type Put struct {
	Type   string          `json:"type"`
	Key    string          `json:"key"`
	Value  json.RawMessage `json:"value"`
	Create bool            `json:"create,omitempty"`  // it must not be there yet: else ErrExists
	IfAt   *int64          `json:"version,omitempty"` // it must be there at this version: else ErrConflict
}

// Delete removes a record, which must be there.
type Delete struct {
	Type string `json:"type"`
	Key  string `json:"key"`
	IfAt *int64 `json:"version,omitempty"`
}

// Event waits in the outbox until it is acknowledged.
type Event struct {
	Seq     uint64            `json:"seq,omitempty"` // given by the store; the order of commits
	ID      string            `json:"id"`            // the same in every delivery
	Topic   string            `json:"topic"`
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers,omitempty"`
	Value   json.RawMessage   `json:"value"`
}

// Errors of a Client, to be tested with errors.Is.
var (
	ErrNotFound    = errors.New("there is no such record")
	ErrExists      = errors.New("the record is there already")
	ErrConflict    = errors.New("the record was changed meanwhile")
	ErrProcessed   = errors.New("the event was processed before")
	ErrFull        = errors.New("the disk of the lab's data folder is full: nothing of this request was stored; free some space and send it again")
	ErrUnavailable = errors.New("the stand-ins' database does not answer")
)

// codes carry errors over the socket.
var codes = map[string]error{
	"not-found": ErrNotFound, "exists": ErrExists, "conflict": ErrConflict,
	"processed": ErrProcessed, "full": ErrFull, "unavailable": ErrUnavailable,
}
