package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestApplyAgainChangesNothingAndMendsDrift(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	want(t, actions(apply(t, c, request(t, mesh))),
		"create configmap/settings", "create service/shop", "create destinationrule/shop", "create virtualservice/shop")
	version := live(t, c, "VirtualService", "shop").GetResourceVersion()
	want(t, actions(apply(t, c, request(t, mesh))),
		"unchanged configmap/settings", "unchanged service/shop", "unchanged destinationrule/shop", "unchanged virtualservice/shop")
	if again := live(t, c, "VirtualService", "shop").GetResourceVersion(); again != version {
		t.Errorf("an unchanged object was written: resourceVersion %s, then %s", version, again)
	}
	patch(t, c, "somebody", "ConfigMap", "settings", `{"data":{"color":"red","extra":"theirs"}}`)
	set, err := tryApply(t.Context(), c, cluster.Request{Workspace: "shop", Objects: objects(t, mesh), Force: true, Prune: true}, cluster.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, actions(set), "configure configmap/settings", "unchanged service/shop", "unchanged destinationrule/shop", "unchanged virtualservice/shop")
	now := live(t, c, "ConfigMap", "settings")
	if text(now, "data", "color") != "blue" || text(now, "data", "extra") != "theirs" {
		t.Errorf("data is %v: ours is to be blue again, and what others added is to stay", now.Object["data"])
	}
}

func TestFieldsOfOthersAreNotTakenWithoutForce(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	apply(t, c, request(t, settings))
	patch(t, c, "colleague", "ConfigMap", "settings", `{"data":{"color":"red"}}`)
	plan, err := c.Plan(t.Context(), request(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	ch := plan.Changes[0]
	if ch.Action != cluster.Conflict || len(ch.Conflicts) != 1 || ch.Conflicts[0] != (cluster.FieldConflict{Manager: "colleague", Field: ".data.color"}) {
		t.Fatalf("got %+v, want a conflict with colleague over .data.color", ch)
	}
	if len(ch.Fields) != 1 || ch.Fields[0].Path != ".data.color" || ch.Fields[0].Old != "red" || ch.Fields[0].New != "blue" || strings.Join(ch.Fields[0].Managers, "") != "colleague" {
		t.Errorf("fields are %+v", ch.Fields)
	}
}

func TestWhatLeftTheFilesIsPrunedAndWhatOthersMadeIsNot(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	more := strings.ReplaceAll(settings, "name: settings", "name: more")
	tracked := strings.ReplaceAll(settings, "name: settings", "name: tracked")
	apply(t, c, request(t, settings+"\n---\n"+more+"\n---\n"+tracked))
	patch(t, c, "argocd-controller", "ConfigMap", "tracked", `{"metadata":{"annotations":{"argocd.argoproj.io/tracking-id":"x"}}}`)
	if err := c.Keep(t.Context(), c.Namespace, "shop", cluster.ID{Kind: "ConfigMap", Namespace: c.Namespace, Name: "more"}, "canary of shop"); err != nil {
		t.Fatal(err)
	}
	set := apply(t, c, request(t, settings))
	want(t, actions(set), "unchanged configmap/settings", "keep configmap/more", "keep configmap/tracked")
	if err := c.Release(t.Context(), c.Namespace, "shop", cluster.ID{Kind: "ConfigMap", Namespace: c.Namespace, Name: "more"}); err != nil {
		t.Fatal(err)
	}
	want(t, actions(apply(t, c, request(t, settings))), "unchanged configmap/settings", "delete configmap/more", "keep configmap/tracked")
	if live(t, c, "ConfigMap", "more") != nil {
		t.Error("more is still there")
	}
	if live(t, c, "ConfigMap", "tracked") == nil {
		t.Error("tracked was deleted, though Argo CD has it")
	}
}

func TestObjectsOfKubectlApplyAreTakenOver(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	resource, err := c.Resource(kinds["ConfigMap"], c.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	made := objects(t, settings)[0].DeepCopy()
	made.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"apiVersion":"v1"}`})
	if _, err := resource.Create(t.Context(), made, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"}); err != nil {
		t.Fatal(err)
	}
	smaller := strings.Replace(settings, "{color: blue, size: small}", "{color: green}", 1)
	plan, err := c.Plan(t.Context(), request(t, smaller))
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Problems()) != 1 || !plan.Changes[0].Adopts {
		t.Fatalf("the object of kubectl apply was not reported: %+v", plan.Changes)
	}
	r := request(t, smaller)
	r.Adopt = true
	apply(t, c, r)
	now := live(t, c, "ConfigMap", "settings")
	data, _, _ := unstructured.NestedStringMap(now.Object, "data")
	if len(data) != 1 || data["color"] != "green" {
		t.Errorf("data is %v: size left the files and must go", data)
	}
	if _, there := now.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"]; there {
		t.Error("kubectl's annotation is still there")
	}
}

const worker = `apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}, annotations: {sidecar.istio.io/inject: "false"}}
    spec:
      containers: [{name: worker, image: registry.invalid/nothing:v1}]`

func TestRoutesWaitForWorkloads(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	never := strings.Replace(worker, `inject: "false"`, `inject: "false", lab.meshstorm.io/startup: 1h`, 1)
	set, err := tryApply(t.Context(), c, request(t, mesh+"\n---\n"+never), cluster.ApplyOptions{Wait: true, Timeout: 500 * time.Millisecond})
	if !errors.Is(err, cluster.ErrNotReady) || !strings.Contains(err.Error(), "worker") {
		t.Fatalf("got %v, want worker not ready", err)
	}
	if live(t, c, "VirtualService", "shop") != nil || live(t, c, "DestinationRule", "shop") != nil {
		t.Error("traffic was moved to what is not ready")
	}
	if set.Count(cluster.Skipped) != 2 {
		t.Errorf("got %v, want the route and the destination rule skipped", actions(set))
	}
	// What was made is known: the next run goes on, and delete removes it.
	inventory, err := c.ReadInventory(t.Context(), c.Namespace, "shop")
	if err != nil || inventory.Find(cluster.ID{Group: "apps", Kind: "Deployment", Namespace: c.Namespace, Name: "worker"}) == nil {
		t.Errorf("the inventory does not know the Deployment: %+v, %v", inventory, err)
	}
	apply(t, c, request(t, mesh+"\n---\n"+never))
	if live(t, c, "VirtualService", "shop") == nil {
		t.Error("without a wait the route was not applied")
	}
}

func TestRoutesAreNotChangedWhenProxiesLag(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	var need cluster.Need
	set, err := tryApply(t.Context(), c, request(t, mesh), cluster.ApplyOptions{Sync: func(_ context.Context, n cluster.Need) error {
		need = n
		return errors.New("they lag")
	}})
	if !errors.Is(err, cluster.ErrNotSynced) {
		t.Fatalf("got %v", err)
	}
	want(t, actions(set), "create configmap/settings", "create service/shop", "create destinationrule/shop", "skipped virtualservice/shop")
	full := "shop." + c.Namespace + ".svc.cluster.local"
	if len(need.Present) != 2 || need.Present[0] != (cluster.Destination{Host: full, Port: 8080, Subset: "stable"}) || !need.Sidecars {
		t.Errorf("asked for %+v", need)
	}
	if live(t, c, "VirtualService", "shop") != nil {
		t.Error("the route was applied")
	}
}

func TestSubsetsGoOnlyWhenNoRouteNamesThem(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	apply(t, c, request(t, mesh))
	without := strings.Replace(mesh, ", {name: canary, labels: {track: canary}}", "", 1)
	without = strings.Replace(without, "\n    - destination: {host: shop, subset: canary}\n      weight: 0", "", 1)
	asked := 0
	_, err := tryApply(t.Context(), c, request(t, without), cluster.ApplyOptions{Sync: func(_ context.Context, n cluster.Need) error {
		if len(n.Absent) == 0 {
			return nil
		}
		asked++
		rule := live(t, c, "DestinationRule", "shop")
		subsets, _, _ := unstructured.NestedSlice(rule.Object, "spec", "subsets")
		vs := live(t, c, "VirtualService", "shop")
		if len(subsets) != 2 || strings.Contains(string(must(vs.MarshalJSON())), `"subset":"canary"`) {
			t.Errorf("when the proxies are asked, the rule has %d subsets, want 2, and the route is %v", len(subsets), vs.Object["spec"])
		}
		if n.Absent[0].Subset != "canary" {
			t.Errorf("asked for %+v", n.Absent)
		}
		return nil
	}})
	if err != nil || asked != 1 {
		t.Fatalf("%v; asked %d times", err, asked)
	}
	subsets, _, _ := unstructured.NestedSlice(live(t, c, "DestinationRule", "shop").Object, "spec", "subsets")
	if len(subsets) != 1 {
		t.Errorf("the rule has %d subsets in the end, want 1", len(subsets))
	}
	want(t, actions(apply(t, c, request(t, without))),
		"unchanged configmap/settings", "unchanged service/shop", "unchanged destinationrule/shop", "unchanged virtualservice/shop")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnotherSelectorIsReplacedWithoutALossOfPods(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	apply(t, c, request(t, worker))
	other := strings.ReplaceAll(worker, "{app: worker}", "{app: worker, track: stable}")
	plan, err := c.Plan(t.Context(), request(t, other))
	if err != nil {
		t.Fatal(err)
	}
	if problems := plan.Problems(); len(problems) != 1 || !strings.Contains(problems[0].Message, "--replace worker") {
		t.Fatalf("got %+v, want the way out named", problems)
	}
	sets := func() int {
		list, err := c.Kube.AppsV1().ReplicaSets(c.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	eventually(t, "the old ReplicaSet", func() bool { return sets() == 1 })
	r := request(t, other)
	r.Replace = []string{"worker"}
	set := apply(t, c, r)
	if set.Count(cluster.Replace) != 1 || set.Count(cluster.Delete) != 1 {
		t.Errorf("got %v, want the Deployment replaced and its old ReplicaSet deleted", actions(set))
	}
	eventually(t, "the old ReplicaSet to go", func() bool { return sets() == 1 })
	want(t, actions(apply(t, c, request(t, other))), "unchanged deployment/worker")
}

func TestPodsOfAReplacementThatIsTakenBackStay(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	apply(t, c, request(t, worker))
	names := func() string {
		list, err := c.Kube.AppsV1().ReplicaSets(c.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for i := range list.Items {
			all = append(all, list.Items[i].Name+" "+string(list.Items[i].UID))
		}
		return strings.Join(all, ", ")
	}
	before := names()
	r := request(t, strings.ReplaceAll(worker, "{app: worker}", "{app: worker, track: stable}"))
	r.Replace = []string{"worker"}
	ctx, interrupt := context.WithCancel(t.Context())
	_, err := tryApply(ctx, c, r, cluster.ApplyOptions{Wait: true, Progress: func(e cluster.Event) {
		if e.State == "gone" {
			interrupt()
		}
	}})
	if err == nil {
		t.Fatal("it was not interrupted between the old Deployment's end and the new one's beginning")
	}
	for range 2 { // the first finds a ReplicaSet that nobody owns, the second one that is the new Deployment's
		apply(t, c, request(t, worker))
		eventually(t, "the Deployment to have its old ReplicaSet", func() bool {
			list, err := c.Kube.AppsV1().ReplicaSets(c.Namespace).List(t.Context(), metav1.ListOptions{})
			return err == nil && len(list.Items) == 1 && metav1.GetControllerOf(&list.Items[0]) != nil
		})
		if after := names(); after != before {
			t.Fatalf("ReplicaSets are %s, want the one from before, %s", after, before)
		}
	}
}
