package crilog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Options chooses what of a log is read: PodLogOptions of the API.
type Options struct {
	Tail       int64     // last lines; negative for all
	Since      time.Time // zero for all
	LimitBytes int64     // of the output; 0 for no limit
	Timestamps bool      // the time of each line before it
	Stream     string    // "stdout" or "stderr"; empty for both
	// Follow waits for more until Done is closed and all is read, or the context
	// ends.
	Follow bool
	Done   <-chan struct{}
}

// Entry is one line of a log file.
type Entry struct {
	Time   time.Time
	Stream string
	Full   bool // false: the line goes on in the next entry
	Text   []byte
}

// Parse reads one line without its newline.
func Parse(line []byte) (Entry, error) {
	fields := bytes.SplitN(line, []byte{' '}, 4)
	if len(fields) < 4 {
		return Entry{}, fmt.Errorf("container log: %q is not TIME STREAM TAG TEXT", line)
	}
	at, err := time.Parse(time.RFC3339Nano, string(fields[0]))
	if err != nil {
		return Entry{}, fmt.Errorf("container log: %w", err)
	}
	if s := string(fields[1]); s != "stdout" && s != "stderr" {
		return Entry{}, fmt.Errorf("container log: %q is not a stream", s)
	}
	tag := string(fields[2])
	if tag != "F" && tag != "P" {
		return Entry{}, fmt.Errorf("container log: %q is not a tag", tag)
	}
	return Entry{Time: at, Stream: string(fields[1]), Full: tag == "F", Text: fields[3]}, nil
}

// errLimit ends reading at LimitBytes.
var errLimit = errors.New("limit reached")

// Read copies the log at path to w. With Follow, each write is one line or a
// batch of lines, for the caller to flush.
func Read(ctx context.Context, w io.Writer, path string, o Options) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("container log: %w", err)
	}
	defer func() { f.Close() }()
	out := &output{w: w, o: o, left: o.LimitBytes}
	rest, err := out.history(path, f)
	for err == nil && o.Follow {
		done := closed(ctx.Done()) || closed(o.Done) // asked before reading: what was written by then is read
		if f, err = successor(path, f, out, &rest); err != nil {
			break
		}
		if err = out.copy(f, &rest); err != nil || done {
			break
		}
		select {
		case <-ctx.Done():
		case <-o.Done:
		case <-time.After(100 * time.Millisecond):
		}
	}
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// successor opens the file that took the place of a rotated one, once the old
// one is read to its end.
func successor(path string, f *os.File, out *output, rest *[]byte) (*os.File, error) {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	} else if err != nil {
		return f, err
	}
	if was, err := f.Stat(); err != nil || os.SameFile(was, now) {
		return f, err
	}
	if err := out.copy(f, rest); err != nil {
		return f, err
	}
	next, err := os.Open(path)
	if err != nil {
		return f, err
	}
	_ = f.Close()
	return next, nil
}

type output struct {
	w    io.Writer
	o    Options
	left int64
	open string // the stream whose line is unfinished
}

// history writes what is there already, of the rotated file too.
func (out *output) history(path string, f *os.File) ([]byte, error) {
	var rest []byte
	readers := []io.Reader{f}
	if old, err := os.Open(path + ".1"); err == nil {
		defer old.Close()
		readers = []io.Reader{old, f}
	}
	if out.o.Tail < 0 {
		for _, r := range readers {
			if err := out.copy(r, &rest); err != nil {
				return nil, err
			}
		}
		return rest, nil
	}
	lines := newRing(out.o.Tail)
	for _, r := range readers {
		if err := each(r, &rest, func(line []byte) error { lines.add(out, line); return nil }); err != nil {
			return nil, err
		}
	}
	return rest, lines.each(out.line)
}

func (out *output) copy(r io.Reader, rest *[]byte) error { return each(r, rest, out.line) }

// each calls line for every line that is complete; what is left stays in rest.
func each(r io.Reader, rest *[]byte, line func([]byte) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		part, err := br.ReadBytes('\n')
		if len(*rest) > 0 {
			part = append(*rest, part...)
		}
		*rest = nil
		if err != nil {
			*rest = part
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := line(part[:len(part)-1]); err != nil {
			return err
		}
	}
}

func (out *output) wants(e Entry) bool {
	if out.o.Stream != "" && out.o.Stream != e.Stream {
		return false
	}
	return !e.Time.Before(out.o.Since)
}

// line writes one entry; one that is not in the format (a disk was full, say) is
// left out.
func (out *output) line(raw []byte) error {
	e, err := Parse(raw)
	if err != nil || !out.wants(e) {
		return nil //nolint:nilerr // a broken line hides no other
	}
	var b []byte
	if out.o.Timestamps && out.open != e.Stream {
		b = append(e.Time.AppendFormat(b, layout), ' ')
	}
	b = append(b, e.Text...)
	out.open = e.Stream
	if e.Full {
		b, out.open = append(b, '\n'), ""
	}
	if out.o.LimitBytes > 0 && int64(len(b)) >= out.left {
		_, err := out.w.Write(b[:out.left])
		return errors.Join(errLimit, err)
	}
	out.left -= int64(len(b))
	_, err = out.w.Write(b)
	return err
}

// ring keeps the last n lines; a line in parts counts once.
type ring struct {
	n     int64
	lines [][][]byte
	open  bool
}

func newRing(n int64) *ring { return &ring{n: n} }

func (r *ring) add(out *output, raw []byte) {
	e, err := Parse(raw)
	if err != nil || !out.wants(e) || r.n == 0 {
		return
	}
	raw = bytes.Clone(raw)
	if r.open {
		last := len(r.lines) - 1
		r.lines[last] = append(r.lines[last], raw)
	} else {
		r.lines = append(r.lines, [][]byte{raw})
		if int64(len(r.lines)) > r.n {
			r.lines[0] = nil
			r.lines = r.lines[1:]
		}
	}
	r.open = !e.Full
}

func (r *ring) each(line func([]byte) error) error {
	for _, parts := range r.lines {
		for _, p := range parts {
			if err := line(p); err != nil {
				return err
			}
		}
	}
	return nil
}
