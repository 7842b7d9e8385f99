package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// exchange makes one request, writes the answer and gives where it redirects to.
func (t *transfer) exchange(ctx context.Context, u *url.URL, method, body string, out io.Writer) (string, error) {
	c, err := t.dial(ctx, u)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	defer func() { _ = c.Close() }()
	sends := body != "" || t.r.hasData && !t.r.asQuery && method != "GET" && method != "HEAD"
	lines := t.r.fields(body, sends)
	var response *http.Response
	var head []byte
	if t.speaksHTTP2(c) {
		response, head, err = t.http2(ctx, c, u, method, body, lines)
	} else {
		response, head, err = t.http1(c, u, method, body, lines)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	t.status, t.version, t.header = response.StatusCode, response.Proto, response.Header
	location := ""
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		location = response.Header.Get("Location")
	}
	t.failedStatus = t.r.fail && response.StatusCode >= 400
	if t.r.include || t.r.head {
		if _, err := out.Write(head); err != nil {
			return "", failed(23, "Failure writing output to destination: %v", err)
		}
	}
	if t.failedStatus && !t.r.failBody || location != "" && t.r.follow {
		return location, nil
	}
	n, err := io.Copy(out, response.Body)
	t.downloaded += n
	switch {
	case err == nil:
		return location, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "", failed(18, "transfer closed with outstanding read data remaining")
	}
	return "", failed(56, "Recv failure: %v", err)
}

func (t *transfer) speaksHTTP2(c net.Conn) bool {
	if secured, ok := c.(*tls.Conn); ok {
		return secured.ConnectionState().NegotiatedProtocol == "h2"
	}
	return t.r.prior
}

// http1 writes the request as curl does and keeps the head of the answer as it
// came.
func (t *transfer) http1(c net.Conn, u *url.URL, method, body string, lines [][2]string) (*http.Response, []byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, u.RequestURI())
	host := u.Host
	for i, l := range lines {
		if strings.EqualFold(l[0], "Host") {
			host, lines = l[1], slices.Delete(slices.Clone(lines), i, i+1)
			break
		}
	}
	fmt.Fprintf(&b, "Host: %s\r\n", host)
	for _, l := range lines {
		fmt.Fprintf(&b, "%s: %s\r\n", l[0], l[1])
	}
	b.WriteString("\r\n")
	t.show("> ", b.String())
	b.WriteString(body)
	if _, err := c.Write(b.Bytes()); err != nil {
		return nil, nil, failed(55, "Send failure: %v", err)
	}
	t.uploaded += int64(len(body))
	return t.answer(bufio.NewReader(c), method)
}

// answer reads the head, past interim answers (100, 103).
func (t *transfer) answer(from *bufio.Reader, method string) (*http.Response, []byte, error) {
	for {
		head, err := readHead(from)
		if err != nil {
			if len(head) == 0 && errors.Is(err, io.EOF) {
				return nil, nil, failed(52, "Empty reply from server")
			}
			return nil, nil, failed(56, "Recv failure: %v", err)
		}
		t.first = time.Since(t.started)
		t.show("< ", string(head))
		together := bufio.NewReader(io.MultiReader(bytes.NewReader(head), from))
		response, err := http.ReadResponse(together, &http.Request{Method: method})
		if err != nil {
			return nil, nil, failed(1, "the answer is not HTTP/1.1: %v", err)
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, head, nil
		}
	}
}

// maxHead bounds an answer's head, in bytes; curl's is 300 kB.
const maxHead = 300 << 10

func readHead(from *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := from.ReadSlice('\n')
		head = append(head, line...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return head, err
		}
		if len(head) > maxHead {
			return head, fmt.Errorf("the answer's head is larger than %d bytes", maxHead)
		}
		if err == nil && len(strings.TrimRight(string(line), "\r\n")) == 0 {
			return head, nil
		}
	}
}

// http2 sends the request over a connection that speaks HTTP/2.
func (t *transfer) http2(ctx context.Context, c net.Conn, u *url.URL, method, body string, lines [][2]string) (*http.Response, []byte, error) {
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return c, nil }
	plain := *u
	plain.Scheme = "http" // the connection is secured already, where it is
	request, err := http.NewRequestWithContext(ctx, method, plain.String(), strings.NewReader(body))
	if err != nil {
		return nil, nil, failed(3, "URL using bad/illegal format or missing URL: %v", err)
	}
	if body == "" {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	for _, l := range lines {
		switch {
		case strings.EqualFold(l[0], "Host"):
			request.Host = l[1]
		case !strings.EqualFold(l[0], "Content-Length"):
			request.Header.Add(l[0], l[1])
		}
	}
	t.show("> ", fmt.Sprintf("%s %s HTTP/2\r\nHost: %s\r\n%s\r\n", method, u.RequestURI(), u.Host, listed(request.Header)))
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, failed(16, "HTTP/2: %v", err)
	}
	t.first, t.uploaded = time.Since(t.started), t.uploaded+int64(len(body))
	head := fmt.Sprintf("HTTP/2 %d \r\n%s\r\n", response.StatusCode, listed(response.Header))
	t.show("< ", head)
	return response, []byte(head), nil
}

// listed are header lines in the order of their names: HTTP/2 headers reach the
// client as a map.
func listed(h http.Header) string {
	var b strings.Builder
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", strings.ToLower(name), v)
		}
	}
	return b.String()
}

// show writes a head line by line for -v.
func (t *transfer) show(prefix, head string) {
	if !t.r.verbose {
		return
	}
	for _, line := range strings.Split(strings.TrimSuffix(head, "\r\n"), "\r\n") {
		complain(t.stderr, "%s%s", prefix, line)
	}
}
