package router

import (
	"io"
	"net/http"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/route"
)

// reply is an answer of the proxy itself.
type reply struct {
	status  int
	body    string
	kind    string // content type; text/plain unless set
	details string
	grpc    *int              // the gRPC status; nil for what follows from the HTTP status
	own     bool              // it is no error: gRPC clients get it as it is
	header  func(http.Header) // more headers
}

// reply answers the request. Where the response has begun it breaks off.
func (x *exchange) reply(a reply) {
	x.rec.Details = a.details
	if x.started {
		x.aborted = true
		return
	}
	h := x.w.Header()
	x.r.m.replies.rewrite(x, &a, h)
	if x.rec.GRPC && !a.own {
		status := grpcOfStatus(a.status)
		if a.grpc != nil {
			status = *a.grpc
		}
		h["Content-Type"] = []string{"application/grpc"}
		h["Grpc-Status"] = []string{itoa(status)}
		if a.body != "" {
			h["Grpc-Message"] = []string{grpcMessage(a.body)}
		}
		a.status, a.body = http.StatusOK, ""
	} else if a.body != "" {
		if a.kind == "" {
			a.kind = "text/plain"
		}
		h["Content-Length"] = []string{itoa(len(a.body))}
		h["Content-Type"] = []string{a.kind}
	}
	if a.header != nil {
		a.header(h)
	}
	if x.routed {
		x.routeResponse(h)
	}
	x.head(a.status)
	if a.body != "" && x.req.Method != http.MethodHead {
		n, err := io.WriteString(x.w, a.body)
		x.rec.BytesSent += int64(n)
		if err != nil {
			x.gone()
		}
	}
}

// head writes the response's head after filters and manager have seen it.
func (x *exchange) head(status int) {
	x.filterResponse()
	x.rec.Status = status
	x.started = true
	x.w.WriteHeader(status)
}

// filterResponse is what filters and manager do to the response's headers
// (Envoy: ConnectionManagerImpl::ActiveStream::encodeHeaders).
func (x *exchange) filterResponse() {
	h, m := x.w.Header(), x.r.m
	for i := len(x.r.chain) - 1; i >= 0; i-- {
		x.r.chain[i].response(x)
	}
	switch m.server {
	case hcmv3.HttpConnectionManager_PASS_THROUGH:
	case hcmv3.HttpConnectionManager_APPEND_IF_ABSENT:
		if first(h, "Server") == "" {
			h["Server"] = []string{m.serverName}
		}
	default:
		h["Server"] = []string{m.serverName}
	}
	if m.answerID {
		if id := first(x.in, "X-Request-Id"); id != "" {
			h["X-Request-Id"] = []string{id}
		}
	}
	if m.via != "" {
		appendValue(h, "Via", m.via, ", ")
	}
	if m.tracing {
		if x.rec.Downstream.Inbound {
			if x.operation != "" {
				h["X-Envoy-Decorator-Operation"] = []string{x.operation}
			}
		} else {
			delete(h, "X-Envoy-Decorator-Operation")
		}
	}
	x.rec.ResponseHeaders = h
}

// decorate tells the other side of the trace the operation's name.
func (x *exchange) decorate() {
	if !x.r.m.tracing {
		return
	}
	operation := ""
	if x.plan != nil {
		operation = x.plan.trace
	}
	if x.rec.Downstream.Inbound {
		if len(x.in["X-Envoy-Decorator-Operation"]) > 0 {
			delete(x.in, "X-Envoy-Decorator-Operation")
			return
		}
		x.operation = operation
	} else if operation != "" {
		x.in["X-Envoy-Decorator-Operation"] = []string{operation}
	}
}

// routeResponse makes the route's changes to response headers.
func (x *exchange) routeResponse(h http.Header) {
	if x.plan == nil {
		return
	}
	if x.plan.answers {
		after := x.t.config.ResponseHeaders(x.decision, &x.ask, appendHeaders(nil, h))
		replaceHeaders(h, after)
	} else {
		applyAll(x.plan.down, x.decision.Weighted, h)
	}
	if x.plan.countResponse && x.rec.Attempts > 0 {
		h["X-Envoy-Attempt-Count"] = []string{itoa(x.rec.Attempts)}
	}
}

func replaceHeaders(h http.Header, with []route.Header) {
	clear(h)
	for _, f := range with {
		name := http.CanonicalHeaderKey(f.Name)
		h[name] = append(h[name], f.Value)
	}
}

// grpcOfStatus is the gRPC project's "HTTP to gRPC Status Code Mapping".
func grpcOfStatus(status int) int {
	switch status {
	case 200:
		return 0
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return 14
	}
	return 2
}

// statusOfGRPC is the HTTP status for a gRPC status (Envoy:
// Grpc::Utility::grpcToHttpStatus).
func statusOfGRPC(status int) int {
	switch status {
	case 0:
		return 200
	case 1:
		return 499
	case 3, 9, 11:
		return 400
	case 4:
		return 504
	case 5:
		return 404
	case 6, 10:
		return 409
	case 7:
		return 403
	case 8:
		return 429
	case 12:
		return 501
	case 14:
		return 503
	case 16:
		return 401
	}
	return 500
}

// grpcMessage writes a text as grpc-message has it: percent-encoded but for
// printable ASCII.
func grpcMessage(text string) string {
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c <= '~' && c != '%' {
			out.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		out.WriteByte('%')
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}
