package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mall makes a generated workspace of the example in a git repository, as a
// team would keep it.
func mall(t *testing.T) string {
	t.Helper()
	w := filepath.Join(t.TempDir(), "mall")
	meshstorm(t, "", 0, "new", w, "--from", "../examples/12st-mall/storm.json")
	meshstorm(t, "", 0, "generate", w)
	git(t, w, "init", "-q")
	git(t, w, "add", "-A")
	git(t, w, "commit", "-qm", "generated")
	return w
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// model edits a workspace's model as the original tool would: elements is the
// map of stickers by id.
func model(t *testing.T, w string, change func(elements map[string]any)) {
	t.Helper()
	path := filepath.Join(w, "storm.json")
	var m map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &m); err != nil {
		t.Fatal(err)
	}
	change(m["elements"].(map[string]any))
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, string(data), path)
}

func idOf(t *testing.T, elements map[string]any, kind, name string) string {
	t.Helper()
	for id, e := range elements {
		if m, ok := e.(map[string]any); ok && m["name"] == name && strings.HasSuffix(m["_type"].(string), "."+kind) {
			return id
		}
	}
	t.Fatalf("no %s %q in the model", kind, name)
	return ""
}

// A person edits by hand, the model loses a context and gains one: edits stay,
// the lost context's objects go, the new one's come, and git shows only that.
func TestEditsSurvive(t *testing.T) {
	w := mall(t)
	istio := filepath.Join(w, "kubernetes/template/istio.yml")
	template := filepath.Join(w, "kubernetes/template/template.yml")

	text := read(t, istio)
	order := strings.Index(text, "name: vsvc-order\n")
	if order < 0 {
		t.Fatal("no vsvc-order")
	}
	vs := text[order:]
	vs = strings.Replace(vs, "weight: 100", "weight: 90 # ten of a hundred try the new one", 1)
	vs = strings.Replace(vs, "weight: 0", "weight: 10", 1)
	vs = strings.Replace(vs, "  http:\n", "  http:\n  # beta testers\n  - name: beta\n    match:\n    - headers:\n        x-beta:\n          exact: \"yes\"\n    route:\n    - destination:\n        host: order\n        subset: canary\n", 1)
	write(t, text[:order]+vs, istio)
	data := read(t, template)
	at := strings.Index(data, "kind: Deployment")
	data = data[:at] + strings.Replace(data[at:], "  annotations:\n", "  annotations:\n    team.example.com/owner: red\n", 1)
	write(t, data, template)
	git(t, w, "commit", "-qam", "edited by hand")

	model(t, w, func(elements map[string]any) {
		id := idOf(t, elements, "BoundedContext", "product")
		for key, e := range elements {
			m, ok := e.(map[string]any)
			if !ok {
				continue
			}
			if bc, ok := m["boundedContext"].(map[string]any); key == id || ok && bc["id"] == id {
				elements[key] = nil // as the tool leaves deleted stickers
			}
		}
		view := func(kind string) map[string]any {
			return map[string]any{"_type": "org.uengine.modeling.model." + kind, "x": 5000.0, "y": 400.0, "width": 400.0, "height": 400.0}
		}
		elements["new-bc"] = map[string]any{"_type": "org.uengine.modeling.model.BoundedContext", "id": "new-bc", "name": "coupon", "aggregates": []any{map[string]any{"id": "new-agg"}}, "elementView": view("BoundedContext")}
		elements["new-agg"] = map[string]any{"_type": "org.uengine.modeling.model.Aggregate", "id": "new-agg", "name": "Coupon", "boundedContext": map[string]any{"id": "new-bc"}, "elementView": view("Aggregate")}
	})
	r := meshstorm(t, "", 0, "generate", w)
	if !strings.Contains(r.stdout, "edited or added by you") {
		t.Errorf("generate does not say that edits were kept:\n%s", r.stdout)
	}
	text, data = read(t, istio), read(t, template)
	for _, want := range []string{"weight: 90 # ten of a hundred try the new one", "# beta testers", "name: beta", "name: vsvc-coupon", "name: destrule-coupon"} {
		if !strings.Contains(text, want) {
			t.Errorf("istio.yml lacks %q", want)
		}
	}
	if !strings.Contains(data, "team.example.com/owner: red") {
		t.Error("template.yml lacks the annotation")
	}
	if strings.Contains(text, "product") || strings.Contains(data, "app: product") {
		t.Error("objects of the removed context are left")
	}
	for l := range strings.SplitSeq(git(t, w, "diff", "-U0", "kubernetes/template/istio.yml", "kubernetes/template/template.yml"), "\n") {
		if strings.HasPrefix(l, "+++") || strings.HasPrefix(l, "---") || !strings.HasPrefix(l, "+") {
			continue
		}
		for _, bad := range []string{"app: order\n", "vsvc-order", "destrule-order", "delivery"} {
			if strings.Contains(l, bad) {
				t.Errorf("git shows a change that is none: %s", l)
			}
		}
	}
	for l := range strings.SplitSeq(git(t, w, "diff", "-U0", "kubernetes/template/istio.yml"), "\n") {
		if strings.HasPrefix(l, "-") && !strings.HasPrefix(l, "---") && (strings.Contains(l, "order") || strings.Contains(l, "deliver")) {
			t.Errorf("git shows a removal that is none: %s", l)
		}
	}
	meshstorm(t, "", 0, "generate", w)
	if read(t, istio) != text || read(t, template) != data {
		t.Error("a further run changed the files")
	}
}

func TestAConflictIsReportedAndThePersonsSideStands(t *testing.T) {
	w := mall(t)
	template := filepath.Join(w, "kubernetes/template/template.yml")
	data := read(t, template)
	at := strings.Index(data, "kind: Deployment")
	write(t, data[:at]+strings.Replace(data[at:], "replicas: 1", "replicas: 3", 1), template)
	settings := read(t, w, "meshstorm.yaml") + "services:\n  order: {replicas: 2}\n"
	write(t, settings, w, "meshstorm.yaml")
	r := meshstorm(t, "", 1, "generate", w)
	for _, want := range []string{"kubernetes/template/template.yml:", "Deployment/order", "spec.replicas", "yours stands: 3", "generated: 2"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the conflict lacks %q:\n%s", want, r.stderr)
		}
	}
	if !strings.Contains(read(t, template), "replicas: 3") {
		t.Error("the person's value is gone")
	}
	meshstorm(t, "", 0, "generate", w) // said once
}

func TestAFileThatIsNoYAMLStopsGenerateAndStays(t *testing.T) {
	w := mall(t)
	istio := filepath.Join(w, "kubernetes/template/istio.yml")
	broken := strings.Replace(read(t, istio), "spec:", "spec: [", 1)
	write(t, broken, istio)
	model(t, w, func(elements map[string]any) { elements[idOf(t, elements, "Policy", "StartDelivery")] = nil })
	before := tree(t, w)
	r := meshstorm(t, "", 2, "generate", w)
	if !strings.Contains(r.stderr, "kubernetes/template/istio.yml:") {
		t.Errorf("stderr: %s", r.stderr)
	}
	if after := tree(t, w); strings.Join(before, "") != strings.Join(after, "") {
		t.Error("files were changed")
	}
	rep := checked(t, w)
	if rep.Summary["error"] == 0 {
		t.Error("check says nothing about the broken file")
	}
}

func TestSwitchingAToppingOffRemovesItsObjectsButNoEdits(t *testing.T) {
	w := mall(t)
	all := tree(t, w)
	meshstorm(t, "", 0, "generate", w, "--topping", "kubernetes")
	if now := tree(t, w); strings.Join(now, "") != strings.Join(all, "") {
		t.Error("a run of one topping changed what the other wrote")
	}
	settings := read(t, w, "meshstorm.yaml")
	without := settings + "toppings: [kubernetes]\n"
	write(t, without, w, "meshstorm.yaml")
	meshstorm(t, "", 0, "generate", w)
	if _, err := os.Stat(filepath.Join(w, "kubernetes/template/istio.yml")); !os.IsNotExist(err) {
		t.Error("istio.yml is still there")
	}
	write(t, settings, w, "meshstorm.yaml")
	meshstorm(t, "", 0, "generate", w)
	if !strings.Contains(read(t, w, "kubernetes/template/istio.yml"), "vsvc-order") {
		t.Error("istio.yml did not come back")
	}
	istio := filepath.Join(w, "kubernetes/template/istio.yml")
	write(t, read(t, istio)+"---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: bank\n  namespace: default\nspec:\n  hosts: [bank.example.com]\n  ports: [{number: 443, name: tls, protocol: TLS}]\n  resolution: DNS\n", istio)
	write(t, without, w, "meshstorm.yaml")
	meshstorm(t, "", 0, "generate", w)
	left := read(t, istio)
	if !strings.Contains(left, "bank.example.com") || strings.Contains(left, "vsvc-order") {
		t.Errorf("istio.yml:\n%s", left)
	}
}

func TestADeletedObjectStaysDeletedAndADeletedFileComesBack(t *testing.T) {
	w := mall(t)
	istio := filepath.Join(w, "kubernetes/template/istio.yml")
	text := read(t, istio)
	at := strings.Index(text, "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n")
	end := at + 4 + strings.Index(text[at+4:], "---\n")
	write(t, text[:at]+text[end:], istio)
	meshstorm(t, "", 0, "generate", w)
	if read(t, istio) != text[:at]+text[end:] {
		t.Error("the deleted object came back, or something else changed")
	}
	if err := os.Remove(istio); err != nil {
		t.Fatal(err)
	}
	meshstorm(t, "", 0, "generate", w)
	if read(t, istio) != text {
		t.Error("the deleted file did not come back whole")
	}
}

func TestAnAutoscalerTakesTheReplicasOver(t *testing.T) {
	w := mall(t)
	template := filepath.Join(w, "kubernetes/template/template.yml")
	write(t, "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: delivery\n  namespace: default\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: delivery}\n  maxReplicas: 5\n", w, "kubernetes/hpa.yml")
	write(t, read(t, template)+"---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: order\n  namespace: default\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: order}\n  minReplicas: 1\n  maxReplicas: 5\n", template)
	meshstorm(t, "", 0, "generate", w)
	for doc := range strings.SplitSeq(read(t, template), "\n---\n") {
		if strings.Contains(doc, "kind: Deployment") && !strings.Contains(doc, "  name: product\n") && strings.Contains(doc, "\n  replicas:") {
			t.Errorf("replicas are still rendered:\n%s", doc)
		}
	}
}

func TestExplainNamesTheRuleTheSettingAndTheEdit(t *testing.T) {
	w := mall(t)
	r := meshstorm(t, w, 0, "explain", "deploy/order.spec.replicas")
	for _, want := range []string{"kubernetes/template/template.yml:", "BoundedContext/order", "services.order.replicas (default)", "how many pods"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("explain lacks %q:\n%s", want, r.stdout)
		}
	}
	template := filepath.Join(w, "kubernetes/template/template.yml")
	data := read(t, template)
	at := strings.Index(data, "kind: Deployment")
	write(t, data[:at]+strings.Replace(data[at:], "replicas: 1", "replicas: 3", 1), template)
	var e struct {
		Value, Generated, Why, Origin string
		Edited                        bool
	}
	r = meshstorm(t, w, 0, "explain", "Deployment/order.spec.replicas", "-o", "json")
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatal(err)
	}
	if e.Value != "3" || e.Generated != "1" || !e.Edited {
		t.Errorf("got %+v", e)
	}
	r = meshstorm(t, w, 0, "explain", "vs/vsvc-order.spec.http[0].match[0].uri.exact")
	if !strings.Contains(r.stdout, "Aggregate/Order") {
		t.Errorf("the element is missing:\n%s", r.stdout)
	}
	for query, want := range map[string]string{
		"vs.spec.http.retries":                 "retr",
		"deployment.spec.paused":               "paused",
		"deploy/order.spec.minReadySeconds":    "ready",
		"destrule/destrule-order.spec.subsets": "track",
	} {
		if r := meshstorm(t, w, 0, "explain", query); !strings.Contains(strings.ToLower(r.stdout), want) {
			t.Errorf("explain %s lacks %q:\n%s", query, want, r.stdout)
		}
	}
	for query, want := range map[string]string{
		"deploy/ordr":            "Deployment/order",
		"deploy/order.spec.nope": "nope",
		"frob/order":             "",
	} {
		if r := meshstorm(t, w, 2, "explain", query); !strings.Contains(r.stderr, want) {
			t.Errorf("explain %s: stderr lacks %q:\n%s", query, want, r.stderr)
		}
	}
}
