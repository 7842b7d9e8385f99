package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// errRequest is a request that cannot be written without becoming another one.
var errRequest = errors.New("the request cannot be sent")

// writeHead writes the request line and the headers into the buffer. A length
// below 0 is chunked.
func (c *connection) writeHead(req *http.Request, length int64) error {
	target, host := targetOf(req, c.pool.host.cluster.settings)
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	if !httpguts.ValidHeaderFieldName(method) || !validTarget(target) || !httpguts.ValidHostHeader(host) {
		return fmt.Errorf("%w: method %q, target %q or authority %q", errRequest, method, target, host)
	}
	w := c.writer
	_, _ = w.WriteString(method)
	_ = w.WriteByte(' ')
	_, _ = w.WriteString(target)
	_, _ = w.WriteString(" HTTP/1.1\r\n")
	proper := c.pool.host.cluster.settings.properCase
	c.header("Host", host, proper)
	if err := c.headers(req, proper); err != nil {
		c.writer.Reset(c) // nothing of it was sent: the buffer holds all, or flushed what is broken anyway
		return err
	}
	switch {
	case length < 0:
		c.header("Transfer-Encoding", "chunked", proper)
	case length > 0 || sendsLength(method) && req.Body != nil:
		c.header("Content-Length", strconv.FormatInt(length, 10), proper)
	}
	if length < 0 && c.pool.host.cluster.settings.trailers && len(req.Trailer) > 0 {
		names := make([]string, 0, len(req.Trailer))
		for name := range req.Trailer {
			names = append(names, name)
		}
		c.header("Trailer", strings.Join(names, ", "), proper)
	}
	_, err := w.WriteString("\r\n")
	return err
}

func targetOf(req *http.Request, s *settings) (target, host string) {
	host = req.Host
	if host == "" {
		host = req.URL.Host
	}
	target = req.URL.RequestURI()
	switch {
	case req.Method == http.MethodConnect:
		target = host
	case s.absoluteURL:
		scheme := req.URL.Scheme
		if scheme == "" {
			scheme = "http"
		}
		target = scheme + "://" + host + target
	}
	return target, host
}

func validTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// sendsLength are the methods for which "content-length: 0" says something
// (RFC 9110, section 8.6).
func sendsLength(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true
	}
	return false
}

func (c *connection) headers(req *http.Request, proper bool) error {
	upgrade := req.Header.Get("Upgrade")
	for name, values := range req.Header {
		switch name {
		case "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Content-Length", "Upgrade", "Trailer":
			continue
		case "Te":
			if !httpguts.HeaderValuesContainsToken(values, "trailers") {
				continue
			}
			values = []string{"trailers"}
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%w: header name %q", errRequest, name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("%w: the value of header %s", errRequest, name)
			}
			c.header(name, v, proper)
		}
	}
	switch {
	case upgrade != "" && httpguts.ValidHeaderFieldValue(upgrade):
		c.header("Connection", "upgrade", proper)
		c.header("Upgrade", upgrade, proper)
	case req.Close:
		c.header("Connection", "close", proper)
	}
	return nil
}

// header writes one header; the name in lower case, as Envoy does, unless the
// cluster wants proper case.
func (c *connection) header(name, value string, proper bool) {
	w := c.writer
	if proper {
		_, _ = w.WriteString(name)
	} else {
		for i := range len(name) {
			b := name[i]
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			_ = w.WriteByte(b)
		}
	}
	_, _ = w.WriteString(": ")
	_, _ = w.WriteString(value)
	_, _ = w.WriteString("\r\n")
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// writeBody sends the body as it comes. A *bodyError is the client's fault, any
// other error the upstream's.
func (c *connection) writeBody(body io.Reader, length int64, req *http.Request) error {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	left := length
	for {
		n, err := body.Read(*buffer)
		if length >= 0 && int64(n) > left {
			n, err = int(left), io.EOF // more than announced: a server's reader never gives that
		}
		if n > 0 {
			left -= int64(n)
			if err := c.writePart((*buffer)[:n], length < 0); err != nil {
				return err
			}
		}
		switch {
		case length >= 0 && left == 0:
			return nil
		case err == io.EOF && length < 0:
			return c.writeEnd(req)
		case err == io.EOF:
			return &bodyError{io.ErrUnexpectedEOF}
		case err != nil:
			return &bodyError{err}
		}
	}
}

func (c *connection) writePart(p []byte, chunked bool) error {
	if !chunked {
		_, _ = c.writer.Write(p)
		return c.writer.Flush()
	}
	var size [20]byte
	_, _ = c.writer.Write(strconv.AppendInt(size[:0], int64(len(p)), 16))
	_, _ = c.writer.WriteString("\r\n")
	_, _ = c.writer.Write(p)
	_, _ = c.writer.WriteString("\r\n")
	return c.writer.Flush()
}

// writeEnd is the last chunk, with trailers where the cluster sends them.
func (c *connection) writeEnd(req *http.Request) error {
	_, _ = c.writer.WriteString("0\r\n")
	s := c.pool.host.cluster.settings
	if s.trailers {
		for name, values := range req.Trailer {
			for _, v := range values {
				if httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldValue(v) {
					c.header(name, v, s.properCase)
				}
			}
		}
	}
	_, _ = c.writer.WriteString("\r\n")
	return c.writer.Flush()
}
