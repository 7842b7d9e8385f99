package route_test

import (
	"fmt"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/route"
)

// bases are configurations in which every message stands that has an
// unsupported field. The request goes through all of them.
func bases() []string {
	const extension = `{name: own, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}`
	one := func(route string) string {
		return `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{` + route + `}]}]}`
	}
	mutation := `{remove_on_match: {key_matcher: {exact: x}}}`
	return []string{
		one(`match: {prefix: /, headers: [{name: x, string_match: {exact: "1"}}]}, decorator: {operation: o},
			route: {cluster: a, hedge_policy: {hedge_on_per_try_timeout: true}, metadata_match: {filter_metadata: {envoy.lb: {a: b}}},
			regex_rewrite: {pattern: {google_re2: {}, regex: a}, substitution: b}, upgrade_configs: [{upgrade_type: websocket}],
			retry_policy: {retry_on: 5xx, retry_priority: {name: p}, retry_host_predicate: [{name: h}]},
			request_mirror_policies: [{cluster: m, request_headers_mutations: [` + mutation + `]}], cors: {max_age: "1"}}`),
		one(`match: {prefix: /}, route: {hash_policy: [{header: {header_name: x}}], weighted_clusters: {clusters: [{name: a, weight: 1}]}}`),
		`{cluster_specifier_plugins: [{extension: ` + extension + `}], virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}]}]}`,
		one(`match: {prefix: /}, direct_response: {status: 200, body: {inline_string: a}, body_format: {text_format: a}}`),
		one(`match: {prefix: /}, route: {cluster: a}, typed_per_filter_config: {` + corsEntry(`max_age: "1"`) + `, ` +
			faultEntry(`abort: {http_status: 500, percentage: {numerator: 100}}`) + `, own: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {"@type": type.googleapis.com/google.protobuf.Empty}}}`),
		`{virtual_hosts: [{name: shop, domains: ['*'], matcher: {matcher_list: {matchers: [{predicate: ` + single(header("x"), `{exact: "1"}`) + `, on_match: {` + everything("a") + `}}]}}}]}`,
		`{virtual_hosts: [{name: shop, domains: ['*'], matcher: {matcher_tree: {input: ` + header("x") + `, exact_match_map: {map: {"1": {` + everything("a") + `}}}}}}]}`,
		`{virtual_hosts: [{name: other, domains: [other.example]}]}`,
		strings.ReplaceAll(one(`match: {path_match_policy: EXT}, route: {cluster: a}`), "EXT", extension),
	}
}

// values are the least that Envoy takes for fields that cannot be empty, as
// YAML.
var values = map[string]string{
	"envoy.config.route.v3.RouteAction.cluster_specifier_plugin":                     `own`,
	"envoy.config.route.v3.RouteConfiguration.cluster_specifier_plugins":             `[{extension: {name: p, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}]`,
	"envoy.config.route.v3.RouteConfiguration.vhds":                                  `{config_source: {ads: {}}}`,
	"envoy.config.route.v3.VirtualHost.rate_limits":                                  `[{actions: [{remote_address: {}}]}]`,
	"envoy.config.route.v3.RouteAction.rate_limits":                                  `[{actions: [{remote_address: {}}]}]`,
	"envoy.config.route.v3.RouteMatch.dynamic_metadata":                              `[{filter: f, path: [{key: k}], value: {present_match: true}}]`,
	"envoy.config.route.v3.RouteMatch.filter_state":                                  `[{key: k, string_match: {exact: a}}]`,
	"envoy.config.route.v3.RouteAction.inline_cluster_specifier_plugin":              `{extension: {name: p, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}`,
	"envoy.config.route.v3.RouteAction.auto_host_rewrite":                            `true`,
	"envoy.config.route.v3.WeightedCluster.use_hash_policy":                          `true`,
	"envoy.config.route.v3.CorsPolicy.shadow_enabled":                                `{default_value: {numerator: 1}}`,
	"envoy.extensions.filters.http.cors.v3.CorsPolicy.shadow_enabled":                `{default_value: {numerator: 1}}`,
	"envoy.config.core.v3.DataSource.watched_directory":                              `{path: /a}`,
	"envoy.config.route.v3.HedgePolicy.initial_requests":                             `1`,
	"envoy.config.route.v3.RouteAction.early_data_policy":                            extensionValue,
	"envoy.type.matcher.v3.StringMatcher.custom":                                     extensionValue,
	"xds.type.matcher.v3.StringMatcher.custom":                                       extensionValue,
	"xds.type.matcher.v3.Matcher.MatcherList.Predicate.SinglePredicate.custom_match": extensionValue,
	"xds.type.matcher.v3.Matcher.MatcherTree.custom_match":                           extensionValue,
	"envoy.config.core.v3.SubstitutionFormatString.formatters":                       `[` + extensionValue + `]`,
	"envoy.config.route.v3.RetryPolicy.retry_options_predicates":                     `[` + extensionValue + `]`,
	"envoy.config.route.v3.RetryPolicy.RetryPriority.typed_config":                   `{"@type": type.googleapis.com/google.protobuf.Empty}`,
	"envoy.config.route.v3.RetryPolicy.RetryHostPredicate.typed_config":              `{"@type": type.googleapis.com/google.protobuf.Empty}`,
	"envoy.config.route.v3.RouteAction.retry_policy_typed_config":                    `{"@type": type.googleapis.com/google.protobuf.Empty}`,
	"envoy.config.route.v3.VirtualHost.retry_policy_typed_config":                    `{"@type": type.googleapis.com/google.protobuf.Empty}`,
	"envoy.config.core.v3.Metadata.typed_filter_metadata":                            `{a: {"@type": type.googleapis.com/google.protobuf.Empty}}`,
}

const extensionValue = `{name: own, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}`

func TestEveryUnsupportedFieldIsToldWhereItIsSet(t *testing.T) {
	for _, f := range route.Fields() {
		if f.Text == "" || f.Within != "" {
			continue
		}
		t.Run(f.Message+"."+f.Name, func(t *testing.T) {
			var tried []string
			for _, text := range bases() {
				for _, rc := range withField(t, parse(t, text), f) {
					got, err := answers(rc, &route.Request{Authority: "shop.example", Headers: []route.Header{{Name: "x", Value: "1"}}})
					if err != nil {
						got = err.Error()
					}
					if strings.Contains(got, f.Text) {
						return
					}
					tried = append(tried, got)
				}
			}
			t.Errorf("no answer says %q where the field is set:\n%s", f.Text, strings.Join(tried, "\n---\n"))
		})
	}
}

// withField gives copies of a configuration, in each of which the field is set
// in one place.
func withField(t *testing.T, rc *routev3.RouteConfiguration, f route.Field) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for n := 0; ; n++ {
		changed := proto.Clone(rc).(*routev3.RouteConfiguration)
		left := n
		if !setIn(t, changed.ProtoReflect(), f, &left) {
			return out
		}
		out = append(out, changed)
	}
}

// setIn sets the field in the message of its kind that comes behind left
// others, and says whether there is one.
func setIn(t *testing.T, m protoreflect.Message, f route.Field, left *int) bool {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		if err != nil || !setIn(t, inner.ProtoReflect(), f, left) {
			return false
		}
		if err := packed.MarshalFrom(inner); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if string(m.Descriptor().FullName()) == f.Message {
		if *left == 0 {
			setField(t, m, f)
			return true
		}
		*left--
	}
	done := false
	m.Range(func(d protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case d.IsMap() && d.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				done = setIn(t, v.Message(), f, left)
				return !done
			})
		case d.IsList() && d.Message() != nil:
			for i := 0; i < v.List().Len() && !done; i++ {
				done = setIn(t, v.List().Get(i).Message(), f, left)
			}
		case d.Message() != nil && !d.IsMap() && !d.IsList():
			done = setIn(t, v.Message(), f, left)
		}
		return !done
	})
	return done
}

func setField(t *testing.T, m protoreflect.Message, f route.Field) {
	d := m.Descriptor().Fields().ByName(protoreflect.Name(f.Name))
	text, ok := values[f.Message+"."+f.Name]
	if !ok {
		switch {
		case d.Kind() == protoreflect.StringKind:
			text = "text"
		case d.Kind() == protoreflect.BoolKind:
			text = "true"
		case d.Message() == nil:
			text = "1"
		case strings.HasSuffix(string(d.Message().Name()), "Value"):
			text = "1"
			if d.Message().Name() == "BoolValue" {
				text = "true"
			}
		default:
			text = "{}"
		}
	}
	data, err := yaml.YAMLToJSON([]byte(fmt.Sprintf("{%s: %s}", f.Name, text)))
	if err != nil {
		t.Fatal(err)
	}
	fresh := m.New()
	if err := protojson.Unmarshal(data, fresh.Interface()); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if !fresh.Has(d) {
		t.Fatalf("%s does not set the field", data)
	}
	m.Set(d, fresh.Get(d))
}
