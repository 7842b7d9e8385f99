package server

import (
	"errors"
	"fmt"
	"net"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"github.com/pires/go-proxyproto"
)

// listenerFilter looks at a connection before a filter chain is chosen. It
// reads more with c.more.
type listenerFilter struct {
	name     string
	disabled *listenerv3.ListenerFilterChainMatchPredicate
	run      func(c *connection) error
}

func newListenerFilter(f *listenerv3.ListenerFilter) (*listenerFilter, error) {
	if f.GetConfigDiscovery() != nil {
		return nil, fmt.Errorf("listener filter %s: config_discovery is not supported", f.GetName())
	}
	any := f.GetTypedConfig()
	m, err := any.UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("listener filter %s: %w", f.GetName(), err)
	}
	lf := &listenerFilter{name: f.GetName(), disabled: f.GetFilterDisabled()}
	switch m := m.(type) {
	case *originaldstv3.OriginalDst:
		lf.run = func(*connection) error { return nil } // the socket or PROXY v2 has said it
	case *tlsinspectorv3.TlsInspector:
		lf.run = inspectTLS
	case *httpinspectorv3.HttpInspector:
		lf.run = inspectHTTP
	case *proxyprotocolv3.ProxyProtocol:
		lf.run = func(c *connection) error { return readProxyHeader(c, m.GetAllowRequestsWithoutProxyProtocol()) }
	default:
		return nil, fmt.Errorf("listener filter %s (%s) is not supported", f.GetName(), m.ProtoReflect().Descriptor().FullName())
	}
	return lf, nil
}

// errFilterTimeout says that a client said too little within
// listener_filters_timeout.
var errFilterTimeout = errors.New("listener_filters_timeout passed")

// inspect runs a listener's filters within listener_filters_timeout. When time
// is over, the connection goes on as far as it is known, or is given up, as
// continue_on_listener_filters_timeout says.
func (l *listener) inspect(c *connection) error {
	limited := l.timeout > 0 && len(l.filters) > 0
	if limited {
		_ = c.SetReadDeadline(time.Now().Add(l.timeout))
		defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	}
	for _, f := range l.filters {
		if f.disabled != nil && disables(f.disabled, c.down.Local.Port()) {
			continue
		}
		err := f.run(c)
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			if l.goOn {
				return nil
			}
			return errFilterTimeout
		default:
			return err
		}
	}
	return nil
}

func inspectTLS(c *connection) error {
	for {
		h, state := hello{}, helloMore
		if len(c.peeked) > 0 {
			h, state = parseHello(c.peeked)
		}
		switch state {
		case helloFull:
			c.transport, c.sni, c.alpn = overTLS, h.server, h.protocols
			return nil
		case helloNone:
			return nil
		}
		if err := c.more(); err != nil {
			return err
		}
	}
}

func inspectHTTP(c *connection) error {
	if c.transport == overTLS {
		return nil
	}
	for {
		if len(c.peeked) > 0 {
			protocol, more := sniffHTTP(c.peeked)
			if protocol != "" {
				c.alpn = []string{protocol}
			}
			if !more {
				return nil
			}
		}
		if err := c.more(); err != nil {
			return err
		}
	}
}

// disables evaluates filter_disabled.
func disables(p *listenerv3.ListenerFilterChainMatchPredicate, port uint16) bool {
	switch r := p.GetRule().(type) {
	case *listenerv3.ListenerFilterChainMatchPredicate_AnyMatch:
		return r.AnyMatch
	case *listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange:
		return int32(port) >= r.DestinationPortRange.GetStart() && int32(port) < r.DestinationPortRange.GetEnd()
	case *listenerv3.ListenerFilterChainMatchPredicate_NotMatch:
		return !disables(r.NotMatch, port)
	case *listenerv3.ListenerFilterChainMatchPredicate_OrMatch:
		for _, rule := range r.OrMatch.GetRules() {
			if disables(rule, port) {
				return true
			}
		}
		return false
	case *listenerv3.ListenerFilterChainMatchPredicate_AndMatch:
		for _, rule := range r.AndMatch.GetRules() {
			if !disables(rule, port) {
				return false
			}
		}
		return true
	}
	return false
}

// peekConn lets the PROXY protocol's reader see a connection with what was
// peeked, and nothing of what it buffers is lost, since it stays in front.
type peekConn struct {
	net.Conn
	c *connection
}

func (p *peekConn) Read(b []byte) (int, error) { return p.c.Read(b) }

// readProxyHeader takes addresses from a PROXY header (v1 or v2) at the
// connection's beginning.
func readProxyHeader(c *connection, optional bool) error {
	policy := proxyproto.REQUIRE
	if optional {
		policy = proxyproto.USE
	}
	inner := &connection{Conn: c.Conn, peeked: c.peeked}
	wrapped := proxyproto.NewConn(&peekConn{Conn: c.Conn, c: inner}, proxyproto.WithPolicy(policy))
	header := wrapped.ProxyHeader()
	if header == nil && !optional {
		return errors.New("no PROXY header")
	}
	c.Conn, c.peeked = &headed{Conn: wrapped, raw: c.Conn}, nil
	if header == nil || header.Command.IsLocal() {
		return nil
	}
	if from := addrPortOf(header.SourceAddr); from.IsValid() {
		c.down.Remote = from
	}
	if to := addrPortOf(header.DestinationAddr); to.IsValid() {
		c.down.Local = to
	}
	return nil
}

// headed reads behind a PROXY header and closes the socket itself.
type headed struct {
	net.Conn
	raw net.Conn
}

// Raw is the connection below.
func (h *headed) Raw() net.Conn { return h.raw }
