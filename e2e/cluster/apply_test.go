package cluster

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/internal/load"
)

func TestTheWholeWalk(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	if _, errs := s.run(t, 2, "apply"); !strings.Contains(errs, "There is no namespace") {
		t.Errorf("nobody could be asked, and it says %q", errs)
	}
	if _, err := s.Kube.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the refused apply made the namespace: %v", err)
	}
	if out, _ := s.run(t, 1, "diff"); !strings.Contains(out, "+  name: vsvc-order") {
		t.Errorf("diff: %s", out)
	}
	s.run(t, 0, "apply", "--yes")
	if status, content := s.get(t, "/orders"); status != 200 || content != "application/hal+json" {
		t.Errorf("GET /orders: %d, %s", status, content)
	}
	s.run(t, 0, "diff")
	const lease = "Lease/meshstorm-apply-12st-mall" // every run takes it
	before := s.versions(t)
	delete(before, lease)
	if out, _ := s.run(t, 0, "apply"); !strings.Contains(out, "nothing to change") {
		t.Errorf("the second apply says %q", out)
	}
	after := s.versions(t)
	delete(after, lease)
	if !maps.Equal(before, after) {
		t.Errorf("the second apply wrote: before %v, after %v", before, after)
	}
	if out, _ := s.run(t, 0, "get", "pods"); strings.Count(out, "2/2") != 3 {
		t.Errorf("get pods: %s", out)
	}
	if out, _ := s.run(t, 0, "get", "vs"); !strings.Contains(out, `vsvc-order      ["main-gw"]`) {
		t.Errorf("get vs: %s", out)
	}
	if out, _ := s.run(t, 0, "get", "dr"); !strings.Contains(out, "stable (1/1 pods),canary (no pods)") {
		t.Errorf("get dr: %s", out)
	}
	s.edit(t, "kubernetes/template/template.yml", "replicas: 1", "replicas: 2")
	if out, _ := s.run(t, 1, "diff", "-o", "fields"); !strings.Contains(out, ".spec.replicas: 1 -> 2") {
		t.Errorf("diff -o fields: %s", out)
	}
	s.run(t, 0, "apply")
	if out, _ := s.run(t, 0, "undo", "--yes"); !strings.Contains(out, "changed   "+s.Namespace+"/deployment/order") {
		t.Errorf("undo: %s", out)
	}
	if out, _ := s.run(t, 0, "history"); !strings.Contains(out, "3 (current)") || !strings.Contains(out, "undo to 1") {
		t.Errorf("history: %s", out)
	}
	s.run(t, 0, "delete", "--yes")
	if left := s.versions(t); len(left) > 0 {
		t.Errorf("delete left %v", left)
	}
	if _, err := s.Kube.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{}); err != nil {
		t.Errorf("the namespace should stay: %v", err)
	}
}

// versions are the resourceVersions of what is in the namespace, without what
// the cluster itself puts there.
func (s *shop) versions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, kind := range []schema.GroupVersionKind{
		gvk("Gateway"), gvk("VirtualService"), gvk("DestinationRule"), {Kind: "Service"}, {Kind: "ServiceAccount"}, {Kind: "ConfigMap"}, {Kind: "Secret"},
		{Group: "apps", Kind: "Deployment"}, {Group: "coordination.k8s.io", Kind: "Lease"},
	} {
		resource, err := s.Resource(kind, s.Namespace)
		if err != nil {
			t.Fatal(err)
		}
		list, err := resource.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			if !slices.Contains([]string{"kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl", "default"}, o.GetName()) {
				all[kind.Kind+"/"+o.GetName()] = o.GetResourceVersion()
			}
		}
	}
	return all
}

func TestAnApplyThatIsKilledAtAnyStageIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	lease := cluster.ApplyLease("12st-mall")
	for _, line := range []string{"accounts, configuration", "  created", "workloads and services", "waiting for", "gateways and", "routes:", "waiting for the proxies"} {
		for tries := 1; !s.killAt(t, line, "apply", "--yes"); tries++ {
			if tries == 5 {
				t.Fatalf("it was not killed at %q", line)
			}
			s.run(t, 0, "delete", "--yes") // all is done: from the beginning
		}
		if _, errs := s.run(t, 3, "apply", "--lock-wait", "0s"); !strings.Contains(errs, "is at work here since") {
			t.Errorf("the killed one's lease is not named: %s", errs)
		}
		// Its holder is dead: what else would be over in half a minute.
		if err := s.Kube.CoordinationV1().Leases(s.Namespace).Delete(t.Context(), lease, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	s.run(t, 0, "apply")
	s.run(t, 0, "diff")
	inventory, err := s.ReadInventory(t.Context(), s.Namespace, "12st-mall")
	if err != nil {
		t.Fatal(err)
	}
	var wanted cluster.ChangeSet
	out, _ := s.run(t, 0, "diff", "-o", "json")
	if err := json.Unmarshal([]byte(out), &wanted); err != nil {
		t.Fatal(err)
	}
	if len(wanted.Changes) != 17 || len(inventory.Entries) != 17 {
		t.Errorf("%d objects in the files and %d in the inventory, want 17", len(wanted.Changes), len(inventory.Entries))
	}
	for _, ch := range wanted.Changes {
		if inventory.Find(ch.Object) == nil {
			t.Errorf("%s is not in the inventory", ch.Object)
		}
	}
	if status, _ := s.get(t, "/orders"); status != 200 {
		t.Errorf("GET /orders: %d", status)
	}
}

func TestNoRequestFailsWhileSubsetsComeAndGo(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.run(t, 0, "apply", "--yes")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	traffic, err := load.Start(ctx, load.Options{URL: s.gateway + "/orders", Host: s.host, Rate: 200})
	if err != nil {
		t.Fatal(err)
	}
	s.edit(t, "meshstorm.yaml", "gateway:", "services: {order: {replicas: 2, weights: {stable: 80, canary: 20}}}\ngateway:")
	s.run(t, 0, "generate")
	s.run(t, 0, "apply") // a new Deployment, and the weight of its subset
	s.run(t, 0, "undo", "--yes")
	s.run(t, 0, "apply")
	report := traffic.Stop()
	if err := report.Err(); err != nil {
		t.Errorf("%v", err)
	}
	if report.Codes[200] < 200 {
		t.Errorf("only %d requests were answered", report.Codes[200])
	}
}

// TestRoutesStayWhenIstiodHangs needs a lab of its own, whose istiod it stops.
func TestRoutesStayWhenIstiodHangs(t *testing.T) {
	t.Parallel()
	lab, err := labtest.Bin("meshstorm-lab")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	data := t.TempDir()
	if out, err := exec.Command(lab, "up", "--detach", "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command(lab, "down", "--data", data).Run() })
	s := newShop(t, filepath.Join(data, "kubeconfig"), name(t))
	s.run(t, 0, "apply", "--yes")
	s.edit(t, routeFile, "  - name: primary\n", "  - name: primary\n    timeout: 7s\n")
	s.edit(t, routeFile, "  - name: canary\n", "  - name: next\n    labels:\n      app: order\n      track: next\n  - name: canary\n")
	before := s.live(t, "VirtualService", "vsvc-order").GetResourceVersion()
	istiod := component(t, lab, data, "istiod")
	if err := istiod.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = istiod.Signal(syscall.SIGCONT) })
	began := time.Now()
	_, errs := s.run(t, 3, "apply")
	// 10s for the proxies, and what it takes to see that istiod tells no version.
	if took := time.Since(began); !strings.Contains(errs, "no route was changed") || took > 25*time.Second {
		t.Errorf("after %s it says %s", took, errs)
	}
	if text, err := s.live(t, "DestinationRule", "destrule-order").MarshalJSON(); err != nil || !strings.Contains(string(text), `"name":"next"`) {
		t.Errorf("the subset, which comes before the routes, was not applied: %s, %v", text, err)
	}
	if s.live(t, "VirtualService", "vsvc-order").GetResourceVersion() != before {
		t.Error("the route was changed")
	}
	if _, errs := s.run(t, 0, "apply", "--no-sync-wait"); !strings.Contains(errs, "going on, as --no-sync-wait says") {
		t.Errorf("it does not say that the proxies were not waited for: %s", errs)
	}
	if text, err := s.live(t, "VirtualService", "vsvc-order").MarshalJSON(); err != nil || !strings.Contains(string(text), `"timeout":"7s"`) {
		t.Errorf("with --no-sync-wait the route was not changed: %s, %v", text, err)
	}
	if err := istiod.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.run(t, 0, "diff")
	s.answers(t, "/orders")
}

// component finds the process of a part of a lab.
func component(t *testing.T, lab, data, part string) *os.Process {
	t.Helper()
	out, err := exec.Command(lab, "status", "--data", data, "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Components []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"components"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		t.Fatal(err)
	}
	for _, c := range status.Components {
		if strings.Contains(c.Name, part) && c.PID > 0 {
			process, err := os.FindProcess(c.PID)
			if err != nil {
				t.Fatal(err)
			}
			return process
		}
	}
	t.Fatalf("no process of %s: %s", part, out)
	return nil
}
