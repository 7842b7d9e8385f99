package router

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

type hcmProto = hcmv3.HttpConnectionManager

// manager is what a connection manager does to every request, whatever its
// route.
type manager struct {
	serverName   string
	server       hcmv3.HttpConnectionManager_ServerHeaderTransformation
	via          string
	remote       bool // use_remote_address
	trustedHops  int
	skipXFF      bool
	forwardPort  bool
	internal     []netip.Prefix // internal_address_config
	userAgent    bool
	generateID   bool
	preserveID   bool
	answerID     bool
	certificates hcmv3.HttpConnectionManager_ForwardClientCertDetails
	details      *hcmv3.HttpConnectionManager_SetCurrentClientCertDetails
	scheme       string // scheme_header_transformation

	normalize      bool
	mergeSlashes   bool
	escapedSlashes hcmv3.HttpConnectionManager_PathWithEscapedSlashesAction
	stripPort      hostPort
	stripDot       bool

	upgrades       map[string]bool
	idle           time.Duration // stream_idle_timeout; 0 is none
	requestTimeout time.Duration
	maxStream      time.Duration
	headerBytes    int
	headerCount    int
	underscores    corev3.HttpProtocolOptions_HeadersWithUnderscoresAction
	continue100    bool // proxy_100_continue
	trailers       bool // HTTP/1 trailers are passed on
	tracing        bool

	replies *localReplies
}

// hostPort says which ports are taken from the host.
type hostPort int

const (
	keepPort hostPort = iota
	stripMatchingPort
	stripAnyPort
)

// Defaults of Envoy's connection manager (HttpConnectionManager).
const (
	defaultStreamIdle  = 5 * time.Minute
	defaultHeaderKiB   = 60
	defaultHeaderCount = 100
)

func newManager(hcm *hcmProto, o Options) (*manager, error) {
	m := &manager{
		serverName: hcm.GetServerName(), server: hcm.GetServerHeaderTransformation(), via: hcm.GetVia(),
		remote: hcm.GetUseRemoteAddress().GetValue(), trustedHops: int(hcm.GetXffNumTrustedHops()),
		skipXFF: hcm.GetSkipXffAppend(), forwardPort: hcm.GetAppendXForwardedPort(),
		userAgent:  hcm.GetAddUserAgent().GetValue(),
		generateID: hcm.GetGenerateRequestId() == nil || hcm.GetGenerateRequestId().GetValue(),
		preserveID: hcm.GetPreserveExternalRequestId(), answerID: hcm.GetAlwaysSetRequestIdInResponse(),
		certificates: hcm.GetForwardClientCertDetails(), details: hcm.GetSetCurrentClientCertDetails(),
		scheme:    hcm.GetSchemeHeaderTransformation().GetSchemeToOverwrite(),
		normalize: hcm.GetNormalizePath().GetValue(), mergeSlashes: hcm.GetMergeSlashes(),
		escapedSlashes: hcm.GetPathWithEscapedSlashesAction(), stripDot: hcm.GetStripTrailingHostDot(),
		idle: defaultStreamIdle, requestTimeout: hcm.GetRequestTimeout().AsDuration(),
		headerBytes: defaultHeaderKiB << 10, headerCount: defaultHeaderCount,
		continue100: hcm.GetProxy_100Continue(), tracing: hcm.GetTracing() != nil,
		trailers: hcm.GetHttpProtocolOptions().GetEnableTrailers(),
	}
	if m.serverName == "" {
		m.serverName = "envoy"
	}
	if d := hcm.GetStreamIdleTimeout(); d != nil {
		m.idle = d.AsDuration()
	}
	if n := hcm.GetMaxRequestHeadersKb(); n != nil {
		m.headerBytes = int(n.GetValue()) << 10
	}
	common := hcm.GetCommonHttpProtocolOptions()
	if n := common.GetMaxHeadersCount(); n != nil {
		m.headerCount = int(n.GetValue())
	}
	m.maxStream = common.GetMaxStreamDuration().AsDuration()
	m.underscores = common.GetHeadersWithUnderscoresAction()
	switch {
	case hcm.GetStripAnyHostPort():
		m.stripPort = stripAnyPort
	case hcm.GetStripMatchingHostPort():
		m.stripPort = stripMatchingPort
	}
	m.upgrades = upgradesOf(hcm)
	return m, errors.Join(m.addresses(hcm), m.localReplies(hcm, o))
}

func upgradesOf(hcm *hcmProto) map[string]bool {
	out := map[string]bool{}
	for _, u := range hcm.GetUpgradeConfigs() {
		out[strings.ToLower(u.GetUpgradeType())] = u.GetEnabled() == nil || u.GetEnabled().GetValue()
	}
	return out
}

func (m *manager) addresses(hcm *hcmProto) error {
	for _, c := range hcm.GetInternalAddressConfig().GetCidrRanges() {
		ip, err := netip.ParseAddr(c.GetAddressPrefix())
		if err != nil {
			return fmt.Errorf("internal_address_config: %q is not an address", c.GetAddressPrefix())
		}
		p, err := ip.Prefix(int(c.GetPrefixLen().GetValue()))
		if err != nil {
			return fmt.Errorf("internal_address_config: %w", err)
		}
		m.internal = append(m.internal, p)
	}
	return nil
}

// isInternal follows internal_address_config: without it no address is trusted
// (Envoy 1.33, "internal_address_config").
func (m *manager) isInternal(ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, p := range m.internal {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
