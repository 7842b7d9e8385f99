package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/check/schema"
)

func gvk(apiVersion, kind string) k8sschema.GroupVersionKind {
	return k8sschema.FromAPIVersionAndKind(apiVersion, kind)
}

// decode reads YAML as the API server does: whole numbers are int64.
func decode(text string, object *map[string]any) error {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, object)
}

func validate(t testing.TB, text string) []string {
	t.Helper()
	var object map[string]any
	if err := decode(text, &object); err != nil {
		t.Fatal(err)
	}
	s, ok := schema.For(gvk(object["apiVersion"].(string), object["kind"].(string)))
	if !ok {
		t.Fatalf("no schema for %v %v", object["apiVersion"], object["kind"])
	}
	var all []string
	for _, e := range s.Validate(object) {
		all = append(all, e.Field+": "+e.Message)
	}
	slices.Sort(all)
	return all
}

const head = "apiVersion: networking.istio.io/v1\nkind: %s\nmetadata: {name: a, namespace: b}\n"

func TestValidate(t *testing.T) {
	tests := []struct {
		name, kind, rest string
		want             []string // each is a part of one finding
	}{
		{"a plain VirtualService is fine", "VirtualService", "spec: {hosts: [a], http: [{route: [{destination: {host: a}, weight: 100}]}]}", nil},
		{"an unknown field", "VirtualService", "spec: {hosts: [a], http: [{rout: []}]}", []string{"spec.http[0].rout: unknown field"}},
		{"an unknown field of metadata", "VirtualService", "metadata: {name: a, lables: {}}\nspec: {hosts: [a]}", []string{"metadata.lables: unknown field"}},
		{"a wrong type", "VirtualService", "spec: {hosts: [a], http: [{route: [{destination: {host: a}, weight: \"80\"}]}]}",
			[]string{"spec.http[0].route[0].weight: must be of type integer"}},
		{"a missing field", "VirtualService", "spec: {http: [{route: [{destination: {subset: v1}}]}]}", []string{"spec.http[0].route[0].destination.host: Required value"}},
		{"a value outside an enumeration", "DestinationRule", "spec: {host: a, trafficPolicy: {tls: {mode: TLS}}}", []string{"spec.trafficPolicy.tls.mode: Unsupported value"}},
		{"a pattern", "VirtualService", "spec: {hosts: [a], http: [{match: [{uri: {exact: a, prefix: b}}], route: [{destination: {host: a}}]}]}",
			[]string{"spec.http[0].match[0].uri"}},
		{"a duration by a CEL rule", "VirtualService", "spec: {hosts: [a], http: [{timeout: soon, route: [{destination: {host: a}}]}]}", []string{"spec.http[0].timeout: must be a valid duration greater than 1ms"}},
		{"a duration below a millisecond by a CEL rule", "VirtualService", "spec: {hosts: [a], http: [{timeout: 1us, route: [{destination: {host: a}}]}]}",
			[]string{"spec.http[0].timeout: must be a valid duration greater than 1ms"}},
		{"nothing at all", "VirtualService", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := fmt.Sprintf(head, test.kind)
			if strings.HasPrefix(test.rest, "metadata") {
				text = text[:strings.Index(text, "metadata")]
			}
			got := validate(t, text+test.rest)
			if len(test.want) == 0 && len(got) > 0 {
				t.Errorf("want nothing, got %q", got)
			}
			for _, want := range test.want {
				if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("want %q in %q", want, got)
				}
			}
		})
	}
}

func TestGatewayAPIDefaultsApplyBeforeRules(t *testing.T) {
	got := validate(t, `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: b}
spec:
  parentRefs: [{name: gw}]
  rules: [{matches: [{path: {type: PathPrefix, value: /a}}], backendRefs: [{name: order, port: 8080}]}]
`)
	if len(got) > 0 {
		t.Errorf("want nothing, got %q", got)
	}
	got = validate(t, `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: b}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: order}]}]
`)
	if len(got) != 1 || !strings.Contains(got[0], "Must have port for Service reference") {
		t.Errorf("want the rule about the port, got %q", got)
	}
}

func TestValidateLeavesTheObjectAlone(t *testing.T) {
	object := map[string]any{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
		"metadata": map[string]any{"name": "a"}, "spec": map[string]any{"hosts": []any{"a"}, "x": int64(1)}}
	s, _ := schema.For(gvk("networking.istio.io/v1", "VirtualService"))
	s.Validate(object)
	if object["spec"].(map[string]any)["x"] != int64(1) {
		t.Error("the unknown field is gone from the caller's object")
	}
}

func TestForUnknownKindsAndVersions(t *testing.T) {
	for _, x := range [][2]string{{"v1", "Service"}, {"networking.istio.io/v9", "VirtualService"}, {"../..", "x"}, {"", ""}} {
		if _, ok := schema.For(gvk(x[0], x[1])); ok {
			t.Errorf("want no schema for %v", x)
		}
	}
	if v, ok := schema.Served(k8sschema.GroupKind{Group: "networking.istio.io", Kind: "VirtualService"}); !ok || len(v) != 3 {
		t.Errorf("want three served versions, got %v", v)
	}
}

func TestEveryEmbeddedSchemaCompiles(t *testing.T) {
	for _, x := range [][2]string{
		{"networking.istio.io/v1", "VirtualService"}, {"networking.istio.io/v1", "DestinationRule"}, {"networking.istio.io/v1", "Gateway"},
		{"networking.istio.io/v1", "ServiceEntry"}, {"networking.istio.io/v1", "Sidecar"}, {"networking.istio.io/v1alpha3", "EnvoyFilter"},
		{"networking.istio.io/v1", "WorkloadEntry"}, {"networking.istio.io/v1", "WorkloadGroup"}, {"networking.istio.io/v1beta1", "ProxyConfig"},
		{"security.istio.io/v1", "AuthorizationPolicy"}, {"security.istio.io/v1", "PeerAuthentication"}, {"security.istio.io/v1", "RequestAuthentication"},
		{"telemetry.istio.io/v1", "Telemetry"}, {"extensions.istio.io/v1alpha1", "WasmPlugin"},
		{"gateway.networking.k8s.io/v1", "Gateway"}, {"gateway.networking.k8s.io/v1", "GatewayClass"}, {"gateway.networking.k8s.io/v1", "HTTPRoute"},
		{"gateway.networking.k8s.io/v1", "GRPCRoute"}, {"gateway.networking.k8s.io/v1beta1", "ReferenceGrant"}, {"gateway.networking.k8s.io/v1", "BackendTLSPolicy"},
	} {
		s, ok := schema.For(gvk(x[0], x[1]))
		if !ok {
			t.Errorf("no schema for %v", x)
			continue
		}
		for _, e := range s.Validate(map[string]any{"metadata": map[string]any{"name": "a"}}) {
			if strings.Contains(e.Message, "compil") {
				t.Errorf("%v: %s %s", x, e.Field, e.Message)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	tests := []struct{ apiVersion, kind, path, typ, description string }{
		{"apps/v1", "Deployment", "spec.replicas", "integer", "Number of desired pods"},
		{"apps/v1", "Deployment", "spec.template.spec.containers", "[]Container", "List of containers"},
		{"apps/v1", "Deployment", "spec.template.spec.containers[0].image", "string", "Container image name"},
		{"apps/v1", "Deployment", "spec.template.spec.containers[order].resources.requests", "map[string]string", "minimum amount"},
		{"apps/v1", "Deployment", "metadata.labels", "map[string]string", "Map of string keys and values"},
		{"apps/v1", "Deployment", "metadata.annotations.a.b/c", "string", "Annotations is"},
		{"v1", "Service", "spec.ports.targetPort", "integer or string", "Number or name of the port"},
		{"v1", "Service", "", "Service", "Service is a named abstraction"},
		{"networking.istio.io/v1", "VirtualService", "spec.http", "[]object", "ordered list of route rules"},
		{"networking.istio.io/v1", "VirtualService", "spec.http[0].retries.attempts", "integer", "Number of retries"},
		{"networking.istio.io/v1", "VirtualService", "metadata.name", "string", "Name must be unique"},
		{"networking.istio.io/v1", "DestinationRule", "spec.subsets[canary].labels.track", "string", ""},
		{"gateway.networking.k8s.io/v1", "HTTPRoute", "spec.rules[0].backendRefs[0].weight", "integer", "proportion of requests"},
	}
	for _, test := range tests {
		got, ok := schema.Describe(gvk(test.apiVersion, test.kind), test.path)
		if !ok || got.Type != test.typ || !strings.Contains(got.Description, test.description) {
			t.Errorf("%s %s: got %v %+v, want %s with %q", test.kind, test.path, ok, got, test.typ, test.description)
		}
	}
	for _, x := range [][3]string{{"apps/v1", "Deployment", "spec.replica"}, {"networking.istio.io/v1", "VirtualService", "spec.https"}, {"x/v1", "Y", ""}} {
		if got, ok := schema.Describe(gvk(x[0], x[1]), x[2]); ok {
			t.Errorf("%v: want nothing, got %+v", x, got)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(`{"metadata":{"name":"a"},"spec":{"hosts":["a"],"http":[{"route":[{"destination":{"host":"a"}}]}]}}`)
	f.Add(`{"spec":[]}`)
	f.Add(`{"metadata":[],"spec":{"http":{"a":null}}}`)
	f.Add(`{"metadata":{"labels":{"a":1}},"spec":null,"status":7}`)
	s, _ := schema.For(gvk("networking.istio.io/v1", "VirtualService"))
	f.Fuzz(func(t *testing.T, text string) {
		var object map[string]any
		if decode(text, &object) == nil && object != nil {
			s.Validate(object)
		}
	})
}

func BenchmarkValidateVirtualService(b *testing.B) {
	var object map[string]any
	text := fmt.Sprintf(head, "VirtualService") + "spec: {hosts: ['*'], gateways: [g], http: [{name: primary, match: [{uri: {exact: /a}}, {uri: {prefix: /a/}}], route: [{destination: {host: a, subset: stable}, weight: 100}, {destination: {host: a, subset: canary}, weight: 0}]}]}"
	if err := decode(text, &object); err != nil {
		b.Fatal(err)
	}
	s, _ := schema.For(gvk("networking.istio.io/v1", "VirtualService"))
	s.Validate(object)
	b.ReportAllocs()
	for b.Loop() {
		s.Validate(object)
	}
}
