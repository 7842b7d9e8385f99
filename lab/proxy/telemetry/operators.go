package telemetry

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// compile makes the value of a command operator.
func (t *Telemetry) compile(op operator) (*value, error) {
	v, err := t.operator(op)
	if err != nil {
		return nil, err
	}
	own := *v // some values are shared by all formats
	own.limit = op.limit
	return &own, nil
}

func (t *Telemetry) operator(op operator) (*value, error) {
	if make, ok := withArgument[op.name]; ok {
		return make(t, op)
	}
	if op.name == "RESPONSE_CODE_DETAILS" && op.argument == "ALLOW_WHITESPACES" {
		return text(func(r *flow.Record) string { return r.Details }), nil
	}
	if op.hasArgument {
		return nil, fmt.Errorf("command operator %%%s(%s)%% is not known to the lab's proxy with an argument", op.name, op.argument)
	}
	if get, ok := texts[op.name]; ok {
		return text(get), nil
	}
	if get, ok := numbers[op.name]; ok {
		return number(get), nil
	}
	if get, ok := addresses[op.name]; ok {
		return get, nil
	}
	switch op.name {
	case "HOSTNAME":
		name := t.o.Spec.Name
		return text(func(*flow.Record) string { return name }), nil
	case "LOCAL_REPLY_BODY":
		return &value{add: func(b []byte, e *entry) ([]byte, bool) { return append(b, e.body...), e.body != "" }}, nil
	}
	return nil, fmt.Errorf("command operator %%%s%% is not supported by the lab's proxy", op.name)
}

// text is a value that is absent when empty.
func text(get func(*flow.Record) string) *value {
	return &value{add: func(b []byte, e *entry) ([]byte, bool) {
		s := get(e.Record)
		return append(b, s...), s != ""
	}}
}

// number is a value that is absent when negative.
func number(get func(*flow.Record) int64) *value {
	return &value{raw: true, add: func(b []byte, e *entry) ([]byte, bool) {
		n := get(e.Record)
		if n < 0 {
			return b, false
		}
		return strconv.AppendInt(b, n, 10), true
	}}
}

// texts are the operators that are one string of the record.
var texts = map[string]func(*flow.Record) string{
	"PROTOCOL":                          func(r *flow.Record) string { return r.Protocol },
	"RESPONSE_CODE_DETAILS":             func(r *flow.Record) string { return underscored(r.Details) },
	"CONNECTION_TERMINATION_DETAILS":    func(r *flow.Record) string { return r.Termination },
	"UPSTREAM_TRANSPORT_FAILURE_REASON": func(r *flow.Record) string { return underscored(r.FailureReason) },
	"RESPONSE_FLAGS":                    func(r *flow.Record) string { return shortFlags(r.Flags) },
	"RESPONSE_FLAGS_LONG":               func(r *flow.Record) string { return longFlags(r.Flags) },
	"UPSTREAM_CLUSTER":                  func(r *flow.Record) string { return r.Cluster },
	"UPSTREAM_CLUSTER_RAW":              func(r *flow.Record) string { return r.Cluster },
	"REQUESTED_SERVER_NAME":             func(r *flow.Record) string { return r.SNI },
	"ROUTE_NAME":                        func(r *flow.Record) string { return r.RouteName },
	"VIRTUAL_CLUSTER_NAME":              func(*flow.Record) string { return "" }, // routes have none here
	"TRACE_ID":                          func(*flow.Record) string { return "" }, // the proxy traces nothing
	"FILTER_CHAIN_NAME":                 func(r *flow.Record) string { return down(r).FilterChain },
	"ACCESS_LOG_TYPE":                   logType,
	"DOWNSTREAM_TLS_VERSION":            tlsVersion,
	"DOWNSTREAM_TLS_CIPHER":             tlsCipher,
	"DOWNSTREAM_PEER_SUBJECT":           tlsSubject,
	"DOWNSTREAM_PEER_ISSUER":            tlsIssuer,
	"DOWNSTREAM_PEER_URI_SAN":           tlsURIs,
	"DOWNSTREAM_PEER_DNS_SAN":           tlsNames,
	"DOWNSTREAM_PEER_SERIAL":            tlsSerial,
}

// numbers are the operators that are one number of the record.
var numbers = map[string]func(*flow.Record) int64{
	"RESPONSE_CODE":                  func(r *flow.Record) int64 { return int64(r.Status) },
	"BYTES_RECEIVED":                 func(r *flow.Record) int64 { return r.BytesReceived },
	"BYTES_SENT":                     func(r *flow.Record) int64 { return r.BytesSent },
	"UPSTREAM_WIRE_BYTES_RECEIVED":   func(r *flow.Record) int64 { return r.UpstreamBytesRead },
	"UPSTREAM_WIRE_BYTES_SENT":       func(r *flow.Record) int64 { return r.UpstreamWritten },
	"DURATION":                       func(r *flow.Record) int64 { return r.Duration.Milliseconds() },
	"RESPONSE_DURATION":              func(r *flow.Record) int64 { return known(r.FirstByte, r.FirstByte) },
	"RESPONSE_TX_DURATION":           func(r *flow.Record) int64 { return known(r.FirstByte, r.Duration-r.FirstByte) },
	"UPSTREAM_REQUEST_ATTEMPT_COUNT": func(r *flow.Record) int64 { return int64(r.Attempts) },
	"CONNECTION_ID":                  func(r *flow.Record) int64 { return int64(down(r).ID) },
	"GRPC_STATUS_NUMBER": func(r *flow.Record) int64 {
		if !r.GRPC {
			return -1
		}
		return int64(r.GRPCStatus)
	},
}

func known(at, d time.Duration) int64 {
	if at <= 0 || d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// addresses are the operators that are an address or a part of one.
var addresses = map[string]*value{
	"UPSTREAM_HOST":                                 address(upstreamHost),
	"UPSTREAM_HOST_NAME":                            address(upstreamHost),
	"UPSTREAM_HOST_NAME_WITHOUT_PORT":               onlyIP(upstreamHost),
	"UPSTREAM_REMOTE_ADDRESS":                       address(upstreamHost),
	"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":          onlyIP(upstreamHost),
	"UPSTREAM_REMOTE_PORT":                          onlyPort(upstreamHost),
	"UPSTREAM_LOCAL_ADDRESS":                        address(upstreamLocal),
	"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":           onlyIP(upstreamLocal),
	"UPSTREAM_LOCAL_PORT":                           onlyPort(upstreamLocal),
	"DOWNSTREAM_LOCAL_ADDRESS":                      address(downLocal),
	"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":         onlyIP(downLocal),
	"DOWNSTREAM_LOCAL_PORT":                         onlyPort(downLocal),
	"DOWNSTREAM_REMOTE_ADDRESS":                     address(downRemote),
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":        onlyIP(downRemote),
	"DOWNSTREAM_REMOTE_PORT":                        onlyPort(downRemote),
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS":              address(downRemote),
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": onlyIP(downRemote),
	"DOWNSTREAM_DIRECT_REMOTE_PORT":                 onlyPort(downRemote),
	"DOWNSTREAM_DIRECT_LOCAL_ADDRESS":               address(downLocal),
	"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT":  onlyIP(downLocal),
	"DOWNSTREAM_DIRECT_LOCAL_PORT":                  onlyPort(downLocal),
}

func upstreamHost(r *flow.Record) netip.AddrPort  { return r.UpstreamHost }
func upstreamLocal(r *flow.Record) netip.AddrPort { return r.UpstreamLocal }
func downLocal(r *flow.Record) netip.AddrPort     { return down(r).Local }
func downRemote(r *flow.Record) netip.AddrPort    { return down(r).Remote }

var nobody = &flow.Downstream{}

func down(r *flow.Record) *flow.Downstream {
	if r.Downstream == nil {
		return nobody
	}
	return r.Downstream
}

func address(get func(*flow.Record) netip.AddrPort) *value {
	return &value{add: func(b []byte, e *entry) ([]byte, bool) {
		a := get(e.Record)
		if !a.IsValid() {
			return b, false
		}
		return a.AppendTo(b), true
	}}
}

func onlyIP(get func(*flow.Record) netip.AddrPort) *value {
	return &value{add: func(b []byte, e *entry) ([]byte, bool) {
		a := get(e.Record)
		if !a.IsValid() {
			return b, false
		}
		return a.Addr().AppendTo(b), true
	}}
}

func onlyPort(get func(*flow.Record) netip.AddrPort) *value {
	return number(func(r *flow.Record) int64 {
		a := get(r)
		if !a.IsValid() {
			return -1
		}
		return int64(a.Port())
	})
}

func logType(r *flow.Record) string {
	if r.TCP {
		return "TcpConnectionEnd"
	}
	return "DownstreamEnd"
}

// underscored keeps a reason in one column, as Envoy does.
func underscored(s string) string { return strings.ReplaceAll(s, " ", "_") }

func knownFormatter(f *corev3.TypedExtensionConfig) bool {
	switch f.GetName() {
	case "envoy.formatter.req_without_query", "envoy.formatter.metadata":
		return true
	}
	return false
}

// shortFlags is %RESPONSE_FLAGS%: "-" where nothing went wrong.
func shortFlags(f flow.Flags) string {
	switch len(f) {
	case 0:
		return "-"
	case 1:
		return f[0]
	}
	return strings.Join(f, ",")
}

func longFlags(f flow.Flags) string {
	if len(f) == 0 {
		return "-"
	}
	names := make([]string, len(f))
	for i, flag := range f {
		names[i] = flag
		if long, ok := flagNames[flag]; ok {
			names[i] = long
		}
	}
	return strings.Join(names, ",")
}

// flagNames are the long names of Envoy's response flags.
var flagNames = map[string]string{
	flow.NoHealthyUpstream: "NoHealthyUpstream", flow.UpstreamFailure: "UpstreamConnectionFailure",
	flow.UpstreamOverflow: "UpstreamOverflow", flow.NoRoute: "NoRouteFound", flow.NoCluster: "NoClusterFound",
	flow.RetryLimit: "UpstreamRetryLimitExceeded", flow.UpstreamTimeout: "UpstreamRequestTimeout",
	flow.UpstreamReset: "UpstreamRemoteReset", flow.UpstreamTermination: "UpstreamConnectionTermination",
	flow.DownstreamTermination: "DownstreamConnectionTermination", flow.DownstreamProtocolError: "DownstreamProtocolError",
	flow.UpstreamProtocolError: "UpstreamProtocolError", flow.LocalReset: "LocalReset", flow.DelayInjected: "DelayInjected",
	flow.FaultInjected: "FaultInjected", flow.StreamIdleTimeout: "StreamIdleTimeout",
	flow.MaxDuration: "UpstreamMaxStreamDurationReached", flow.DurationTimeout: "DurationTimeout",
	flow.OverloadManager: "OverloadManagerTerminated", flow.DNSFailure: "DnsResolutionFailed",
}
