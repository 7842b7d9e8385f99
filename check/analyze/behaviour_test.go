package analyze_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
)

func TestTheSameFilesGiveTheSameFindings(t *testing.T) {
	data := everything(t)
	var first []byte
	for range 5 {
		r := check.Run(t.Context(), input(t, "all.yml", data), analyze.Rules(analyze.Options{Profile: "demo"}))
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Fatalf("two runs differ:\n%s\n%s", first, got)
		}
	}
}

// everything is all test files in one, which has their objects meet.
func everything(t *testing.T) []byte {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, e := range entries {
		data, err := os.ReadFile("testdata/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, data...), "\n---\n"...)
	}
	return all
}

func TestAGatewayNeedsAProfileThatInstallsIt(t *testing.T) {
	data, err := os.ReadFile("testdata/clean.three-services.yml")
	if err != nil {
		t.Fatal(err)
	}
	for profile, want := range map[string]int{"default": 0, "demo": 0, "": 0, "minimal": 1, "ambient": 1} {
		r := check.Run(t.Context(), input(t, "a.yml", data), analyze.Rules(analyze.Options{Profile: profile}))
		if r.Summary.Error != want {
			t.Errorf("profile %q: want %d errors, got %+v", profile, want, r.Findings)
		}
	}
}

func TestTheFilesMeshConfigIsTheOneThatCounts(t *testing.T) {
	in := input(t, "a.yml", []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: "defaultProviders: {accessLogging: [envoy]}"
  meshNetworks: "networks: {far: {endpoints: [{fromRegistry: nowhere}], gateways: [{address: 1.2.3.4, port: 443}]}}"
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: shop}
spec: {accessLogging: [{}]}
`))
	r := check.Run(t.Context(), in, analyze.Rules(analyze.Options{}))
	if len(r.Findings) != 1 || r.Findings[0].Code != "IST0126" || r.Findings[0].Object.Kind != "ConfigMap" {
		t.Errorf("want IST0126 on the ConfigMap, and no IST0157 because there is a default provider, got %+v", r.Findings)
	}
}

func TestNothingIsWrittenAndNoGoroutineStays(t *testing.T) {
	data := everything(t)
	check.Run(t.Context(), input(t, "all.yml", data), analyze.Rules(analyze.Options{}))
	// A goroutine that has done its work may still be counted for a moment; one
	// that stays is counted once for every run.
	const runs = 8
	before := runtime.NumGoroutine()
	output := captured(t, func() {
		for range runs {
			check.Run(t.Context(), input(t, "all.yml", data), analyze.Rules(analyze.Options{}))
		}
	})
	if output != "" {
		t.Errorf("something was written: %q", output)
	}
	if after := runtime.NumGoroutine(); after >= before+runs {
		t.Errorf("%d goroutines before %d runs, %d after", before, runs, after)
	}
}

// captured gives what fn writes to the process's stdout and stderr.
func captured(t *testing.T, fn func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	fn()
	os.Stdout, os.Stderr = stdout, stderr
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOddObjectsCauseNoInternalError(t *testing.T) {
	odd := []string{
		"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: %s\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: %s\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: %s\n",
		"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: %s\n",
	}
	values := []string{
		"null", "{}", "[]", "7", "text", "{http: null}", "{http: [null]}", "{http: [{route: [null], match: [null]}]}",
		"{hosts: [null], http: [{route: [{destination: null}], mirror: null, mirrors: [null]}], tcp: [null], tls: [null]}",
		"{servers: [null], selector: null}", "{servers: [{port: null, hosts: [null], tls: null}]}", "{subsets: [null], host: null}",
		"{template: null}", "{template: {spec: {containers: [null]}}}", "{template: {metadata: {labels: {a: 1}}, spec: 3}}",
		"{selector: {matchLabels: null}, rules: [null]}", "{rules: [{from: [null]}]}", "{ports: [null]}", "{mesh: '{', meshNetworks: '['}",
		"{workloadSelector: null, egress: [null]}", "{gatewayClassName: 7}",
	}
	for _, template := range odd {
		for _, value := range values {
			text := fmt.Sprintf(template, value)
			r := check.Run(t.Context(), input(t, "odd.yml", []byte(text)), analyze.Rules(analyze.Options{}))
			for _, f := range r.Findings {
				if f.Code == check.CodeInternal {
					t.Errorf("%s\n%s", f.Message, text)
				}
			}
		}
	}
}

// services is a mesh of n services, as meshstorm renders one: five objects
// each and a gateway.
func services(n int) []byte {
	clean, err := os.ReadFile("testdata/clean.three-services.yml")
	if err != nil {
		panic(err)
	}
	docs := strings.Split(string(clean), "\n---\n")
	var b strings.Builder
	b.WriteString(docs[0])
	for i := range n {
		for _, doc := range docs[1:6] {
			b.WriteString("\n---\n" + strings.ReplaceAll(doc, "order", fmt.Sprintf("order%d", i)))
		}
	}
	return []byte(b.String())
}

func BenchmarkThousandServices(b *testing.B) {
	data := services(1000)
	for name, rules := range map[string][]check.Rule{
		"analyzers": analyze.Rules(analyze.Options{}),
		"others":    check.Rules(),
		"all":       append(check.Rules(), analyze.Rules(analyze.Options{})...),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := check.Run(b.Context(), input(b, "all.yml", data), rules)
				if r.Summary.Error > 0 {
					b.Fatalf("%+v", r.Findings[0])
				}
			}
		})
	}
}

func TestTwoSidecarsForManyPodsAreOneFindingEach(t *testing.T) {
	var b strings.Builder
	for _, n := range []string{"a", "b", "c"} {
		fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {metadata: {labels: {tier: web}}, spec: {containers: [{name: a, image: a}]}}}\n---\n", n)
	}
	for _, n := range []string{"one", "two"} {
		fmt.Fprintf(&b, "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: %s}\nspec: {workloadSelector: {labels: {tier: web}}, egress: [{hosts: [./*]}]}\n---\n", n)
	}
	r := check.Run(t.Context(), input(t, "a.yml", []byte(b.String())), analyze.Rules(analyze.Options{}))
	if len(r.Findings) != 2 {
		t.Errorf("want one IST0110 for each Sidecar, got %+v", r.Findings)
	}
}

func TestAnEnvoyFilterWithUnknownFieldsAlwaysGivesTheSameText(t *testing.T) {
	const filter = `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: no-filter, namespace: shop}
spec:
  configPatches:
  - applyTo: NETWORK_FILTER
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: ADD
      value: {name: a, type: STRICT_DNS, connect_timeout: 1s, lb_policy: ROUND_ROBIN, load_assignment: {}}
`
	want := `unknown field "connect_timeout", "lb_policy", "load_assignment", "type" in envoy.config.listener.v3.Filter`
	for range 5 {
		r := check.Run(t.Context(), input(t, "filter.yml", []byte(filter)), analyze.Rules(analyze.Options{Profile: "demo"}))
		if len(r.Findings) == 0 || !strings.Contains(r.Findings[0].Message, want) {
			t.Fatalf("got %+v, want the first to have %s", r.Findings, want)
		}
	}
}
