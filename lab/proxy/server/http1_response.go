package server

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// response writes one response of an HTTP/1 connection. Header names go out in
// lower case, as Envoy's do.
type response struct {
	h      *http1
	req    *http.Request
	header http.Header

	status   int
	sent     bool // the head is in the buffer
	chunked  bool
	bodyless bool  // HEAD, 204, 304: no body follows
	length   int64 // declared, -1 for none
	written  int64
	trailers []string
	closing  bool // the connection ends after this response
	hijacked bool
	err      error
}

var errLength = errors.New("http: the response is longer than its content-length")

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The head is kept back until the
// body begins or ends, since a response without a body says content-length: 0.
func (w *response) WriteHeader(status int) {
	if w.hijacked || w.status != 0 {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.writeInformational(status)
		return
	}
	w.status = status
	for _, names := range w.header["Trailer"] {
		for name := range strings.SplitSeq(names, ",") {
			w.trailers = append(w.trailers, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	w.frame()
}

func (w *response) writeInformational(status int) {
	w.h.wmu.Lock()
	defer w.h.wmu.Unlock()
	if status == http.StatusContinue {
		if b, ok := w.req.Body.(*body); ok {
			if !b.expect {
				return // it was told already
			}
			b.expect = false
		}
	}
	if w.req.ProtoMinor == 0 {
		return
	}
	w.statusLine(status)
	if status != http.StatusContinue {
		w.writeHeader()
	}
	_, _ = w.h.bw.WriteString("\r\n")
	w.err = w.h.bw.Flush()
}

// frame decides how the body's end is shown.
func (w *response) frame() {
	w.length = -1
	w.bodyless = w.req.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified
	if text := w.header.Get("Content-Length"); text != "" {
		if n, err := parseLength(text); err == nil {
			w.length = n
		} else {
			delete(w.header, "Content-Length")
		}
	}
	if w.status == http.StatusNoContent || w.status == http.StatusSwitchingProtocols {
		delete(w.header, "Content-Length")
		w.length = -1
	}
	delete(w.header, "Transfer-Encoding")
}

// sendHead puts the head into the buffer. last means that no body follows.
func (w *response) sendHead(last bool) {
	w.h.wmu.Lock()
	defer w.h.wmu.Unlock()
	w.sent = true
	connection := w.header["Connection"]
	if hasToken(connection, "close") {
		w.closing = true
	}
	if w.h.m.draining() {
		w.closing = true
	}
	upgrade := w.status == http.StatusSwitchingProtocols
	w.statusLine(w.status)
	switch {
	case upgrade, w.bodyless, w.length >= 0:
	case last && len(w.trailers) == 0 && !w.hasPrefixed():
		w.length = 0
		w.header["Content-Length"] = []string{"0"}
	case w.req.ProtoMinor == 0:
		w.closing = true
	default:
		w.chunked = true
	}
	if _, ok := w.header["Date"]; !ok {
		w.header["Date"] = []string{httpDate()}
	}
	if !upgrade {
		delete(w.header, "Connection")
	}
	w.writeHeader()
	if w.chunked {
		_, _ = w.h.bw.WriteString("transfer-encoding: chunked\r\n")
	}
	if w.closing && !upgrade {
		_, _ = w.h.bw.WriteString("connection: close\r\n")
	} else if w.req.ProtoMinor == 0 && !upgrade {
		_, _ = w.h.bw.WriteString("connection: keep-alive\r\n")
	}
	_, _ = w.h.bw.WriteString("\r\n")
}

func (w *response) statusLine(status int) {
	bw := w.h.bw
	_, _ = bw.WriteString("HTTP/1.1 ")
	_, _ = bw.WriteString(itoa(status))
	_ = bw.WriteByte(' ')
	_, _ = bw.WriteString(http.StatusText(status))
	_, _ = bw.WriteString("\r\n")
}

// writeHeader writes the header lines, sorted, without trailers.
func (w *response) writeHeader() {
	bw := w.h.bw
	var array [24]string
	keys := array[:0]
	for k := range w.header {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if strings.HasPrefix(k, http.TrailerPrefix) || slices.Contains(w.trailers, k) || !httpguts.ValidHeaderFieldName(k) {
			continue
		}
		for _, v := range w.header[k] {
			writeLower(bw, k)
			_, _ = bw.WriteString(": ")
			_, _ = bw.WriteString(cleanValue(v))
			_, _ = bw.WriteString("\r\n")
		}
	}
}

func (w *response) hasPrefixed() bool {
	for k := range w.header {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// Write implements io.Writer.
func (w *response) Write(p []byte) (int, error) { return w.write(p, "") }

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return w.write(nil, s) }

func (w *response) write(p []byte, s string) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n := len(p) + len(s)
	if n == 0 {
		return 0, nil
	}
	if !w.sent {
		w.sendHead(false)
	}
	if w.bodyless {
		return n, nil
	}
	if w.length >= 0 && w.written+int64(n) > w.length {
		return 0, errLength
	}
	bw := w.h.bw
	if w.chunked {
		var size [18]byte
		_, _ = bw.Write(append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...))
	}
	if p != nil {
		_, w.err = bw.Write(p)
	} else {
		_, w.err = bw.WriteString(s)
	}
	if w.chunked {
		_, w.err = bw.WriteString("\r\n")
	}
	w.written += int64(n)
	return n, w.err
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sent {
		w.sendHead(false)
	}
	if w.err == nil {
		w.err = w.h.bw.Flush()
	}
	return w.err
}

// finish ends the response.
func (w *response) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sent {
		w.sendHead(true)
	}
	if w.chunked {
		_, _ = w.h.bw.WriteString("0\r\n")
		w.writeTrailers()
		_, _ = w.h.bw.WriteString("\r\n")
	}
	if !w.bodyless && w.length >= 0 && w.written < w.length {
		w.closing = true // the client must not wait for the rest
	}
	if err := w.h.bw.Flush(); w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *response) writeTrailers() {
	for k, values := range w.header {
		name, prefixed := strings.CutPrefix(k, http.TrailerPrefix)
		if !prefixed && !slices.Contains(w.trailers, k) || !httpguts.ValidTrailerHeader(name) {
			continue
		}
		for _, v := range values {
			writeLower(w.h.bw, name)
			_, _ = w.h.bw.WriteString(": " + cleanValue(v) + "\r\n")
		}
	}
}

// Hijack implements http.Hijacker. What was not sent yet of the head is sent.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.status != 0 && !w.sent {
		w.sendHead(true)
	}
	if err := w.h.bw.Flush(); err != nil {
		return nil, nil, err
	}
	w.h.endWatch()
	w.hijacked = true
	_ = w.h.conn.SetDeadline(time.Time{})
	return w.h.conn, bufio.NewReadWriter(w.h.br, w.h.bw), nil
}

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error { return w.h.conn.SetReadDeadline(t) }

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error { return w.h.conn.SetWriteDeadline(t) }

// EnableFullDuplex is for http.ResponseController; reading the body after
// writing is always possible.
func (w *response) EnableFullDuplex() error { return nil }

func writeLower(bw *bufio.Writer, name string) {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		_ = bw.WriteByte(c)
	}
}

var newlines = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

func cleanValue(v string) string {
	if strings.ContainsAny(v, "\r\n\x00") {
		return newlines.Replace(v)
	}
	return v
}

func itoa(n int) string { return strconv.Itoa(n) }

type dateText struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[dateText]

// httpDate is the current second as an IMF-fixdate.
func httpDate() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	text := now.UTC().Format(http.TimeFormat)
	lastDate.Store(&dateText{now.Unix(), text})
	return text
}
