package telemetry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// withArgument are the operators that take an argument, or may.
var withArgument map[string]func(t *Telemetry, op operator) (*value, error)

func init() {
	withArgument = map[string]func(t *Telemetry, op operator) (*value, error){
		"REQ":               (*Telemetry).req,
		"REQ_WITHOUT_QUERY": (*Telemetry).reqWithoutQuery,
		"RESP":              (*Telemetry).resp,
		"TRAILER":           (*Telemetry).trailer,
		"PATH":              (*Telemetry).path,
		"QUERY_PARAM":       (*Telemetry).queryParam,
		"QUERY_PARAMS":      (*Telemetry).queryParams,
		"ENVIRONMENT":       (*Telemetry).environment,
		"GRPC_STATUS":       (*Telemetry).grpcStatus,
		"METADATA":          (*Telemetry).metadata,
		"CLUSTER_METADATA":  (*Telemetry).clusterMetadata,
		"DYNAMIC_METADATA":  (*Telemetry).dynamicMetadata,
		"FILTER_STATE":      (*Telemetry).filterState,
		"START_TIME":        startTime,
		"START_TIME_LOCAL":  startTime,
		"EMIT_TIME":         startTime,
		"EMIT_TIME_LOCAL":   startTime,
	}
}

// alternatives are the names of %REQ(X?Y)%.
func alternatives(op operator) (first, second string, err error) {
	first, second, _ = strings.Cut(op.argument, "?")
	if first == "" || strings.Contains(second, "?") {
		return "", "", fmt.Errorf("command operator %%%s(%s)%% names one header, or two with a question mark between", op.name, op.argument)
	}
	return first, second, nil
}

func headers(op operator, of func(name string) func(*flow.Record) string) (*value, error) {
	first, second, err := alternatives(op)
	if err != nil {
		return nil, err
	}
	one := of(first)
	if second == "" {
		return text(one), nil
	}
	two := of(second)
	return text(func(r *flow.Record) string {
		if s := one(r); s != "" {
			return s
		}
		return two(r)
	}), nil
}

func (t *Telemetry) req(op operator) (*value, error) { return headers(op, requestHeader) }

func (t *Telemetry) reqWithoutQuery(op operator) (*value, error) {
	return headers(op, func(name string) func(*flow.Record) string {
		get := requestHeader(name)
		return func(r *flow.Record) string {
			s, _, _ := strings.Cut(get(r), "?")
			return s
		}
	})
}

func (t *Telemetry) resp(op operator) (*value, error) {
	return headers(op, func(name string) func(*flow.Record) string {
		if strings.EqualFold(name, ":status") {
			return func(r *flow.Record) string {
				if r.Status == 0 {
					return ""
				}
				return strconv.Itoa(r.Status)
			}
		}
		return field(name, func(r *flow.Record) http.Header { return r.ResponseHeaders })
	})
}

func (t *Telemetry) trailer(op operator) (*value, error) {
	return headers(op, func(name string) func(*flow.Record) string {
		return field(name, func(r *flow.Record) http.Header { return r.ResponseTrailers })
	})
}

// field reads a header's first value, which is what Envoy logs.
func field(name string, of func(*flow.Record) http.Header) func(*flow.Record) string {
	key := http.CanonicalHeaderKey(name)
	return func(r *flow.Record) string {
		if values := of(r)[key]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
}

// requestHeader reads a request header; pseudo headers are fields of the
// record.
func requestHeader(name string) func(*flow.Record) string {
	sent := field(name, func(r *flow.Record) http.Header { return r.RequestHeaders })
	switch strings.ToLower(name) {
	case ":method":
		return func(r *flow.Record) string { return r.Method }
	case ":scheme":
		return func(r *flow.Record) string { return r.Scheme }
	case ":authority", "host":
		return func(r *flow.Record) string { return r.Authority }
	case ":path":
		return upstreamPath
	case "x-envoy-original-path":
		return func(r *flow.Record) string {
			if r.UpstreamPath != "" && r.UpstreamPath != r.Path {
				return r.Path
			}
			return sent(r)
		}
	}
	return sent
}

func upstreamPath(r *flow.Record) string {
	if r.UpstreamPath != "" {
		return r.UpstreamPath
	}
	return r.Path
}

// path is %PATH(X:Y)%: X is WQ (with the query, the default) or NQ, Y is ORIG
// (before rewrites), PATH (after) or ORIG_OR_PATH, the default.
func (t *Telemetry) path(op operator) (*value, error) {
	query, which, _ := strings.Cut(op.argument, ":")
	get := upstreamPath
	switch which {
	case "", "ORIG_OR_PATH":
		get = func(r *flow.Record) string { return r.Path }
	case "ORIG":
		get = requestHeader("x-envoy-original-path")
	case "PATH":
	default:
		return nil, fmt.Errorf("command operator %%PATH(%s)%%: %q is not ORIG, PATH or ORIG_OR_PATH", op.argument, which)
	}
	switch query {
	case "", "WQ":
		return text(get), nil
	case "NQ":
		return text(func(r *flow.Record) string { s, _, _ := strings.Cut(get(r), "?"); return s }), nil
	}
	return nil, fmt.Errorf("command operator %%PATH(%s)%%: %q is not WQ or NQ", op.argument, query)
}

func query(r *flow.Record) string {
	_, q, _ := strings.Cut(r.Path, "?")
	return q
}

func (t *Telemetry) queryParam(op operator) (*value, error) {
	if op.argument == "" {
		return nil, fmt.Errorf("command operator %%QUERY_PARAM%% names no parameter")
	}
	return text(func(r *flow.Record) string {
		values, _ := url.ParseQuery(query(r)) // what can be read of it
		return values.Get(op.argument)
	}), nil
}

func (t *Telemetry) queryParams(op operator) (*value, error) {
	if op.argument != "" && op.argument != "ORIG" {
		return nil, fmt.Errorf("command operator %%QUERY_PARAMS(%s)%% is not supported by the lab's proxy", op.argument)
	}
	return text(query), nil
}

func (t *Telemetry) environment(op operator) (*value, error) {
	if op.argument == "" {
		return nil, fmt.Errorf("command operator %%ENVIRONMENT%% names no variable")
	}
	s := t.o.Env(op.argument)
	return text(func(*flow.Record) string { return s }), nil
}

// metadata is %METADATA(TYPE:NAMESPACE:KEY…)%.
func (t *Telemetry) metadata(op operator) (*value, error) {
	kind, rest, _ := strings.Cut(op.argument, ":")
	inner := operator{name: op.name, argument: rest}
	switch kind {
	case "CLUSTER":
		return t.clusterMetadata(inner)
	case "DYNAMIC":
		return t.dynamicMetadata(inner)
	}
	return nil, fmt.Errorf("command operator %%METADATA(%s)%%: metadata of %q is not supported by the lab's proxy", op.argument, kind)
}

// clusterMetadata reads the cluster's metadata under "istio", the only one that
// istiod sends.
func (t *Telemetry) clusterMetadata(op operator) (*value, error) {
	path := strings.Split(op.argument, ":")
	if path[0] == "" {
		return nil, fmt.Errorf("command operator %%%s%% names no metadata", op.name)
	}
	return native(func(r *flow.Record) any {
		if path[0] != "istio" || r.ClusterMetadata == nil {
			return nil
		}
		var at any = r.ClusterMetadata
		for _, key := range path[1:] {
			m, _ := at.(map[string]any)
			at = m[key]
		}
		return at
	}), nil
}

// dynamicMetadata is always absent: none of the filters that this proxy runs
// writes any.
func (t *Telemetry) dynamicMetadata(op operator) (*value, error) {
	if op.argument == "" {
		return nil, fmt.Errorf("command operator %%%s%% names no metadata", op.name)
	}
	return native(func(*flow.Record) any { return nil }), nil
}

// native is a value of any JSON type; a string shows without quotes in text.
func native(get func(*flow.Record) any) *value {
	return &value{add: func(b []byte, e *entry) ([]byte, bool) {
		switch v := get(e.Record).(type) {
		case nil:
			return b, false
		case string:
			return append(b, v...), true
		default:
			data, err := json.Marshal(v)
			return append(b, data...), err == nil
		}
	}, typed: func(e *entry) bool {
		_, isString := get(e.Record).(string)
		return !isString
	}}
}

// filterState knows the two objects that Istio's metadata exchange leaves,
// upstream_peer and downstream_peer (also with the prefix "wasm."). Anything
// else is absent, as in Envoy.
func (t *Telemetry) filterState(op operator) (*value, error) {
	parts := strings.Split(op.argument, ":")
	if parts[0] == "" {
		return nil, fmt.Errorf("command operator %%FILTER_STATE%% names no object")
	}
	inbound := false
	switch strings.TrimPrefix(parts[0], "wasm.") {
	case "downstream_peer":
		inbound = true
	case "upstream_peer":
	default:
		return native(func(*flow.Record) any { return nil }), nil
	}
	form, key := "TYPED", ""
	if len(parts) > 1 {
		form = parts[1]
	}
	switch {
	case form == "FIELD" && len(parts) == 3:
		key = parts[2]
		if name, ok := peerFields[key]; ok {
			key = name
		}
	case (form == "PLAIN" || form == "TYPED") && len(parts) < 3:
	default:
		return nil, fmt.Errorf("command operator %%FILTER_STATE(%s)%% is neither PLAIN, TYPED nor FIELD:NAME", op.argument)
	}
	return native(func(r *flow.Record) any {
		if r.Peer == nil || down(r).Inbound != inbound {
			return nil
		}
		if key == "" {
			return r.Peer
		}
		if s, ok := r.Peer[key]; ok {
			return s
		}
		return nil
	}), nil
}

// peerFields are the names that Istio gives a peer's fields in FILTER_STATE.
var peerFields = map[string]string{
	"workload": PeerWorkload, "namespace": PeerNamespace, "cluster": PeerCluster, "name": PeerName,
	"service": PeerCanonicalName, "revision": PeerCanonicalRevision, "app": PeerApp, "version": PeerVersion,
	"identity": PeerPrincipal,
}
