package proxies_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/proxies"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

const (
	serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: order}
spec:
  selector: {app: order}
  ports: [{name: http, port: 8080}]`
	// The pod is one of the lab's client images: the sidecar is what matters.
	deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: caller}
spec:
  selector: {matchLabels: {app: caller}}
  template:
    metadata: {labels: {app: caller}}
    spec:
      containers: [{name: curl, image: curlimages/curl, command: [sleep, infinity]}]`
	gatewayYAML = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main-gw}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["%[1]s.test"]}]`
	routeYAML = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vsvc-order}
spec:
  hosts: ["%[1]s.test", order.%[1]s.svc.cluster.local]
  gateways: [main-gw, mesh]
  http:
  - name: meshstorm-canary-header
    match: [{headers: {x-canary: {exact: "true"}}}]
    route: [{destination: {host: order, subset: canary}}]
  - name: order
    route:
    - {destination: {host: order, subset: stable}, weight: %[2]d}
    - {destination: {host: order, subset: canary}, weight: %[3]d}`
)

func rule(subsets ...string) string {
	text := "\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: destrule-order}\nspec:\n  host: order\n  subsets:\n"
	for _, s := range subsets {
		text += fmt.Sprintf("  - {name: %[1]s, labels: {track: %[1]s}}\n", s)
	}
	return text
}

// apply writes an object of YAML into the client's namespace.
func apply(t *testing.T, c *cluster.Client, text string, values ...any) {
	t.Helper()
	if len(values) > 0 {
		text = fmt.Sprintf(text, values...)
	}
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var o unstructured.Unstructured
	if err := o.UnmarshalJSON(body); err != nil {
		t.Fatal(err)
	}
	to, err := c.Resource(o.GroupVersionKind(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Patch(t.Context(), o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "test"}); err != nil {
		t.Fatal(err)
	}
}

func openMesh(t *testing.T, c *cluster.Client) *proxies.Mesh {
	t.Helper()
	mesh, err := proxies.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mesh.Close)
	return mesh
}

// await waits for what must come.
func await(t *testing.T, mesh *proxies.Mesh, what string, e proxies.Expectation) proxies.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	report, err := mesh.Wait(ctx, e)
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, strings.Join(report.Missing, "\n"))
	}
	t.Logf("%s: %d proxies after %v", what, report.Proxies, report.Took.Round(time.Millisecond))
	return report
}

// inject starts a pod with a sidecar and waits until istiod knows it.
func inject(t *testing.T, c *cluster.Client, mesh *proxies.Mesh) {
	t.Helper()
	apply(t, c, deploymentYAML)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		all, err := mesh.Proxies(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(all, func(p proxies.Proxy) bool { return p.Namespace == c.Namespace && !p.Gateway && len(p.Stale) == 0 }) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the sidecar of %s does not connect: %+v", c.Namespace, all)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestANewSubsetReachesTheGatewayAndTheSidecars(t *testing.T) {
	c := labtest.Client(t)
	mesh := openMesh(t, c)
	apply(t, c, serviceYAML)
	inject(t, c, mesh)
	ns, host := c.Namespace, "order."+c.Namespace+".svc.cluster.local"
	stable, canary := proxies.ClusterName(8080, "stable", host), proxies.ClusterName(8080, "canary", host)
	all := proxies.Expectation{Namespace: ns, Gateways: []map[string]string{{"istio": "ingressgateway"}}, Sidecars: []string{ns}}

	apply(t, c, gatewayYAML, ns)
	with := all
	with.Clusters = []string{stable}
	apply(t, c, rule("stable"))
	if got := await(t, mesh, "first subset", with); got.Proxies != 2 {
		t.Errorf("one gateway and one sidecar were expected, %d proxies were looked at", got.Proxies)
	}
	with.Clusters = []string{stable, canary}
	apply(t, c, rule("stable", "canary"))
	await(t, mesh, "second subset", with)
	await(t, mesh, "again, with nothing to wait for", with)

	for _, percent := range []int{0, 10, 100} {
		apply(t, c, routeYAML, ns, 100-percent, percent)
		with = all
		with.Weights = []proxies.Weight{{Cluster: stable, Percent: 100 - percent}, {Cluster: canary, Percent: percent}}
		await(t, mesh, fmt.Sprintf("canary at %d %%", percent), with)
	}

	t.Run("what never comes is named when the time is over", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		with := all
		with.Clusters = []string{proxies.ClusterName(8080, "blue", host)}
		report, err := mesh.Wait(ctx, with)
		if !errors.Is(err, proxies.ErrTimeout) || len(report.Missing) != 2 || !strings.Contains(report.Missing[1], "has no cluster outbound|8080|blue|"+host) {
			t.Errorf("got %v, %q", err, report.Missing)
		}
	})

	t.Run("a route for testers still names the canary", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		with := all
		with.Gone = []string{canary}
		report, err := mesh.Wait(ctx, with)
		if !errors.Is(err, proxies.ErrTimeout) || !strings.Contains(strings.Join(report.Missing, "\n"), `route "meshstorm-canary-header"`) {
			t.Errorf("got %v, %q", err, report.Missing)
		}
	})
}

func TestWithoutTheRightToForwardOpenSaysSo(t *testing.T) {
	admin := labtest.Client(t)
	name := admin.Namespace
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name + "-lists"}},
	}
	roles := admin.Kube.RbacV1()
	if _, err := roles.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = roles.ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{}) })
	if _, err := roles.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = roles.ClusterRoleBindings().Delete(context.Background(), name, metav1.DeleteOptions{}) })

	for user, says := range map[string]string{name + "-lists": "pods/portforward", name + "-nobody": "`list` on pods"} {
		c, err := cluster.Connect(cluster.Options{Kubeconfig: labtest.Kubeconfig(t), As: user})
		if err != nil {
			t.Fatal(err)
		}
		// The API server learns of the role a moment later.
		for ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second); ; {
			_, err = proxies.Open(t.Context(), c)
			if err != nil && strings.Contains(err.Error(), says) || ctx.Err() != nil {
				cancel()
				break
			}
		}
		if !errors.Is(err, proxies.ErrForbidden) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: ErrForbidden and %q were expected, got %v", user, says, err)
		}
	}
}

func TestForwardKeepsTheServersAnswer(t *testing.T) {
	c := labtest.Client(t)
	if _, err := c.Forward(t.Context(), c.Namespace, "nobody", 80); !apierrors.IsNotFound(err) {
		t.Errorf("a pod that is not there: %v", err)
	}
	pods, err := c.Kube.CoreV1().Pods(corev1.NamespaceAll).List(t.Context(), metav1.ListOptions{LabelSelector: "app=istiod"})
	if err != nil || len(pods.Items) == 0 {
		t.Fatal("no istiod", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	way, err := c.Forward(ctx, pods.Items[0].Namespace, pods.Items[0].Name, 15014)
	if err != nil {
		t.Fatal(err)
	}
	cancel() // which ends the opening alone
	if way.Address == "" {
		t.Error("no address")
	}
	way.Close()
	way.Close()
}
