package xds_test

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

var update = flag.Bool("update", false, "write the golden files anew")

// injected is what istiod's webhook gives to a sidecar of the pod below.
var injected = map[string]string{
	"POD_NAME": "order-stable-7d9c5b-x2x4z", "POD_NAMESPACE": "shop", "INSTANCE_IP": "10.244.0.7", "SERVICE_ACCOUNT": "order",
	"PROXY_CONFIG":              `{"proxyMetadata":{"ISTIO_META_DNS_CAPTURE":"true"},"holdApplicationUntilProxyStarts":true}` + "\n",
	"ISTIO_META_POD_PORTS":      "[\n    {\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"}\n]",
	"ISTIO_META_APP_CONTAINERS": "order", "ISTIO_META_CLUSTER_ID": "Kubernetes", "ISTIO_META_NODE_NAME": "lab",
	"ISTIO_META_INTERCEPTION_MODE": "REDIRECT", "ISTIO_META_WORKLOAD_NAME": "order-stable",
	"ISTIO_META_OWNER":   "kubernetes://apis/apps/v1/namespaces/shop/deployments/order-stable",
	"ISTIO_META_MESH_ID": "cluster.local", "TRUST_DOMAIN": "cluster.local", "ISTIO_CPU_LIMIT": "2",
}

func orderPod() *pod.Spec {
	return &pod.Spec{
		Namespace: "shop", Name: "order-stable-7d9c5b-x2x4z", IP: netip.MustParseAddr("10.244.0.7"), ServiceAccount: "order",
		Labels:      map[string]string{"app": "order", "version": "v1", "pod-template-hash": "7d9c5b"},
		Annotations: map[string]string{"istio.io/rev": "default"},
		Args:        []string{"proxy", "sidecar", "--domain", "shop.svc.cluster.local"},
	}
}

func TestANodeIsThatOfIstiosAgent(t *testing.T) {
	node, config, err := xds.NodeFrom(func(name string) string { return injected[name] }, orderPod(), false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(plain, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	name := filepath.Join("testdata", "node.sidecar.json")
	if *update {
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the node is\n%s\nnot %s", got, name)
	}
	if !config.HoldUntilStarts || config.Concurrency != 2 || config.StatusPort != 15020 || config.AdminPort != 15000 || !config.MutualTLS ||
		config.DiscoveryAddress != "istiod.istio-system.svc:15012" || config.Drain != 45*time.Second || config.TerminationDrain != 5*time.Second {
		t.Errorf("the proxy's configuration is %+v", config)
	}
}

func TestNodes(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		change func(*pod.Spec)
		router bool
		want   []string // in the node as JSON, without blanks
		not    string
	}{
		{name: "a gateway", env: map[string]string{"ISTIO_META_UNPRIVILEGED_POD": "true"}, router: true,
			want: []string{`"id":"router~10.244.0.7~order-stable-7d9c5b-x2x4z.shop~shop.svc.cluster.local"`, `"UNPRIVILEGED_POD":"true"`}},
		{name: "nothing in the environment", want: []string{
			`"id":"sidecar~10.244.0.7~order-stable-7d9c5b-x2x4z.shop~shop.svc.cluster.local"`, `"cluster":"order.shop"`, `"NAMESPACE":"shop"`, `"INSTANCE_IPS":"10.244.0.7"`}},
		{name: "another domain", change: func(s *pod.Spec) { s.Args = []string{"proxy", "sidecar", "--domain=x.svc.mesh"} }, want: []string{`.shop~x.svc.mesh"`}},
		{name: "a variable of the user's", env: map[string]string{"ISTIO_META_MINE": "yes"}, want: []string{`"MINE":"yes"`}},
		{name: "labels as JSON", env: map[string]string{"ISTIO_METAJSON_LABELS": `{"team":"a","app":"other"}`},
			want: []string{`"STATIC_LABELS":{"app":"other","team":"a"}`, `"LABELS":{"app":"order","team":"a","version":"v1"}`}},
		{name: "another version", env: map[string]string{"ISTIO_META_ISTIO_VERSION": "1.31.1"}, want: []string{`"ISTIO_VERSION":"1.31.1"`}},
		{name: "a locality", change: func(s *pod.Spec) { s.Labels["istio-locality"] = "eu.west.1" },
			want: []string{`"locality":{"region":"eu","subZone":"1","zone":"west"}`, `"istio-locality":"eu/west/1"`}},
		{name: "no labels", change: func(s *pod.Spec) { s.Labels = nil }, env: map[string]string{"ISTIO_META_WORKLOAD_NAME": "w"}, want: []string{`"cluster":"w.shop"`}, not: "LABELS"},
		{name: "a service cluster", env: map[string]string{"PROXY_CONFIG": `{"serviceCluster":"mine"}`}, want: []string{`"cluster":"mine"`}},
		{name: "a canonical service", env: map[string]string{"PROXY_CONFIG": `{"tracingServiceName":"CANONICAL_NAME_ONLY"}`}, want: []string{`"cluster":"order"`}, not: `"serviceCluster"`},
		{name: "an annotation over PROXY_CONFIG", env: map[string]string{"PROXY_CONFIG": `{"discoveryAddress":"a:15012","proxyMetadata":{"ISTIO_META_A":"1"}}`},
			change: func(s *pod.Spec) {
				s.Annotations = map[string]string{"proxy.istio.io/config": "discovery_address: b:15012\nproxyMetadata:\n  ISTIO_META_B: 2\n"}
			}, want: []string{`"PILOT_SAN":["b"]`, `"A":"1"`, `"B":"2"`, `"discoveryAddress":"b:15012"`}},
		{name: "no ports", env: map[string]string{"ISTIO_META_POD_PORTS": "[\n]"}, not: "POD_PORTS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := orderPod()
			if c.change != nil {
				c.change(spec)
			}
			var environ []string
			for name, value := range c.env {
				environ = append(environ, name+"="+value)
			}
			node, _, err := xds.NodeFromEnviron(environ, spec, c.router)
			if err != nil {
				t.Fatal(err)
			}
			data, err := protojson.Marshal(node)
			if err != nil {
				t.Fatal(err)
			}
			var sorted any
			if err := json.Unmarshal(data, &sorted); err != nil {
				t.Fatal(err)
			}
			data, err = json.Marshal(sorted)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(data), want) {
					t.Errorf("%s is not in %s", want, data)
				}
			}
			if c.not != "" && strings.Contains(string(data), c.not) {
				t.Errorf("%s is in %s", c.not, data)
			}
		})
	}
}

func TestWrongEnvironments(t *testing.T) {
	for _, c := range []struct {
		name, variable, value, annotation string
		want                              string
	}{
		{name: "no YAML", variable: "PROXY_CONFIG", value: "{", want: "PROXY_CONFIG: not a proxy configuration"},
		{name: "a list", variable: "PROXY_CONFIG", value: "[]", want: "PROXY_CONFIG: not a proxy configuration"},
		{name: "a wrong duration", variable: "PROXY_CONFIG", value: `{"drainDuration":"soon"}`, want: "drainDuration is soon, not a duration such as 5s"},
		{name: "a wrong number", variable: "PROXY_CONFIG", value: `{"concurrency":"many"}`, want: "concurrency is many, not a number"},
		{name: "no address", variable: "PROXY_CONFIG", value: `{"discoveryAddress":""}`, want: "discoveryAddress is , not an address"},
		{name: "a wrong annotation", annotation: "a: b: c", want: "the annotation proxy.istio.io/config: not a proxy configuration"},
		{name: "labels that are no object", variable: "ISTIO_METAJSON_LABELS", value: "x", want: "ISTIO_METAJSON_LABELS is not a JSON object"},
		{name: "ports that are no list", variable: "ISTIO_META_POD_PORTS", value: "{}", want: "ISTIO_META_POD_PORTS: "},
		{name: "a status port that is none", variable: "ENVOY_STATUS_PORT", value: "x", want: `ENVOY_STATUS_PORT is "x", not a port`},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := orderPod()
			if c.annotation != "" {
				spec.Annotations["proxy.istio.io/config"] = c.annotation
			}
			_, _, err := xds.NodeFromEnviron([]string{c.variable + "=" + c.value}, spec, false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, not %s", err, c.want)
			}
		})
	}
}

func FuzzNodeFromEnviron(f *testing.F) {
	f.Add(`{"concurrency":2}`, `{"a":"b"}`, "[]")
	f.Add("discovery_address: a\nproxyMetadata: {ISTIO_META_X: y}", "", `[{"containerPort":80}]`)
	f.Fuzz(func(t *testing.T, config, labels, ports string) {
		node, c, err := xds.NodeFromEnviron([]string{"PROXY_CONFIG=" + config, "ISTIO_METAJSON_LABELS=" + labels, "ISTIO_META_POD_PORTS=" + ports}, orderPod(), false)
		if err == nil && (node.GetId() == "" || c.DiscoveryAddress == "") {
			t.Errorf("no error, but %v and %+v", node, c)
		}
	})
}
