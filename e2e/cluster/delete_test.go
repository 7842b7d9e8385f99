package cluster

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func settings(object string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": object}, "data": map[string]any{"a": "b"},
	}}
}

func TestDeleteTakesWhatWasAppliedWhileItWaited(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	file := filepath.Join(s.dir, "one.json")
	text, err := settings("one").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, 0, "apply", "-f", file, "--name", "few", "-n", s.Namespace, "--yes")
	ctx, hold, err := s.Take(t.Context(), s.Namespace, cluster.ApplyLease("few"), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	remove := s.command(t, "delete", "--name", "few", "-n", s.Namespace, "--yes")
	said, err := remove.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := remove.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for waits := false; !waits && lines.Scan(); {
		waits = strings.HasPrefix(lines.Text(), "waiting: ")
	}
	plan, err := s.Plan(ctx, cluster.Request{Workspace: "few", Prune: true, Objects: []cluster.Object{
		{Unstructured: settings("one")}, {Unstructured: settings("two")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, plan, cluster.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	hold.Release()
	for lines.Scan() {
	}
	if err := remove.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"one", "two"} {
		if _, err := s.Kube.CoreV1().ConfigMaps(s.Namespace).Get(t.Context(), object, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("ConfigMap %s is still there, and nothing keeps track of it: %v", object, err)
		}
	}
}
