package upstream

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Finer kinds of failure; each is also the kind that it wraps.
var (
	// ErrConnectTimeout is a connection that was not made within the cluster's
	// connect_timeout.
	ErrConnectTimeout = fmt.Errorf("connection timeout: %w", ErrConnect)
	// ErrStreamReset is an HTTP/2 stream that the upstream reset while its
	// connection lives on (UR).
	ErrStreamReset = fmt.Errorf("remote reset: %w", ErrReset)
	// ErrRefusedStream is an HTTP/2 stream that the upstream did not process, so
	// that the request may be sent again whatever it is (RFC 9113, section 8.7).
	ErrRefusedStream = fmt.Errorf("remote refused stream reset: %w", ErrStreamReset)
)

// Error is how an exchange failed.
type Error struct {
	Kind error  // one of the errors of this package; errors.Is finds it
	Text string // for %UPSTREAM_TRANSPORT_FAILURE_REASON%; "" where Envoy has none
	Err  error  // the cause; may be nil
}

// Error is Text, or the kind's text where there is none.
func (e *Error) Error() string {
	if e.Text != "" {
		return e.Text
	}
	return e.Kind.Error()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// ResetReason says why no response came in Envoy's words, as its local answer
// has them after "upstream connect error or disconnect/reset before headers.
// reset reason: ". It is "" for errors that are not of this package.
func ResetReason(err error) string {
	switch {
	case errors.Is(err, ErrOverflow):
		return "overflow"
	case errors.Is(err, ErrConnectTimeout):
		return "connection timeout"
	case errors.Is(err, ErrConnect), errors.Is(err, ErrTLS):
		return "remote connection failure"
	case errors.Is(err, ErrRefusedStream):
		return "remote refused stream reset"
	case errors.Is(err, ErrStreamReset):
		return "remote reset"
	case errors.Is(err, ErrReset):
		return "connection termination"
	case errors.Is(err, ErrProtocol):
		return "protocol error"
	}
	return ""
}

// TransportFailure is the text of %UPSTREAM_TRANSPORT_FAILURE_REASON%, "" where
// Envoy has none for such an error.
func TransportFailure(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Text
	}
	return ""
}

// connectError says in Envoy's words why a connection was not made.
func connectError(err error) error {
	var timeout net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{Kind: ErrConnectTimeout, Err: err}
	}
	return &Error{Kind: ErrConnect, Text: "delayed connect error: " + reasonText(err), Err: err}
}

// reasonText is the C library's text for the system call's error, which is what
// Envoy shows.
func reasonText(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	switch number {
	case syscall.ECONNREFUSED:
		return "Connection refused"
	case syscall.ECONNRESET:
		return "Connection reset by peer"
	case syscall.EHOSTUNREACH:
		return "No route to host"
	case syscall.ENETUNREACH:
		return "Network is unreachable"
	case syscall.EADDRNOTAVAIL:
		return "Cannot assign requested address"
	case syscall.ETIMEDOUT:
		return "Connection timed out"
	}
	return number.Error()
}
