package fields_test

import (
	"slices"
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
)

const (
	listener   = "envoy.config.listener.v3.Listener"
	chain      = "envoy.config.listener.v3.FilterChain"
	filter     = "envoy.config.listener.v3.Filter"
	manager    = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	httpFilter = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
	cluster    = "envoy.config.cluster.v3.Cluster"
	secret     = "envoy.extensions.transport_sockets.tls.v3.Secret"
	tlsCert    = "envoy.extensions.transport_sockets.tls.v3.TlsCertificate"
	source     = "envoy.config.core.v3.DataSource"
	discovery  = "type.googleapis.com/io.istio.http.peer_metadata.Config"
)

func list() []fields.Field {
	const shown = "TestUnsupported/a listener that is evaluated"
	return slices.Concat(
		fields.Evaluated(listener, shown, "name", "filter_chains"),
		fields.Unsupported(listener, "UDP", "udp_listener_config"),
		fields.NotShown(listener, "the name of statistics", "stat_prefix"),
		fields.Unsupported(listener, "", fields.Rest),
		fields.Evaluated(chain, shown, "filters"), fields.Unsupported(chain, "a matter of chains", fields.Rest),
		fields.Evaluated(filter, shown, "name", "typed_config"), fields.Unsupported(filter, "", fields.Rest),
		fields.Evaluated(manager, shown, "stat_prefix", "http_filters", "codec_type"),
		fields.Unsupported(manager, "HTTP/3", "codec_type=HTTP3"), fields.Unsupported(manager, "", fields.Rest),
		fields.Evaluated(httpFilter, shown, "name", "typed_config"), fields.Unsupported(httpFilter, "", fields.Rest),
		fields.Evaluated("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector", shown, fields.Rest),
		fields.Evaluated(discovery, shown, "upstream_discovery"),
		fields.Evaluated(cluster, shown, "name", "typed_extension_protocol_options", "lb_policy"),
		fields.Unsupported(cluster, "", fields.Rest),
		fields.Evaluated(secret, shown, "name", "tls_certificate"), fields.Unsupported(secret, "", fields.Rest),
		fields.Evaluated(tlsCert, shown, "private_key", "certificate_chain"), fields.Unsupported(tlsCert, "", fields.Rest),
		fields.Unsupported(source, "", fields.Rest),
		fields.Within(tlsCert+".private_key", fields.Evaluated(source, shown, "inline_bytes"), fields.Unsupported(source, "", fields.Rest)),
	)
}

func TestTheListNamesItsTests(t *testing.T) { fieldstest.Check(t, ".", list()) }

func TestUnsupported(t *testing.T) {
	table, err := fields.NewTable(list())
	if err != nil {
		t.Fatal(err)
	}
	inManager := func(text string) string {
		return `{"name": "a", "filterChains": [{"filters": [{"name": "hcm", "typedConfig": {
			"@type": "type.googleapis.com/` + manager + `", ` + text + `}}]}]}`
	}
	for _, c := range []struct {
		name    string
		message proto.Message
		text    string
		want    []string
	}{
		{"a listener that is evaluated", &listenerv3.Listener{}, inManager(`"statPrefix": "x", "codecType": "HTTP2"`), nil},
		{"an empty listener", &listenerv3.Listener{}, `{}`, nil},
		{"a field with a text of its own", &listenerv3.Listener{}, `{"name": "a", "udpListenerConfig": {}}`,
			[]string{"unsupported: UDP: Listener.udp_listener_config (listener a)"}},
		{"the rest of a message, and its fields' names", &listenerv3.Listener{}, `{"name": "a", "freebind": true, "tcpFastOpenQueueLength": 0}`,
			[]string{"unsupported: Listener.freebind (listener a)", "unsupported: Listener.tcp_fast_open_queue_length (listener a)"}},
		{"a field that changes no traffic", &listenerv3.Listener{}, `{"name": "a", "statPrefix": "x"}`, nil},
		{"what an unsupported field holds is not told again", &listenerv3.Listener{},
			`{"name": "a", "filterChains": [{"filterChainMatch": {"addressSuffix": "x"}}, {"filterChainMatch": {"addressSuffix": "y"}}]}`,
			[]string{"unsupported: a matter of chains: FilterChain.filter_chain_match (listener a)"}},
		{"a field in an extension's configuration", &listenerv3.Listener{}, inManager(`"drainTimeout": "1s"`),
			[]string{"unsupported: HttpConnectionManager.drain_timeout (listener a)"}},
		{"a value of an enumeration", &listenerv3.Listener{}, inManager(`"codecType": "HTTP3"`),
			[]string{"unsupported: HTTP/3: HttpConnectionManager.codec_type=HTTP3 (listener a)"}},
		{"a filter that no list knows", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "envoy.filters.http.lua",
			"typedConfig": {"@type": "type.googleapis.com/envoy.config.core.v3.Node"}}]`),
			[]string{"unsupported: http filter envoy.filters.http.lua (listener a)"}},
		{"a filter with a name of the user's", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "default.mine",
			"typedConfig": {"@type": "type.googleapis.com/envoy.config.core.v3.Node"}}]`),
			[]string{"unsupported: http filter default.mine, envoy.config.core.v3.Node (listener a)"}},
		{"a filter whose configuration has no fields", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "inspector", "typedConfig": {
			"@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"}}, {"name": "dst", "typedConfig": {
			"@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst"}}]`),
			[]string{"unsupported: http filter dst, envoy.extensions.filters.listener.original_dst.v3.OriginalDst (listener a)"}},
		{"a filter without a configuration", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "envoy.filters.http.x"}]`),
			[]string{"unsupported: http filter envoy.filters.http.x without a configuration (listener a)"}},
		{"a message that has no Go type", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "istio.metadata_exchange", "typedConfig": {
			"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "typeUrl": "` + discovery + `",
			"value": {"upstream_discovery": [], "later": 1}}}]`),
			[]string{"unsupported: Config.later (listener a)"}},
		{"a type that nobody lists, as JSON", &listenerv3.Listener{}, inManager(`"httpFilters": [{"name": "mine", "typedConfig": {
			"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "typeUrl": "type.googleapis.com/my.Filter", "value": {}}}]`),
			[]string{"unsupported: http filter mine, my.Filter (listener a)"}},
		{"a message with a Go type, as JSON", &listenerv3.Listener{}, `{"name": "a", "filterChains": [{"filters": [{"name": "x", "typedConfig": {
			"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "typeUrl": "type.googleapis.com/` + manager + `",
			"value": {"stat_prefix": "a", "via": "b"}}}]}]}`,
			[]string{"unsupported: HttpConnectionManager.via (listener a)"}},
		{"an extension in a map", &clusterv3.Cluster{}, `{"name": "c", "typedExtensionProtocolOptions": {
			"envoy.x": {"@type": "type.googleapis.com/envoy.config.core.v3.Node"}}}`,
			[]string{"unsupported: typed extension protocol options envoy.x (cluster c)"}},
		{"a message that is dealt with differently in one field", &tlsv3.Secret{}, `{"name": "s", "tlsCertificate": {
			"privateKey": {"inlineBytes": ""}, "certificateChain": {"inlineBytes": ""}}}`,
			[]string{"unsupported: DataSource.inline_bytes (secret s)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := protojson.Unmarshal([]byte(c.text), c.message); err != nil {
				t.Fatal(err)
			}
			if got := table.Unsupported(c.message); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestWhatChangesNoTrafficIsToldApart(t *testing.T) {
	table, err := fields.NewTable(list())
	if err != nil {
		t.Fatal(err)
	}
	got := table.NotShown(&listenerv3.Listener{Name: "a", StatPrefix: "x", Freebind: nil})
	want := []string{"not shown: the name of statistics: Listener.stat_prefix (listener a)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatANewerControlPlaneSends(t *testing.T) {
	table, err := fields.NewTable(list())
	if err != nil {
		t.Fatal(err)
	}
	l := &listenerv3.Listener{Name: "a"}
	l.ProtoReflect().SetUnknown([]byte{0xc0, 0x3e, 0x01}) // field 1000, varint 1
	got := table.Unsupported(l)
	want := []string{"unsupported: field 1000 of " + listener + ", unknown to this version of Envoy's API (listener a)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := table.Unsupported(nil); got != nil {
		t.Errorf("nothing has %q", got)
	}
	if got := table.Unsupported(&accesslogv3.AccessLog{}); !slices.Equal(got, []string{"unsupported: envoy.config.accesslog.v3.AccessLog"}) {
		t.Errorf("a message that nobody lists has %q", got)
	}
}

func TestNewTableRefuses(t *testing.T) {
	const test = "TestUnsupported"
	for _, c := range []struct {
		name string
		list []fields.Field
		want string
	}{
		{"a field twice", slices.Concat(fields.Evaluated(listener, test, "name"), fields.NotShown(listener, "x", "name")), listener + ".name is listed twice"},
		{"two rests", slices.Concat(fields.Unsupported(listener, "", fields.Rest), fields.Unsupported(listener, "a", fields.Rest)), "is listed twice"},
		{"a message that does not exist", fields.Evaluated("envoy.Nothing", test, "name"), "no such message"},
		{"a field that does not exist", fields.Evaluated(listener, test, "nome"), "no such field"},
		{"a value that does not exist", fields.Unsupported(cluster, "", "lb_policy=GUESS"), "no such value"},
		{"a value of a text", fields.Unsupported(cluster, "", "name=a"), "no such value"},
		{"neither a test nor a text", fields.Evaluated(listener, "", "name"), "needs either"},
		{"a text with another beginning", []fields.Field{{Message: listener, Name: "name", Text: "later"}}, "begins neither"},
		{"a field within one that does not exist", fields.Within("a", fields.Evaluated(listener, test, "name")), "which does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := fields.NewTable(c.list); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestMissingNamesWhatNoListHas(t *testing.T) {
	root := (&corev3.SubstitutionFormatString{}).ProtoReflect().Descriptor()
	const message = "envoy.config.core.v3.SubstitutionFormatString"
	const test = "TestUnsupported"
	table, err := fields.NewTable(
		fields.Evaluated(message, test, "text_format", "text_format_source"),
		fields.Unsupported(message, "", "formatters"),
		fields.Unsupported("envoy.config.core.v3.Node", "", "id"),
	)
	if err != nil {
		t.Fatal(err)
	}
	missing := table.Missing(root)
	for _, name := range []string{message + ".json_format", source + ".filename"} {
		if !slices.Contains(missing, name) {
			t.Errorf("%s is not missing in %q", name, missing)
		}
	}
	for _, name := range []string{message + ".formatters", "envoy.config.core.v3.TypedExtensionConfig.name"} {
		if slices.Contains(missing, name) {
			t.Errorf("%s is missing", name)
		}
	}
	dst := (&originaldstv3.OriginalDst{}).ProtoReflect().Descriptor()
	if got := table.Missing(dst); !slices.Equal(got, []string{"envoy.extensions.filters.listener.original_dst.v3.OriginalDst.*"}) {
		t.Errorf("of a configuration without fields is missing %q", got)
	}
	if got := table.Unreached(root); !slices.Equal(got, []string{"envoy.config.core.v3.Node.id"}) {
		t.Errorf("unreached are %q", got)
	}
}

func TestWalkReachesWhatEnvoysMessagesHold(t *testing.T) {
	var roots []protoreflect.MessageDescriptor
	for _, m := range []proto.Message{&listenerv3.Listener{}, &hcmv3.HttpConnectionManager{}, &clusterv3.Cluster{}, &endpointv3.ClusterLoadAssignment{}} {
		roots = append(roots, m.ProtoReflect().Descriptor())
	}
	all := fields.Walk(roots...)
	if len(all) < 500 {
		t.Errorf("only %d fields", len(all))
	}
	for _, want := range []fields.MessageField{
		{Message: listener, Name: "filter_chains", Holds: chain},
		{Message: filter, Name: "typed_config", Holds: "google.protobuf.Any"},
		{Message: cluster, Name: "typed_extension_protocol_options", Holds: "google.protobuf.Any"},
		{Message: "envoy.config.endpoint.v3.Endpoint", Name: "address", Holds: "envoy.config.core.v3.Address"},
		{Message: manager, Name: "route_config", Holds: "envoy.config.route.v3.RouteConfiguration"},
	} {
		if !slices.Contains(all, want) {
			t.Errorf("%+v is not reached", want)
		}
	}
	for i, f := range all {
		if strings.HasPrefix(f.Message, "google.protobuf.") || f.Message == "envoy.config.route.v3.RouteConfiguration" {
			t.Errorf("%+v is reached", f)
		}
		if i > 0 && all[i-1].Message == f.Message && all[i-1].Name == f.Name {
			t.Errorf("%+v is there twice", f)
		}
	}
}
