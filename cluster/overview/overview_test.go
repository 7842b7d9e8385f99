package overview_test

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/overview"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/shift"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

func read[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func object(t testing.TB, text string) unstructured.Unstructured {
	t.Helper()
	return unstructured.Unstructured{Object: read[map[string]any](t, text)}
}

func pod(t testing.TB, name, track string, ready bool) corev1.Pod {
	p := read[corev1.Pod](t, `{metadata: {name: `+name+`, namespace: shop, labels: {app: order, track: `+track+`}}, spec: {containers: [{name: order}, {name: istio-proxy}]}, status: {phase: Running}}`)
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "order", Ready: ready, RestartCount: 2}, {Name: "istio-proxy", Ready: true}}
	return p
}

func deployment(t testing.TB, name, track string) appsv1.Deployment {
	return read[appsv1.Deployment](t, `{metadata: {name: `+name+`, namespace: shop}, spec: {selector: {}, template: {metadata: {labels: {app: order, track: `+track+`, version: v1}}, spec: {containers: [{name: order, image: shop/order}]}}}}`)
}

// shop is a service with a canary at ten percent.
func shop(t testing.TB) *overview.Listed {
	now := time.Unix(10_000, 0)
	vs := object(t, `
metadata: {name: vsvc-order, namespace: shop}
spec:
  gateways: [main-gw]
  hosts: ["*"]
  http:
  - name: `+shift.RuleTesters+`primary
    route: [{destination: {host: order, subset: canary}}]
  - name: primary
    route:
    - {destination: {host: order, subset: stable}, weight: 90}
    - {destination: {host: order.shop.svc.cluster.local, subset: canary}, weight: 10}`)
	state := &shift.State{Plan: "p", Since: now.Add(-time.Hour)}
	vs.SetAnnotations(map[string]string{shift.Annotation: state.Encode()})
	renewed, holder, seconds := metav1.NewMicroTime(now.Add(-5*time.Second)), "ann@laptop", int32(30)
	return &overview.Listed{
		Now:         now,
		Services:    []corev1.Service{read[corev1.Service](t, `{metadata: {name: order, namespace: shop}, spec: {selector: {app: order}, ports: [{name: http, port: 8080}]}}`)},
		Pods:        []corev1.Pod{pod(t, "order-1", "stable", true), pod(t, "order-2", "stable", false), pod(t, "order-canary-1", "canary", true)},
		Deployments: []appsv1.Deployment{deployment(t, "order", "stable"), deployment(t, "order-canary", "canary")},
		Leases: []coordinationv1.Lease{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: overview.LeasePrefix + "order"},
			Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &renewed, LeaseDurationSeconds: &seconds}}},
		VirtualServices: []unstructured.Unstructured{vs},
		DestinationRules: []unstructured.Unstructured{object(t, `
metadata: {name: destrule-order, namespace: shop}
spec: {host: order, subsets: [{name: stable, labels: {track: stable}}, {name: canary, labels: {track: canary}}, {name: old, labels: {track: old}}]}`)},
		Seen: map[string]metrics.Traffic{
			"shop/order":        {Requests: 80, Errors: 0, P95: 12},
			"shop/order-canary": {Requests: 20, Errors: 5, P95: math.NaN()},
		},
	}
}

func TestAServiceIsSeenWithItsSplit(t *testing.T) {
	l, out := shop(t), &overview.Overview{}
	overview.Join(l, out)
	s := out.Services[0]
	if s.Ready != 2 || s.Total != 3 || s.Restarts != 6 || s.Sidecars != 3 {
		t.Errorf("pods: %+v", s)
	}
	if !reflect.DeepEqual(s.Routes, []string{"vsvc-order"}) || !reflect.DeepEqual(s.Gateways, []string{"main-gw"}) || !reflect.DeepEqual(s.Rules, []string{"destrule-order"}) {
		t.Errorf("routes: %+v", s)
	}
	type row struct {
		subset       string
		ready, total int
		wished       int
		share, rate  float64
	}
	for i, want := range []row{{"stable", 1, 2, 90, 0.8, 0}, {"canary", 1, 1, 10, 0.2, 0.25}} {
		k := s.Tracks[i]
		if k.Wished == nil || k.Share == nil || k.Seen == nil {
			t.Fatalf("%s is not known: %+v", want.subset, k)
		}
		if got := (row{k.Subset, k.Ready, k.Total, *k.Wished, *k.Share, k.Seen.ErrorRate}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if s.Tracks[1].Seen.P95 != nil || s.Tracks[0].Seen.P95 == nil {
		t.Error("p95 is to be known for stable only")
	}
	if old := s.Tracks[2]; old.Total != 0 || old.Share != nil || old.Seen != nil {
		t.Errorf("a subset without pods was seen: %+v", old)
	}
	if s.Shift == nil || s.Shift.Unattended != nil || s.Shift.Holder != "ann@laptop" {
		t.Errorf("shift: %+v", s.Shift)
	}
}

func TestACanaryThatNobodyAttendsIsSaid(t *testing.T) {
	l, out := shop(t), &overview.Overview{}
	l.Now = l.Now.Add(time.Minute)
	overview.Join(l, out)
	s := out.Services[0].Shift
	if s == nil || s.Unattended == nil || !s.Unattended.Equal(time.Unix(9995, 0)) {
		t.Errorf("got %+v, want unattended since the last renewal", s)
	}
}

func TestRulesThatDisagreeGiveNoWish(t *testing.T) {
	l, out := shop(t), &overview.Overview{}
	l.VirtualServices = append(l.VirtualServices, object(t, `
metadata: {name: other, namespace: shop}
spec: {http: [{route: [{destination: {host: order, subset: stable}}]}]}`))
	overview.Join(l, out)
	if w := out.Services[0].Tracks[0].Wished; w != nil {
		t.Errorf("got %d, want nothing: the rules say 90 and 100", *w)
	}
}

func TestEmptyListsAreNotNull(t *testing.T) {
	bare := unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "bare", "namespace": "shop"}}}
	for name, l := range map[string]*overview.Listed{
		"nothing is there":  {},
		"rules say nothing": {VirtualServices: []unstructured.Unstructured{bare}, DestinationRules: []unstructured.Unstructured{bare}},
	} {
		out := &overview.Overview{}
		overview.Join(l, out)
		text, err := json.Marshal(out)
		if err != nil || strings.Contains(string(text), "null") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestPodsAreNamedAsKubectlDoes(t *testing.T) {
	for want, text := range map[string]string{
		"Running":           `{spec: {containers: [{name: a}]}, status: {phase: Running, containerStatuses: [{ready: true, state: {running: {}}}]}}`,
		"CrashLoopBackOff":  `{spec: {containers: [{name: a}]}, status: {phase: Running, containerStatuses: [{state: {waiting: {reason: CrashLoopBackOff}}}]}}`,
		"ImagePullBackOff":  `{spec: {containers: [{name: a}]}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff}}}]}}`,
		"Completed":         `{spec: {containers: [{name: a}]}, status: {phase: Succeeded, containerStatuses: [{state: {terminated: {reason: Completed}}}]}}`,
		"ExitCode:3":        `{spec: {containers: [{name: a}]}, status: {phase: Failed, containerStatuses: [{state: {terminated: {exitCode: 3}}}]}}`,
		"Evicted":           `{spec: {containers: [{name: a}]}, status: {phase: Failed, reason: Evicted}}`,
		"Terminating":       `{metadata: {deletionTimestamp: "2026-01-01T00:00:00Z"}, spec: {containers: [{name: a}]}, status: {phase: Running}}`,
		"Pending":           `{spec: {containers: [{name: a}]}, status: {phase: Pending}}`,
		"Init:0/1":          `{spec: {initContainers: [{name: i}], containers: [{name: a}]}, status: {phase: Pending, initContainerStatuses: [{name: i, state: {running: {}}}]}}`,
		"Init:Error":        `{spec: {initContainers: [{name: i}], containers: [{name: a}]}, status: {phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 1, reason: Error}}}]}}`,
		"ContainerCreating": `{spec: {containers: [{name: a}]}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ContainerCreating}}}]}}`,
	} {
		out := &overview.Overview{}
		overview.Join(&overview.Listed{Pods: []corev1.Pod{read[corev1.Pod](t, text)}}, out)
		if got := out.Pods[0].Status; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAWatchTellsWhatChanges(t *testing.T) {
	c := labtest.Client(t)
	seen := make(chan int)
	done := make(chan error, 1)
	go func() {
		done <- overview.Watch(t.Context(), c, overview.Options{}, func(v *overview.Overview) error {
			seen <- len(v.Services)
			return nil
		})
	}()
	if n := <-seen; n > 1 { // the lab may put its broker's Service there
		t.Fatalf("%d services in a new namespace", n)
	}
	service := read[corev1.Service](t, `{metadata: {name: order}, spec: {selector: {app: order}, ports: [{port: 8080}]}}`)
	if _, err := c.Kube.CoreV1().Services(c.Namespace).Create(t.Context(), &service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for n := range seen {
		if n >= 1 {
			break
		}
	}
	go func() {
		for range seen { //nolint:revive // the watch goes on until the test's context ends
		}
	}()
}

func BenchmarkJoin(b *testing.B) {
	one := shop(b)
	l := &overview.Listed{Now: one.Now, Seen: map[string]metrics.Traffic{}}
	for i := range 1000 {
		name := strings.Repeat("s", 1) + time.Duration(i).String()
		service := one.Services[0].DeepCopy()
		service.Name, service.Spec.Selector = name, map[string]string{"app": name}
		l.Services = append(l.Services, *service)
		p := one.Pods[0].DeepCopy()
		p.Name, p.Labels = name, map[string]string{"app": name, "track": "stable"}
		l.Pods = append(l.Pods, *p)
	}
	b.ReportAllocs()
	for b.Loop() {
		overview.Join(l, &overview.Overview{})
	}
}
