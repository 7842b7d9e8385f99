package server

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// badRequest is a request that cannot be understood; Status is what is answered
// and Details what the access log says.
type badRequest struct {
	Status  int
	Details string
}

func (b *badRequest) Error() string { return b.Details }

// Envoy's names for such requests (source/common/http/http1, response code
// details).
var (
	errCodec       = &badRequest{http.StatusBadRequest, "http1.codec_error"}
	errHost        = &badRequest{http.StatusBadRequest, "missing_host_header"}
	errTransfer    = &badRequest{http.StatusBadRequest, "http1.invalid_transfer_encoding"}
	errTransferOdd = &badRequest{http.StatusNotImplemented, "http1.invalid_transfer_encoding"}
	errBothLengths = &badRequest{http.StatusBadRequest, "http1.content_length_and_chunked_not_allowed"}
	errURL         = &badRequest{http.StatusBadRequest, "http1.invalid_url"}
	errTooLarge    = &badRequest{http.StatusRequestHeaderFieldsTooLarge, "http1.headers_too_large"}
	errTooMany     = &badRequest{http.StatusRequestHeaderFieldsTooLarge, "http1.too_many_headers"}
	errVersion10   = &badRequest{http.StatusUpgradeRequired, "low_version"}
	errVersion     = &badRequest{http.StatusBadRequest, "http1.codec_error"}
	errFieldName   = &badRequest{http.StatusBadRequest, "http1.invalid_characters"}
)

// limits of a request's head.
type limits struct {
	bytes   int // of the request line and the headers together
	headers int
	http10  bool // HTTP/1.0 is accepted
	chunked bool // content-length beside chunked is ignored, not refused
}

// readHead reads the request line and the headers as they came, without the
// empty line that ends them. io.EOF means that the client closed before
// anything of a request came.
func readHead(br *bufio.Reader, buf []byte, max int) ([]byte, error) {
	for {
		line, err := br.ReadSlice('\n')
		if len(buf)+len(line) > max {
			return buf, errTooLarge
		}
		full := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !full {
			if err == io.EOF && len(buf)+len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
		start := len(buf)
		fresh := start == 0 || buf[start-1] == '\n' // line starts here
		if fresh && !full && (len(line) == 1 || len(line) == 2 && line[0] == '\r') {
			if start == 0 {
				continue // RFC 9112, section 2.2: an empty line before the request line
			}
			return buf, nil
		}
		buf = append(buf, line...)
	}
}

// parseHead fills in all of a request but its body.
func parseHead(head []byte, lim limits, req *http.Request) error {
	text := string(head)
	line, rest := cutLine(text)
	if err := parseRequestLine(line, lim, req); err != nil {
		return err
	}
	count := strings.Count(rest, "\n")
	if count > lim.headers {
		return errTooMany
	}
	req.Header = make(http.Header, count)
	values := make([]string, count) // one array for all values, as most headers have one
	hosts := 0
	for rest != "" {
		line, rest = cutLine(rest)
		name, value, ok := strings.Cut(line, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			return errFieldName
		}
		value = textproto.TrimString(value)
		if !httpguts.ValidHeaderFieldValue(value) {
			return errFieldName
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		if key == "Host" {
			if hosts++; hosts > 1 {
				return errCodec
			}
			if req.Host == "" { // the request line's authority goes first
				req.Host = value
			}
			continue
		}
		if have := req.Header[key]; have != nil {
			req.Header[key] = append(have, value)
			continue
		}
		values[0] = value
		req.Header[key], values = values[:1:1], values[1:]
	}
	if req.Host == "" && (req.ProtoMinor > 0 || hosts > 0) {
		return errHost
	}
	if !httpguts.ValidHostHeader(req.Host) {
		return errHost
	}
	return nil
}

func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

func parseRequestLine(line string, lim limits, req *http.Request) error {
	method, rest, ok1 := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !httpguts.ValidHeaderFieldName(method) || target == "" {
		return errCodec
	}
	switch version {
	case "HTTP/1.1":
		req.ProtoMinor = 1
	case "HTTP/1.0":
		if !lim.http10 {
			return errVersion10
		}
	default:
		return errVersion
	}
	req.Proto, req.ProtoMajor, req.Method, req.RequestURI = version, 1, method, target
	return parseTarget(target, req)
}

// parseTarget reads the four forms of RFC 9112, section 3.2.
func parseTarget(target string, req *http.Request) error {
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return errURL
		}
	}
	switch {
	case target[0] == '/':
		req.URL = originURL(target)
	case target == "*" && req.Method == http.MethodOptions:
		req.URL = &url.URL{Path: "*"}
	case req.Method == http.MethodConnect:
		req.URL, req.Host = &url.URL{Host: target}, target
	default:
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host == "" {
			return errURL
		}
		req.URL, req.Host = u, u.Host
		req.RequestURI = u.RequestURI()
	}
	return nil
}

// originURL splits a path and a query; a path that is no valid escape, which
// Envoy forwards as it is, is kept in Opaque-free form by RawPath.
func originURL(target string) *url.URL {
	path, query, has := strings.Cut(target, "?")
	u := &url.URL{Path: path, RawQuery: query, ForceQuery: has && query == ""}
	if strings.IndexByte(path, '%') >= 0 {
		if decoded, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = decoded, path
		}
	}
	return u
}

// framing says how long the body is: its length, or chunked.
func framing(req *http.Request, lim limits) (length int64, chunked bool, err error) {
	te, lengths := req.Header["Transfer-Encoding"], req.Header["Content-Length"]
	if len(te) > 0 {
		if len(te) != 1 || !strings.EqualFold(textproto.TrimString(te[0]), "chunked") {
			return 0, false, errTransferOdd
		}
		if req.ProtoMinor == 0 {
			return 0, false, errTransfer
		}
		if len(lengths) > 0 && !lim.chunked {
			return 0, false, errBothLengths
		}
		delete(req.Header, "Content-Length")
		delete(req.Header, "Transfer-Encoding")
		return -1, true, nil
	}
	if len(lengths) == 0 {
		return 0, false, nil
	}
	for _, l := range lengths {
		if l != lengths[0] {
			return 0, false, errCodec
		}
	}
	length, err = parseLength(lengths[0])
	if err != nil {
		return 0, false, errCodec
	}
	req.Header["Content-Length"] = lengths[:1]
	return length, false, nil
}

func parseLength(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errCodec
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errCodec
	}
	return n, nil
}
