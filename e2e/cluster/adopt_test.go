package cluster

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/internal/load"
)

const workloadFile = "kubernetes/template/template.yml"

// kubectlApply does what `kubectl apply -f kubernetes/template` does for a
// namespace without any of the objects, as a lab's tutorial has it; change may
// alter an object before, or leave it out with false.
func (s *shop) kubectlApply(t *testing.T, change func(*unstructured.Unstructured) bool) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace, Labels: map[string]string{"istio-injection": "enabled"}}}
	if _, err := s.Kube.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "kubernetes", "template", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
			o := &unstructured.Unstructured{}
			if err := documents.Decode(&o.Object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if len(o.Object) > 0 && change(o) {
				s.createAsKubectl(t, o)
			}
		}
	}
}

func (s *shop) createAsKubectl(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	text, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[corev1.LastAppliedConfigAnnotation] = string(text)
	o.SetAnnotations(annotations)
	resource, err := s.Resource(o.GroupVersionKind(), s.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Create(t.Context(), o, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatKubectlAppliedIsTakenOverAfterAQuestion(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.edit(t, workloadFile, "        env:\n", "        env:\n        - name: LATER\n          value: \"1\"\n")
	s.kubectlApply(t, func(o *unstructured.Unstructured) bool {
		if o.GetKind() == "Service" && o.GetName() == "order" { // the files lost it before meshstorm came
			o.SetLabels(map[string]string{"app": "order", "app.kubernetes.io/part-of": "12st-mall", "earlier": "yes"})
		}
		return true
	})
	service := func() *corev1.Service {
		o, err := s.Kube.CoreV1().Services(s.Namespace).Get(t.Context(), "order", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	before := service().ResourceVersion
	if out, _ := s.run(t, 1, "diff"); !strings.Contains(out, "made by `kubectl apply`: --adopt takes it over") {
		t.Errorf("diff says %q", out)
	}
	if _, errs := s.run(t, 2, "apply"); !strings.Contains(errs, "17 objects were made by `kubectl apply`") || !strings.Contains(errs, "--adopt says yes") {
		t.Errorf("without a terminal it says %q", errs)
	}
	if service().ResourceVersion != before {
		t.Error("the refused apply changed the Service")
	}
	s.run(t, 0, "apply", "--adopt")
	s.run(t, 0, "diff")
	after := service()
	if after.Labels["earlier"] != "" {
		t.Errorf("the label that the files do not have is still there: %v", after.Labels)
	}
	for _, e := range after.ManagedFields {
		if e.Manager == "kubectl-client-side-apply" {
			t.Errorf("kubectl still owns %s", e.FieldsV1)
		}
	}
	variables := func() string {
		o, err := s.Kube.AppsV1().Deployments(s.Namespace).Get(t.Context(), "order", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range o.Spec.Template.Spec.Containers[0].Env {
			names = append(names, e.Name)
		}
		return strings.Join(names, " ")
	}
	if got := variables(); !strings.Contains(got, "LATER") {
		t.Fatalf("the variable of the files is not there: %s", got)
	}
	s.edit(t, workloadFile, "        - name: LATER\n          value: \"1\"\n", "")
	s.run(t, 0, "apply")
	if got := variables(); strings.Contains(got, "LATER") {
		t.Errorf("the variable that left the files is still there: %s", got)
	}
}

// original puts into the cluster what MSA-Ez's own templates make: a Deployment
// that selects by app alone, and a route without subsets.
func (s *shop) original(t *testing.T) {
	t.Helper()
	s.kubectlApply(t, func(o *unstructured.Unstructured) bool {
		switch {
		case o.GetKind() == "Deployment" && o.GetName() == "order":
			unstructured.RemoveNestedField(o.Object, "spec", "selector", "matchLabels", "track")
			unstructured.RemoveNestedField(o.Object, "spec", "template", "metadata", "labels", "track")
		case o.GetKind() == "VirtualService" && o.GetName() == "vsvc-order":
			http := []any{map[string]any{"route": []any{map[string]any{"destination": map[string]any{"host": "order"}}}}}
			if err := unstructured.SetNestedSlice(o.Object, http, "spec", "http"); err != nil {
				t.Fatal(err)
			}
		}
		return o.GetKind() != "DestinationRule"
	})
	s.answers(t, "/orders")
}

func TestASwapThatIsKilledHalfwayIsCompletedUnderLoad(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.original(t)
	traffic, err := load.Start(t.Context(), load.Options{URL: s.gateway + "/orders", Host: s.host, Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	if !s.killAt(t, "  gone       "+s.Namespace+"/deployment/order", "apply", "--adopt", "--replace", "order") {
		t.Fatal("it was not killed when the old Deployment was gone")
	}
	if err := s.Kube.CoordinationV1().Leases(s.Namespace).Delete(t.Context(), cluster.ApplyLease("12st-mall"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.run(t, 0, "apply", "--adopt")
	s.podsAre(t, "order", 1)
	if err := traffic.Stop().Err(); err != nil {
		t.Errorf("requests failed: %v", err)
	}
	s.run(t, 0, "diff")
}

func TestADeploymentWithAnotherSelectorIsSwappedUnderLoad(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.original(t)
	selector := func() map[string]string {
		o, err := s.Kube.AppsV1().Deployments(s.Namespace).Get(t.Context(), "order", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return o.Spec.Selector.MatchLabels
	}
	if _, errs := s.run(t, 1, "apply", "--adopt"); !strings.Contains(errs, "--replace order") || !strings.Contains(errs, "nothing was applied") {
		t.Errorf("it does not say how to go on: %s", errs)
	}
	if len(selector()) != 1 {
		t.Errorf("the refused apply changed the selector: %v", selector())
	}
	traffic, err := load.Start(t.Context(), load.Options{URL: s.gateway + "/orders", Host: s.host, Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.run(t, 0, "apply", "--adopt", "--replace", "order")
	s.podsAre(t, "order", 1) // the old one's end may not fail a request either
	report := traffic.Stop()
	if !strings.Contains(out, "replaced  "+s.Namespace+"/deployment/order") {
		t.Errorf("apply --replace says %s", out)
	}
	if err := report.Err(); err != nil {
		t.Errorf("requests failed during the swap: %v", err)
	}
	if report.Codes[200] < 100 {
		t.Errorf("only %d requests were answered", report.Codes[200])
	}
	if got := selector(); got["track"] != "stable" {
		t.Errorf("the selector is %v", got)
	}
	s.run(t, 0, "diff")
}
