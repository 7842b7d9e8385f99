package analyze

// These tests look at what no public door shows: which analyzers ran, and
// whether our tables still match those of Istio.

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"istio.io/istio/manifests"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/analysis"
	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/msg"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/collections"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

// notRun are the analyzers that cannot run without a cluster, with the reason.
// There are none: what they need is in the files or made up in base.go.
var notRun = map[string]string{}

// spy counts an analyzer's runs and what it looked at.
type spy struct {
	analysis.Analyzer
	ran int
}

func (s *spy) Analyze(c analysis.Context) { s.ran++; s.Analyzer.Analyze(c) }

func TestEveryAnalyzerOfIstioRunsOrHasAReasonNotTo(t *testing.T) {
	var spies []*spy
	var all []analysis.Analyzer
	for _, a := range analyzers.All() {
		s := &spy{Analyzer: a}
		spies, all = append(spies, s), append(all, s)
	}
	in := parse(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: order}\nspec: {template: {metadata: {labels: {app: order}}}}\n")
	run(t.Context(), in, Options{Profile: "demo"}, all)
	for _, s := range spies {
		name := s.Metadata().Name
		_, excused := notRun[name]
		if (s.ran > 0) == excused {
			t.Errorf("analyzer %s ran %d times, and is excused: %t", name, s.ran, excused)
		}
	}
}

// An input that the world cannot hold would make its analyzers blind.
func TestEveryInputOfAnAnalyzerHasASchema(t *testing.T) {
	for _, a := range analyzers.All() {
		for _, kind := range a.Metadata().Inputs {
			s, ok := collections.All.FindByGroupVersionKind(kind)
			if !ok {
				t.Errorf("%s: no schema for its input %s", a.Metadata().Name, kind)
				continue
			}
			if _, err := s.NewInstance(); err != nil {
				t.Errorf("%s: its input %s cannot be made: %v", a.Metadata().Name, kind, err)
			}
		}
	}
}

func TestEveryMessageOfIstioIsExplained(t *testing.T) {
	known := map[string]bool{}
	for _, m := range msg.All() {
		known[m.Code()] = true
		_, early := earlierExplanations[m.Code()]
		_, late := laterExplanations[m.Code()]
		if early == late {
			t.Errorf("%s (%s) is explained %v", m.Code(), m.Template(), map[bool]string{true: "twice", false: "nowhere"}[early])
			continue
		}
		e := explain(m.Code(), nil)
		if e.doc == "" || e.fix == "" {
			t.Errorf("%s lacks a sentence or a fix: %+v", m.Code(), e)
		}
		// As many parameters as the template has verbs, and no more, may be named.
		parameters := make([]any, strings.Count(m.Template(), "%"))
		for i := range parameters {
			parameters[i] = "x"
		}
		if e := explain(m.Code(), parameters); strings.Contains(e.means+e.fix, "%!") || strings.Contains(e.means+e.fix, "%[") {
			t.Errorf("%s has texts that its parameters do not fill: %+v", m.Code(), e)
		}
	}
	for code := range maps.Keys(earlierExplanations) {
		if !known[code] {
			t.Errorf("%s is explained and no message of Istio's", code)
		}
	}
	for code := range maps.Keys(laterExplanations) {
		if !known[code] {
			t.Errorf("%s is explained and no message of Istio's", code)
		}
	}
}

// istioProfile is what an IstioOperator profile says, as far as we look.
type istioProfile struct {
	Spec struct {
		Components struct {
			IngressGateways []gatewayComponent
			EgressGateways  []gatewayComponent
		}
		Values struct{ Profile string }
	}
}

type gatewayComponent struct {
	Name    string
	Enabled *bool
}

func enabled(all []gatewayComponent, name string, otherwise bool) bool {
	for _, g := range all {
		if g.Name == name && g.Enabled != nil {
			return *g.Enabled
		}
	}
	return otherwise
}

func TestProfilesAreIstiosOwn(t *testing.T) {
	files := manifests.BuiltinOrDir("")
	entries, err := fs.ReadDir(files, "profiles")
	if err != nil {
		t.Fatal(err)
	}
	base := readProfile(t, files, "default")
	var names []string
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".yaml")
		names = append(names, name)
		p, ours := readProfile(t, files, name), profiles[name]
		ingress := enabled(p.Spec.Components.IngressGateways, "istio-ingressgateway", enabled(base.Spec.Components.IngressGateways, "istio-ingressgateway", false))
		egress := enabled(p.Spec.Components.EgressGateways, "istio-egressgateway", enabled(base.Spec.Components.EgressGateways, "istio-egressgateway", false))
		if ingress != ours.ingress || egress != ours.egress {
			t.Errorf("profile %s: Istio has ingress %t and egress %t, we have %t and %t", name, ingress, egress, ours.ingress, ours.egress)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, Profiles()) {
		t.Errorf("Istio has the profiles %v, we have %v", names, Profiles())
	}
}

func readProfile(t *testing.T, files fs.FS, name string) istioProfile {
	t.Helper()
	data, err := fs.ReadFile(files, "profiles/"+name+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p istioProfile
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheDemoProfilesMeshConfigAndPortsAreIstiosOwn(t *testing.T) {
	data, err := fs.ReadFile(manifests.BuiltinOrDir(""), "charts/istio-control/istio-discovery/files/profile-demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		MeshConfig map[string]any
		Gateways   map[string]struct {
			Ports []struct {
				Name             string
				Port, TargetPort int32
			}
		}
	}
	if err := yaml.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(values.MeshConfig)
	if err != nil {
		t.Fatal(err)
	}
	want, err := mesh.ApplyMeshConfigDefaults(string(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := mesh.ApplyMeshConfigDefaults(demoMesh)
	if err != nil {
		t.Fatal(err)
	}
	if want.String() != got.String() {
		t.Errorf("mesh config of demo: want %s, got %s", want, got)
	}
	for i, p := range values.Gateways["istio-ingressgateway"].Ports {
		if ours := demoPorts[i]; ours.Name != p.Name || ours.Port != p.Port || ours.TargetPort.IntVal != p.TargetPort {
			t.Errorf("port %d of demo's ingress gateway: want %+v, got %+v", i, p, ours)
		}
	}
	for name, p := range profiles {
		if _, err := mesh.ApplyMeshConfigDefaults(chartMesh + p.mesh); err != nil {
			t.Errorf("mesh config of %s: %v", name, err)
		}
	}
}

// The short cut for the slow analyzer must not change what it finds.
func TestDeploymentsOneByOneGiveTheSameFindings(t *testing.T) {
	var b bytes.Buffer
	for _, n := range []string{"a", "b"} {
		b.WriteString("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + n + ", namespace: shop}\nspec: {template: {metadata: {labels: {app: " + n + ", tier: web}}}}\n---\n" +
			"apiVersion: v1\nkind: Service\nmetadata: {name: " + n + ", namespace: shop}\nspec: {selector: {app: " + n + "}, ports: [{name: http, port: 80, targetPort: 8080}]}\n---\n")
	}
	b.WriteString("apiVersion: v1\nkind: Service\nmetadata: {name: all, namespace: shop}\nspec: {selector: {tier: web}, ports: [{name: http, port: 81, targetPort: 8080}]}\n---\n" +
		"apiVersion: v1\nkind: Service\nmetadata: {name: all, namespace: other}\nspec: {selector: {tier: web}, ports: [{name: http, port: 82, targetPort: 8080}]}\n")
	in := parse(t, b.String())
	var analyzer analysis.Analyzer
	for _, a := range analyzers.All() {
		if a.Metadata().Name == servicesOfDeployment {
			analyzer = a
		}
	}
	w := buildWorld(in, Options{}, []analysis.Analyzer{analyzer})
	fast, slow := &analysisContext{ctx: t.Context(), world: w}, &analysisContext{ctx: t.Context(), world: w}
	fast.eachDeployment(analyzer.Analyze)
	analyzer.Analyze(slow)
	if len(slow.messages) != 2 || len(fast.messages) != len(slow.messages) {
		t.Fatalf("want 2 messages both ways, got %d at once and %d one by one", len(slow.messages), len(fast.messages))
	}
	for i := range slow.messages {
		if fast.messages[i].String() != slow.messages[i].String() {
			t.Errorf("at once %s, one by one %s", slow.messages[i].String(), fast.messages[i].String())
		}
	}
}

func TestAPanickingAnalyzerCostsItsOwnFindingsOnly(t *testing.T) {
	found := run(t.Context(), &check.Input{}, Options{}, []analysis.Analyzer{panics{}})
	if len(found) != 1 || found[0].Code != check.CodeInternal || !strings.Contains(found[0].Message, "panics") {
		t.Errorf("want one MS0001 that names the analyzer, got %+v", found)
	}
}

type panics struct{}

func (panics) Metadata() analysis.Metadata {
	return analysis.Metadata{Name: "panics", Inputs: []config.GroupVersionKind{}}
}
func (panics) Analyze(analysis.Context) { panic("boom") }

func parse(t *testing.T, text string) *check.Input {
	t.Helper()
	docs, err := manifest.Parse("a.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &check.Input{Documents: docs}
}
