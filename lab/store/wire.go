package store

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFrame bounds a request or an answer: 16 MiB.
const maxFrame = 16 << 20

// request is what a client asks; each operation reads the fields it needs.
type request struct {
	Op        string   `json:"op"`
	Namespace string   `json:"namespace"`
	Context   string   `json:"context"`
	Type      string   `json:"type,omitempty"`
	Key       string   `json:"key,omitempty"` // get; for processed, the mark
	Query     *Query   `json:"query,omitempty"`
	Batch     *Batch   `json:"batch,omitempty"`
	Owner     string   `json:"owner,omitempty"` // who takes from the outbox
	Max       int      `json:"max,omitempty"`
	Wait      int64    `json:"waitMillis,omitempty"`
	Seqs      []uint64 `json:"seqs,omitempty"`
}

type response struct {
	Code     string  `json:"code,omitempty"` // of codes; "internal" for others; "" without error
	Error    string  `json:"error,omitempty"`
	Record   *Record `json:"record,omitempty"`
	Page     *Page   `json:"page,omitempty"`
	ID       int64   `json:"id,omitempty"`
	Versions []int64 `json:"versions,omitempty"`
	Events   []Event `json:"events,omitempty"`
	Yes      bool    `json:"yes,omitempty"`
}

// writeFrame writes a value as JSON behind its length in four bytes, big endian.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("a message of %d bytes is over %d", len(body), maxFrame)
	}
	frame := append(binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+4), uint32(len(body))), body...)
	_, err = w.Write(frame)
	return err
}

// readFrame reads what writeFrame wrote. The error is io.EOF only where nothing
// more was sent.
func readFrame(r *bufio.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("a message of %d bytes is over %d", n, maxFrame)
	}
	body := make([]byte, 0, min(n, 64<<10)) // grows with what really comes
	body, err := appendN(r, body, int(n))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("a message is no JSON of its kind: %w", err)
	}
	return nil
}

func appendN(r io.Reader, to []byte, n int) ([]byte, error) {
	for len(to) < n {
		at := len(to)
		to = append(to, make([]byte, min(n-at, 64<<10))...)
		if _, err := io.ReadFull(r, to[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return to, nil
}

func failure(err error) response {
	for code, known := range codes {
		if errors.Is(err, known) {
			return response{Code: code, Error: err.Error()}
		}
	}
	return response{Code: "internal", Error: err.Error()}
}

// err is the error that an answer carries.
func (r *response) err() error {
	switch known := codes[r.Code]; {
	case r.Code == "":
		return nil
	case known == nil:
		return errors.New(r.Error)
	case known.Error() == r.Error:
		return known
	default:
		return &remoteError{r.Error, known}
	}
}

// remoteError keeps the server's words and what kind of error it is.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }
