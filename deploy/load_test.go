package deploy

import (
	"encoding/json"
	"strings"
	"testing"
)

func load(t *testing.T, yaml string) *Settings {
	t.Helper()
	s, err := LoadSettings([]byte(yaml), LoadOptions{Workspace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnEmptySettingsFileHasAllDefaults(t *testing.T) {
	for _, data := range []string{"", "\n# only a comment\n", "---\n", "null\n", "\xef\xbb\xbf"} {
		s := load(t, data)
		if s.Namespace != "default" || s.Workspace != "shop" || s.Kafka.Mode != "external" || s.Gateway.Name != "main-gw" {
			t.Errorf("%q: defaults are missing: %+v", data, s)
		}
		if o := s.Origin("namespace"); o != "default" {
			t.Errorf("%q: origin of namespace = %q, want default", data, o)
		}
	}
}

func TestSettingsOfEveryKindAreRead(t *testing.T) {
	s := load(t, `
namespace: shop
istioVersion: 1.20
kafka: dev
toppings: [kubernetes]
image: {registry: ghcr.io/me, tag: 1.10}
gateway:
  hosts: [shop.example.com, "*.example.com"]
  tls: {credentialName: cert}
names: {결제: payment}
services:
  order:
    replicas: 3
    weights: {stable: 90, canary: 10}
    exposed: false
    paths: {add: [/extra]}
    pathPrefix: /shop
    resources: {requests: {cpu: 250m}}
    canary: {env: {MESHSTORM_EVENTS: paused}}
ignore:
  - {code: IST0118, object: Service/*, reason: the port is TCP}
`)
	if s.IstioVersion != "1.20" || s.Image.Tag != "1.10" {
		t.Errorf("versions must stay as written, got %q and %q", s.IstioVersion, s.Image.Tag)
	}
	o := s.Services["order"]
	if s.Kafka.Mode != "dev" || *o.Replicas != 3 || *o.Exposed || o.Weights["canary"] != 10 || o.PathPrefix != "/shop" || o.Resources.Requests.CPU != "250m" ||
		o.Canary.Env["MESHSTORM_EVENTS"] != "paused" {
		t.Errorf("values are wrong: %+v", s)
	}
	if s.Origin("services.order.replicas") != "meshstorm.yaml:13" {
		t.Errorf("origin = %q", s.Origin("services.order.replicas"))
	}
	long := load(t, "kafka: {mode: dev, brokers: 'kafka:29092', env: BROKERS}")
	if long.Kafka.Mode != "dev" || long.Kafka.Brokers != "kafka:29092" || long.Kafka.Env != "BROKERS" {
		t.Errorf("long form of kafka: %+v", long.Kafka)
	}
}

func TestBadSettingsNameThePlaceAndTheNextStep(t *testing.T) {
	tests := []struct{ about, yaml, want string }{
		{"an unknown key names the nearest", "namespce: shop\n", `meshstorm.yaml:1:1: unknown key "namespce"; did you mean "namespace"?`},
		{"an unknown key deep inside", "services:\n  order:\n    replica: 2\n", `meshstorm.yaml:3:5: unknown key "services.order.replica"; did you mean "replicas"?`},
		{"a key far from all lists them", "image:\n  xyzzyxyzzy: 2\n", "expected one of pattern, registry, tag"},
		{"not YAML", "a: [1\n", "this is not YAML"},
		{"a tab", "a:\n\tb: 1\n", "meshstorm.yaml:2:1: this is not YAML"},
		{"a list at the top", "- a\n", "meshstorm.yaml:1:1: expected keys such as"},
		{"a key twice", "namespace: a\nnamespace: b\n", `meshstorm.yaml:2:1: key "namespace" stands twice, first in line 1`},
		{"two documents", "namespace: a\n---\nnamespace: b\n", "a second document begins here"},
		{"a number where a list is expected", "toppings: istio\n", "meshstorm.yaml:1:11: toppings: expected a list"},
		{"a part of a replica", "services: {order: {replicas: 1.5}}\n", "expected a whole number, found \"1.5\""},
		{"text where a number is expected", "services: {order: {replicas: many}}\n", "expected a whole number, found \"many\""},
		{"a namespace that is no label", "namespace: My_Shop\n", `"My_Shop" is not a DNS-1123 label; use lower-case letters, digits and -, such as "my-shop"`},
		{"an unknown routing", "routing: exact\n", "expected rest or msaez"},
		{"a version that is none", "istioVersion: new\n", "expected MAJOR.MINOR such as 1.18"},
		{"a version too old", "istioVersion: 1.4\n", "1.4 is too old; the oldest supported is 1.16"},
		{"weights that miss 100", "services: {order: {weights: {stable: 80, canary: 10}}}\n", "add up to 90; expected 100"},
		{"an unknown track", "services: {order: {weights: {stable: 80, beta: 20}}}\n", "unknown track; expected stable or canary"},
		{"an unknown placeholder", "image: {pattern: '{host}/{name}'}\n", "unknown placeholder {host}"},
		{"an ignore without a reason", "ignore: [{code: IST0118}]\n", "reason is missing"},
		{"a path without a slash", "services: {order: {paths: {add: [orders]}}}\n", "must look like /orders"},
		{"a prefix that ends in a slash", "services: {order: {pathPrefix: /shop/}}\n", "must look like /shop"},
		{"a host that is an IP address", "gateway: {hosts: [10.0.0.1]}\n", "Istio's gateways take host names only"},
		{"brokers without a port", "kafka: {brokers: kafka}\n", "is not HOST:PORT"},
		{"a quantity that is none", "services: {order: {resources: {requests: {cpu: lots}}}}\n", `"lots" is not a quantity`},
		{"an alias", "a: &x 1\nnamespace: *x\n", "aliases are not supported"},
		{"an unknown topping", "toppings: [kubernetes, isto]\n", `unknown topping "isto"; did you mean "istio"?`},
		{"a variable that is none", "services: {order: {env: {A B: c}}}\n", `services.order.env.A B: "A B" is not a name for an environment variable`},
		{"a variable of the canary that is none", "services: {order: {canary: {env: {1A: c}}}}\n", `services.order.canary.env.1A: "1A" is not a name`},
		{"an unknown key of the canary", "services: {order: {canary: {envs: {A: c}}}}\n", `did you mean "env"?`},
		{"a name that starts with a digit", "names: {Order: 1order}\n", "starts with a digit"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			_, err := LoadSettings([]byte(tt.yaml), LoadOptions{Toppings: []string{"kubernetes", "istio"}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant it to hold %s", err, tt.want)
			}
		})
	}
}

func TestAllFaultsAreReportedAtOnceInTheirOrder(t *testing.T) {
	_, err := LoadSettings([]byte("routing: x\nfoo: 1\nsecurity: y\n"), LoadOptions{})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "meshstorm.yaml:1:") || !strings.HasPrefix(lines[2], "meshstorm.yaml:3:") {
		t.Errorf("got %q", lines)
	}
}

func TestVariablesStandBeforeTheFile(t *testing.T) {
	env := map[string]string{"MESHSTORM_NAMESPACE": "ci", "MESHSTORM_IMAGE_REGISTRY": "ghcr.io/ci", "MESHSTORM_ISTIO_VERSION": "1.18", "MESHSTORM_TOPPINGS": "kubernetes"}
	s, err := LoadSettings([]byte("namespace: shop\n"), LoadOptions{Getenv: func(k string) string { return env[k] }})
	if err != nil {
		t.Fatal(err)
	}
	if s.Namespace != "ci" || s.Image.Registry != "ghcr.io/ci" || s.IstioVersion != "1.18" || s.Runs("istio") || !s.Runs("kubernetes") || !s.Has("istio") {
		t.Errorf("got %+v", s)
	}
	if o := s.Origin("namespace"); o != "MESHSTORM_NAMESPACE" {
		t.Errorf("origin = %q", o)
	}
	env["MESHSTORM_NAMESPACE"] = "No Good"
	_, err = LoadSettings(nil, LoadOptions{Getenv: func(k string) string { return env[k] }})
	if err == nil || !strings.Contains(err.Error(), "(from MESHSTORM_NAMESPACE)") {
		t.Errorf("the error must name the variable, got %v", err)
	}
}

func TestTheSchemaIsJSONAndKnowsEveryKey(t *testing.T) {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"workspace", "namespace", "toppings", "names", "istioVersion", "routing", "kafka", "security", "services", "gateway", "image", "ignore"} {
		if s.Properties[key] == nil {
			t.Errorf("the schema lacks %q", key)
		}
	}
}

func FuzzLoadSettings(f *testing.F) {
	f.Add("namespace: shop\nkafka: dev\n")
	f.Add("services: {a: {weights: {stable: 1}}}\n? [a]\n: b\n")
	f.Add("a: &a [*a]\n")
	f.Add("{{{{{{")
	f.Add("services:\n  ? {a: b}\n  : {replicas: 99999999999}\n")
	f.Fuzz(func(t *testing.T, data string) {
		s, err := LoadSettings([]byte(data), LoadOptions{Workspace: "w"})
		if (s == nil) == (err == nil) {
			t.Fatalf("settings %v, error %v: expected exactly one", s, err)
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Fatal("an error without words")
		}
	})
}
