package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// body reads a request's body. The first read tells a client that waits for
// permission (RFC 9110, section 10.1.1) to go on.
type body struct {
	h       *http1
	req     *http.Request
	left    int64 // to read; of the current chunk where chunked
	chunked bool
	first   bool // no chunk was begun
	expect  bool // 100-continue is awaited
	done    bool
	closed  bool
	err     error
	read    int64
}

var errBodyClosed = errors.New("http: invalid Read on closed Body")

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errBodyClosed
	}
	return b.readBody(p)
}

func (b *body) readBody(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.expect {
		b.expect = false
		b.h.writeContinue()
	}
	if b.chunked && b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return 0, b.fail(err)
		}
		if b.done {
			return 0, io.EOF
		}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.h.br.Read(p)
	b.left -= int64(n)
	b.read += int64(n)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, b.fail(err)
	}
	if b.left == 0 && !b.chunked {
		b.finish()
		return n, io.EOF
	}
	return n, nil
}

func (b *body) fail(err error) error {
	b.err = err
	b.h.broken = true
	return err
}

func (b *body) finish() {
	b.done = true
	b.h.bodyDone()
}

// Close implements io.Closer; the rest of the body is left to the connection.
func (b *body) Close() error {
	b.closed = true
	return nil
}

// nextChunk reads a chunk's size line, or the trailers after the last chunk.
func (b *body) nextChunk() error {
	br := b.h.br
	if !b.first {
		if err := b.chunkEnd(); err != nil {
			return err
		}
	}
	b.first = false
	line, err := br.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return errCodec
		}
		return unexpected(err)
	}
	size, err := chunkSize(line)
	if err != nil {
		return err
	}
	if b.left = size; size > 0 {
		return nil
	}
	trailer, err := readFields(br, b.h.m.limits.bytes)
	if err != nil {
		return unexpected(err)
	}
	if len(trailer) > 0 {
		if err := b.trailers(string(trailer)); err != nil {
			return err
		}
	}
	b.finish()
	return nil
}

func (b *body) chunkEnd() error {
	end, err := b.h.br.ReadSlice('\n')
	if err != nil {
		return unexpected(err)
	}
	if len(bytes.TrimRight(end, "\r\n")) > 0 {
		return errCodec
	}
	return nil
}

// readFields reads header lines up to the empty one, which may come first.
func readFields(br *bufio.Reader, max int) ([]byte, error) {
	var buf []byte
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(buf)+len(line) > max {
			return nil, errTooLarge
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return buf, nil
		}
		buf = append(buf, line...)
	}
}

func (b *body) trailers(text string) error {
	var line string
	if b.req.Trailer == nil {
		b.req.Trailer = http.Header{}
	}
	for text != "" {
		line, text = cutLine(text)
		name, value, ok := strings.Cut(line, ":")
		value = textproto.TrimString(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return errFieldName
		}
		if httpguts.ValidTrailerHeader(textproto.CanonicalMIMEHeaderKey(name)) {
			b.req.Trailer.Add(name, value)
		}
	}
	return nil
}

// chunkSize reads a chunk's size in hexadecimal; extensions are ignored
// (RFC 9112, section 7.1.1).
func chunkSize(line []byte) (int64, error) {
	line = bytes.TrimRight(line, "\r\n")
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 || len(line) > 15 {
		return 0, errCodec
	}
	var n int64
	for _, c := range line {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, errCodec
		}
		n = n<<4 | int64(c)
	}
	return n, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
