package topping_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/topping/istio"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
)

var registry = topping.Registry{kubernetes.Topping{}, istio.Topping{}}

// build makes the intent of a one-service model with a synchronous caller.
func build(t *testing.T, settings string) *deploy.Model {
	t.Helper()
	s, err := deploy.LoadSettings([]byte(settings), deploy.LoadOptions{Workspace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	element := func(kind storm.Kind, id, name string) storm.Element {
		return storm.Element{ID: id, Kind: kind, Name: name}
	}
	m := &storm.Model{Outside: &storm.Context{}, Contexts: []*storm.Context{
		{Element: element(storm.KindBoundedContext, "b1", "order"), Aggregates: []*storm.Aggregate{{
			Element: element(storm.KindAggregate, "a1", "Order"),
			Events:  []*storm.Event{{Element: element(storm.KindEvent, "e1", "OrderPlaced")}},
		}, {Element: element(storm.KindAggregate, "a2", "주문")}}},
		{Element: element(storm.KindBoundedContext, "b2", "pay"), Policies: []*storm.Policy{{Element: element(storm.KindPolicy, "p1", "Charge")}}},
	}}
	m.Relations = []*storm.Relation{{ID: "r1", From: "p1", To: "a1", Kind: storm.ReqRes}}
	m.Index()
	return deploy.Build(m, s)
}

// render gives every object's YAML by Kind/name.
func render(t *testing.T, m *deploy.Model) map[string]string {
	t.Helper()
	all := map[string]string{}
	selected, err := registry.Selected(m.Settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range selected {
		objects, err := top.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			data, err := manifest.Encode(o.Value, o.Comments)
			if err != nil {
				t.Fatal(err)
			}
			docs, err := manifest.Parse("x.yml", data)
			if err != nil || len(docs) != 1 {
				t.Fatalf("%v\n%s", err, data)
			}
			all[docs[0].ID.Kind+"/"+docs[0].ID.Name] = string(data)
		}
	}
	return all
}

func TestSettingsShowInTheObjects(t *testing.T) {
	tests := []struct {
		about, settings, object string
		has, lacks              []string
	}{
		{"paths are segment-safe and not rewritten", "", "VirtualService/vsvc-order",
			[]string{"exact: /orders\n", "prefix: /orders/\n", "weight: 100", "weight: 0", "subset: stable"}, []string{"rewrite"}},
		{"Korean paths are encoded, with a comment people can read", "", "VirtualService/vsvc-order",
			[]string{"# /주문\n", "exact: /%EC%A3%BC%EB%AC%B8\n", "prefix: /%EC%A3%BC%EB%AC%B8/\n"}, nil},
		{"where a synchronous call ends the mesh is split alike", "services: {order: {weights: {stable: 90, canary: 10}}}", "VirtualService/vsvc-order-mesh",
			[]string{"- order.default.svc.cluster.local", "weight: 90", "weight: 10"}, []string{"gateways", "uri"}},
		{"commands have a rule of their own that is never repeated", "", "VirtualService/vsvc-order",
			[]string{"- name: writes\n    match:\n    - uri:\n        exact: /orders\n      method:\n        exact: POST\n", "exact: PATCH\n", "    retries:\n      attempts: 0\n  - name: primary\n"}, nil},
		{"inside the mesh, too", "", "VirtualService/vsvc-order-mesh",
			[]string{"- name: writes\n    match:\n    - method:\n        exact: POST\n    - method:\n        exact: PATCH\n    route:\n", "    retries:\n      attempts: 0\n  - name: primary\n    route:\n"}, nil},
		{"encoded paths are shown in the rule for commands, too", "", "VirtualService/vsvc-order",
			[]string{"    # /주문\n    - uri:\n        exact: /%EC%A3%BC%EB%AC%B8\n      method:\n"}, nil},
		{"the original's routing has one rule", "routing: msaez", "VirtualService/vsvc-order", nil, []string{"writes", "method", "retries"}},
		{"subsets select by track", "", "DestinationRule/destrule-order", []string{"track: stable", "track: canary"}, []string{"version:"}},
		{"the newest API version", "", "Gateway/main-gw", []string{"apiVersion: networking.istio.io/v1\n"}, nil},
		{"the API version of an old Istio", "istioVersion: 1.18", "Gateway/main-gw", []string{"apiVersion: networking.istio.io/v1beta1\n"}, nil},
		{"a path prefix is rewritten away by expression", "services: {order: {pathPrefix: /shop}}", "VirtualService/vsvc-order",
			[]string{"exact: /shop/orders\n", "prefix: /shop/orders/\n", "match: ^/shop(/.*)$", `rewrite: \1`}, nil},
		{"before 1.19 each match has its own rewrite", "istioVersion: 1.18\nservices: {order: {pathPrefix: /shop}}", "VirtualService/vsvc-order",
			[]string{"uri: /orders\n", "uri: /orders/\n", "name: primary-1", "name: writes-1"}, []string{"uriRegexRewrite"}},
		{"the original's routing", "routing: msaez", "VirtualService/vsvc-order", []string{"exact: /orders\n", "uri: /\n"}, []string{"prefix:"}},
		{"a certificate adds HTTPS and a redirect", "gateway: {hosts: [shop.example.com], tls: {credentialName: cert}}", "Gateway/main-gw",
			[]string{"number: 443", "credentialName: cert", "httpsRedirect: true", "- shop.example.com"}, nil},
		{"gateway hosts are the routes' hosts", "gateway: {hosts: [shop.example.com]}", "VirtualService/vsvc-order", []string{"- shop.example.com"}, []string{`"*"`}},
		{"probes, preStop and grace", "", "Deployment/order",
			[]string{"startupProbe", "failureThreshold: 24", "path: /actuator/health", "seconds: 5", "terminationGracePeriodSeconds: 40", "maxUnavailable: 0", "holdApplicationUntilProxyStarts"}, []string{"exec:"}},
		{"an old Kubernetes sleeps by command", "kubernetesVersion: 1.28", "Deployment/order", []string{"exec:", "- sleep"}, []string{"seconds: 5"}},
		{"without Istio there is no proxy to wait for", "toppings: [kubernetes]", "Deployment/order", nil, []string{"proxy.istio.io"}},
		{"baseline security", "", "Deployment/order", []string{"allowPrivilegeEscalation: false", "- ALL", "type: RuntimeDefault"}, []string{"runAsNonRoot"}},
		{"restricted security", "security: restricted", "Deployment/order", []string{"runAsNonRoot: true"}, nil},
		{"the broker's address", "kafka: {brokers: 'k:1', env: BROKERS}", "Deployment/order", []string{"name: BROKERS", "value: k:1"}, nil},
		{"a service's own value for it wins", "services: {order: {env: {SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS: mine:1}}}", "Deployment/order", []string{"value: mine:1"}, []string{"my-kafka"}},
		{"a dev broker", "kafka: dev", "StatefulSet/my-kafka", []string{"PLAINTEXT://my-kafka:9092", "name: tcp-kafka"}, nil},
		{"a dev broker's Service", "kafka: dev", "Service/my-kafka", []string{"name: tcp-kafka", "port: 9092"}, nil},
		{"replicas bring a disruption budget", "services: {order: {replicas: 2}}", "PodDisruptionBudget/order", []string{"maxUnavailable: 1", "track: stable"}, nil},
		{"the selector holds app and track only", "", "Deployment/order", []string{"matchLabels:\n      app: order\n      track: stable\n"}, nil},
		{"a canary with a share of the traffic has pods", "services: {order: {replicas: 2, weights: {stable: 90, canary: 10}}}", "Deployment/order-canary",
			[]string{"replicas: 1\n", "track: canary", "name: order-canary", "serviceAccountName: order\n"}, []string{"track: stable"}},
		{"the canary alone gets the variables of canary.env", "services: {order: {weights: {stable: 90, canary: 10}, env: {A: b, C: d}, canary: {env: {A: other, MESHSTORM_EVENTS: paused}}}}", "Deployment/order-canary",
			[]string{"name: A\n          value: other\n        - name: C\n          value: d\n        - name: MESHSTORM_EVENTS\n          value: paused\n"}, []string{"value: b\n"}},
		{"and the stable track does not", "services: {order: {weights: {stable: 90, canary: 10}, env: {A: b}, canary: {env: {A: other, MESHSTORM_EVENTS: paused}}}}", "Deployment/order",
			[]string{"name: A\n          value: b\n"}, []string{"MESHSTORM_EVENTS", "other"}},
		{"canary.env may give the canary a broker of its own", "services: {order: {weights: {stable: 90, canary: 10}, canary: {env: {SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS: mine:1}}}}", "Deployment/order-canary",
			[]string{"value: mine:1"}, []string{"my-kafka"}},
		{"requests", "services: {order: {resources: {requests: {cpu: 250m}, limits: {memory: 1Gi}}}}", "Deployment/order", []string{"cpu: 250m", "memory: 512Mi", "memory: 1Gi"}, nil},
		{"provenance", "", "Service/order", []string{"meshstorm.io/source: BoundedContext/order"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			objects := render(t, build(t, tt.settings))
			got, ok := objects[tt.object]
			if !ok {
				t.Fatalf("no %s", tt.object)
			}
			for _, want := range tt.has {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %q:\n%s", want, got)
				}
			}
			for _, not := range tt.lacks {
				if strings.Contains(got, not) {
					t.Errorf("must not hold %q:\n%s", not, got)
				}
			}
		})
	}
}

func TestWhatIsNotWanted(t *testing.T) {
	tests := []struct{ about, settings, object string }{
		{"one replica needs no budget", "", "PodDisruptionBudget/order"},
		{"a context without paths has no route", "", "VirtualService/vsvc-pay"},
		{"nobody calls it inside the mesh", "", "VirtualService/vsvc-pay-mesh"},
		{"a canary without a share has no pods", "services: {order: {replicas: 2}}", "Deployment/order-canary"},
		{"not exposed", "services: {order: {exposed: false}}", "VirtualService/vsvc-order"},
		{"an external broker", "", "StatefulSet/my-kafka"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			if y, ok := render(t, build(t, tt.settings))[tt.object]; ok {
				t.Errorf("%s is there:\n%s", tt.object, y)
			}
		})
	}
}

func TestAnAutoscalerOwnsTheReplicas(t *testing.T) {
	m := build(t, "")
	m.Services[0].Autoscaled = true
	if y := render(t, m)["Deployment/order"]; strings.Contains(y, "replicas:") {
		t.Errorf("replicas are rendered:\n%s", y)
	}
}

// Every field that a topping writes has a rule of its own kind; the common
// rules explain the metadata.
func TestEveryGeneratedFieldIsExplained(t *testing.T) {
	settings := []string{"", "kafka: dev\nservices: {order: {replicas: 2, weights: {stable: 50, canary: 50}, pathPrefix: /x, env: {A: b}, canary: {env: {P: q}}, resources: {limits: {cpu: 1}}}}\ngateway: {tls: {credentialName: c}, hosts: [a.example.com]}", "routing: msaez\nkubernetesVersion: 1.28\nsecurity: restricted"}
	for _, text := range settings {
		m := build(t, text)
		m.Archive = []byte("{}")
		for name, y := range render(t, m) {
			docs, err := manifest.Parse(name, []byte(y))
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range leaves(docs[0].Node, "") {
				explained := slices.ContainsFunc(registry, func(top topping.Topping) bool {
					r, ok := top.Why(m, docs[0].ID, field)
					return ok && r.Text != "" && r.Source != ""
				})
				if !explained {
					t.Errorf("%s: %s has no rule", name, field)
				}
			}
		}
	}
}

func TestTheCanarysVariablesAreDecidedByCanaryEnv(t *testing.T) {
	m := build(t, "services: {order: {weights: {stable: 90, canary: 10}, canary: {env: {MESHSTORM_EVENTS: paused}}}}")
	for name, want := range map[string]string{"order": "kafka.brokers", "order-canary": "services.order.canary.env"} {
		r, ok := kubernetes.Topping{}.Why(m, manifest.ID{Group: "apps", Kind: "Deployment", Name: name}, "spec.template.spec.containers[0].env[1].value")
		if !ok || r.Setting != want {
			t.Errorf("Deployment/%s: the setting is %q, expected %q", name, r.Setting, want)
		}
	}
}

func leaves(n *yaml.Node, path string) []string {
	var all []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			all = append(all, leaves(n.Content[i+1], path+"["+n.Content[i].Value+"]")...)
		}
		return all
	case yaml.SequenceNode:
		for _, item := range n.Content {
			all = append(all, leaves(item, path+"[0]")...)
		}
		return all
	}
	return []string{dotted(path)}
}

// dotted writes plain keys with dots, as people do.
func dotted(path string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.Trim(path, "[]"), "][") {
		switch {
		case part == "0":
			b.WriteString("[0]")
		case strings.ContainsAny(part, "./"):
			b.WriteString("[" + part + "]")
		default:
			b.WriteString("." + part)
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

func TestAModelInSeveralPartsIsWholeAgain(t *testing.T) {
	m := build(t, "")
	noise := make([]byte, 400<<10)
	x := uint32(1)
	for i := range noise { // does not compress
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	m.Archive = noise
	objects, err := kubernetes.Topping{}.Render(m)
	if err != nil {
		t.Fatal(err)
	}
	var parts int
	for _, o := range objects {
		if o.File != topping.ModelFile {
			continue
		}
		parts++
		data, err := manifest.Encode(o.Value, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) >= 180_000 {
			t.Errorf("a part has %d bytes", len(data))
		}
		if !strings.Contains(string(data), "meshstorm.io/model: shop") {
			t.Error("a part lacks the label")
		}
	}
	if parts != 4 {
		t.Errorf("got %d parts, want 4", parts)
	}
	back, err := kubernetes.ReadArchive(objects)
	if err != nil || string(back) != string(noise) {
		t.Errorf("the parts do not make the model again: %v", err)
	}
}

func TestRenderingIsTheSameEveryTime(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "examples", "12st-mall", "storm.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := msaez.Parse(data, "storm.json")
	if err != nil {
		t.Fatal(err)
	}
	first := ""
	for range 5 {
		m := deploy.Build(doc.Model, deploy.DefaultSettings("mall"))
		var b strings.Builder
		for _, top := range registry {
			objects, err := top.Render(m)
			if err != nil {
				t.Fatal(err)
			}
			files, err := manifest.Render("header", objects)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b.Write(f.Data)
			}
		}
		if first == "" {
			first = b.String()
		}
		if b.String() != first {
			t.Fatal("two runs differ")
		}
	}
}
