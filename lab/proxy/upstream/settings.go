package upstream

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
)

const protocolOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// Envoy's defaults for upstream connections.
const (
	defaultConnectTimeout = 5 * time.Second
	defaultIdleTimeout    = time.Hour
	defaultHeadersKB      = 60
)

// settings are a cluster's connection and protocol options.
type settings struct {
	connectTimeout time.Duration
	keepalive      *corev3.TcpKeepalive

	http2      bool // always
	downstream bool // as the request's
	options2   *corev3.Http2ProtocolOptions

	idle        time.Duration // 0: never
	longest     time.Duration // of a connection; 0: no limit
	requests    uint64        // per connection; 0: no limit
	headersKB   uint32
	maxHeaders  uint32 // 0: Envoy's 100
	trailers    bool
	properCase  bool // "Content-Type" instead of Envoy's "content-type"
	absoluteURL bool

	autoSNI, autoSAN bool
	sniHeader        string // instead of the authority
}

func newSettings(c *clusterv3.Cluster) *settings {
	s := &settings{
		connectTimeout: defaultConnectTimeout, idle: defaultIdleTimeout, headersKB: defaultHeadersKB,
		keepalive: c.GetUpstreamConnectionOptions().GetTcpKeepalive(),
		requests:  uint64(c.GetMaxRequestsPerConnection().GetValue()),
	}
	if t := c.GetConnectTimeout(); t != nil && t.AsDuration() > 0 {
		s.connectTimeout = t.AsDuration()
	}
	options := &httpv3.HttpProtocolOptions{}
	if packed := c.GetTypedExtensionProtocolOptions()[protocolOptionsName]; packed != nil && packed.UnmarshalTo(options) == nil {
		s.take(options)
		return s
	}
	// The deprecated fields of the cluster itself.
	s.http2, s.options2 = c.GetHttp2ProtocolOptions() != nil, c.GetHttp2ProtocolOptions()
	s.downstream = c.GetProtocolSelection() == clusterv3.Cluster_USE_DOWNSTREAM_PROTOCOL
	s.common(c.GetCommonHttpProtocolOptions())
	s.http1(c.GetHttpProtocolOptions())
	s.sni(c.GetUpstreamHttpProtocolOptions())
	return s
}

func (s *settings) take(o *httpv3.HttpProtocolOptions) {
	s.common(o.GetCommonHttpProtocolOptions())
	s.sni(o.GetUpstreamHttpProtocolOptions())
	if explicit := o.GetExplicitHttpConfig(); explicit != nil {
		s.options2 = explicit.GetHttp2ProtocolOptions()
		s.http2 = s.options2 != nil
		s.http1(explicit.GetHttpProtocolOptions())
	}
	if both := o.GetUseDownstreamProtocolConfig(); both != nil {
		s.downstream = true
		s.options2 = both.GetHttp2ProtocolOptions()
		s.http1(both.GetHttpProtocolOptions())
	}
}

func (s *settings) common(o *corev3.HttpProtocolOptions) {
	if t := o.GetIdleTimeout(); t != nil {
		s.idle = t.AsDuration()
	}
	s.longest = o.GetMaxConnectionDuration().AsDuration()
	if n := o.GetMaxRequestsPerConnection(); n != nil {
		s.requests = uint64(n.GetValue())
	}
	s.headersKB = orDefault(o.GetMaxResponseHeadersKb(), defaultHeadersKB)
	s.maxHeaders = orDefault(o.GetMaxHeadersCount(), 0)
}

func (s *settings) http1(o *corev3.Http1ProtocolOptions) {
	s.trailers = o.GetEnableTrailers()
	s.properCase = o.GetHeaderKeyFormat() != nil
	s.absoluteURL = o.GetSendFullyQualifiedUrl()
}

func (s *settings) sni(o *corev3.UpstreamHttpProtocolOptions) {
	s.autoSNI, s.autoSAN, s.sniHeader = o.GetAutoSni(), o.GetAutoSanValidation(), o.GetOverrideAutoSniHeader()
}

// wants2 tells whether a request goes out as HTTP/2.
func (s *settings) wants2(req *http.Request) bool {
	return s.http2 || s.downstream && s.options2 != nil && req.ProtoMajor >= 2
}

// serverName is the SNI that a request asks for; "" where the cluster fixes it.
func (s *settings) serverName(req *http.Request) string {
	if !s.autoSNI || req == nil {
		return ""
	}
	name := req.Host
	if s.sniHeader != "" {
		if v := req.Header.Get(s.sniHeader); v != "" {
			name = v
		}
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "" // RFC 6066, section 3: no addresses
	}
	return name
}
