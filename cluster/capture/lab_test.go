package capture_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/manifest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

// create makes the objects of YAML text in the client's namespace, as `kubectl
// create` does, but for pods.
func create(t *testing.T, c *cluster.Client, text string) {
	t.Helper()
	docs, err := manifest.Parse("live.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		if d.Node == nil || d.ID.Kind == "Pod" || d.ID.Name == "kube-root-ca.crt" {
			continue
		}
		data, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(data, &o.Object); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
			unstructured.RemoveNestedField(o.Object, "metadata", f)
		}
		unstructured.RemoveNestedField(o.Object, "status")
		r, err := c.Resource(o.GroupVersionKind(), o.GetNamespace())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
			t.Fatalf("create %s %s: %v", d.ID.Kind, d.ID.Name, err)
		}
	}
}

// inNamespace moves YAML text from one namespace to another.
func inNamespace(text, from, to string) string {
	return strings.NewReplacer("namespace: "+from, "namespace: "+to, "."+from+".svc", "."+to+".svc").Replace(text)
}

// without leaves out what is not compared: left out by import, or made by the lab.
func without(objects map[string]any, suffixes ...string) map[string]any {
	for key := range objects {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(key, s) }) {
			delete(objects, key)
		}
	}
	return objects
}

func TestALiveForeignNamespaceComesBackAsItWasCreated(t *testing.T) {
	c := labtest.Client(t)
	text := inNamespace(strings.NewReplacer(", nodePort: 31234", "", "  clusterIP: 10.0.0.1\n", "", "  clusterIPs: [10.0.0.1]\n", "",
		"deployment.kubernetes.io/revision: \"3\", ", "").Replace(foreign), "shop", c.Namespace)
	create(t, c, text)
	s, err := capture.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r, dir := makeNew(t, s)
	noise := []string{"/kube-root-ca.crt", "/db-password", "/order-1", "/my-kafka"}
	want := without(objects(t, c.Namespace, strings.Replace(text, "  replicas: 3\n", "", 1)), noise...)
	got := without(objects(t, c.Namespace, read(t, filepath.Join(dir, "kubernetes"))), noise...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the workspace's objects differ from those that were created (-created +workspace):\n%s", diff)
	}
	if files := read(t, dir) + read(t, filepath.Join(dir, ".meshstorm/base")); strings.Contains(files, "hunter2") || strings.Contains(files, "aHVudGVyMg") {
		t.Error("the password stands in a file")
	}
	for _, o := range r.Objects {
		if o.Kind == "Pod" || o.Kind == "ReplicaSet" || o.Kind == "EndpointSlice" {
			t.Errorf("%s %s was read", o.Kind, o.Name)
		}
	}
	settled(t, dir)
}

func TestALiveWorkspaceComesBackWithItsModel(t *testing.T) {
	c := labtest.Client(t)
	text := inNamespace(read(t, mall), "default", c.Namespace)
	create(t, c, strings.Replace(text, "    workspace: 12st-mall\n", "    workspace: 12st-mall\n    namespace: "+c.Namespace+"\n", 1))
	s, err := capture.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r, dir := makeNew(t, s)
	got := without(objects(t, c.Namespace, read(t, filepath.Join(dir, "kubernetes"))), "/my-kafka")
	if diff := cmp.Diff(objects(t, c.Namespace, text), got); diff != "" {
		t.Errorf("the workspace's objects differ from those that were created (-created +workspace):\n%s", diff)
	}
	for _, o := range r.Objects {
		if o.Fate == capture.AsEdit {
			t.Errorf("an edit where nothing differs: %s", dump(o))
		}
	}
	if !strings.Contains(content(t, filepath.Join(dir, "storm.json")), "OrderPlaced") {
		t.Error("the model has lost its events")
	}
	settled(t, dir)
}

func TestKindsThatMayNotBeReadAreSkippedAndReported(t *testing.T) {
	c := labtest.Client(t)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}}}}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "reader"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "reader-" + c.Namespace}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "order"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "order"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	_, err1 := c.Kube.RbacV1().Roles(c.Namespace).Create(t.Context(), role, metav1.CreateOptions{})
	_, err2 := c.Kube.RbacV1().RoleBindings(c.Namespace).Create(t.Context(), binding, metav1.CreateOptions{})
	_, err3 := c.Kube.CoreV1().Services(c.Namespace).Create(t.Context(), service, metav1.CreateOptions{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	reader, err := cluster.Connect(cluster.Options{Kubeconfig: labtest.Kubeconfig(t), Namespace: c.Namespace, As: "reader-" + c.Namespace, AsGroups: []string{"system:authenticated"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &capture.Snapshot{}
	for len(s.Objects) == 0 { // the authorizer learns of the binding a moment later
		if s, err = capture.Read(t.Context(), reader); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.ContainsFunc(s.Skipped, func(k capture.SkippedKind) bool {
		return k.Kind == "Deployment.apps" && strings.Contains(k.Reason, "not permitted")
	}) {
		t.Errorf("skipped kinds: %v", s.Skipped)
	}
	if !slices.ContainsFunc(s.Objects, func(o capture.Object) bool { return o.ID().Name == "order" }) {
		t.Error("the Service was not read")
	}
}

func TestAClusterThatDoesNotAnswerIsSaidSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nusers: [{name: x, user: {}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(cluster.Options{Kubeconfig: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := capture.Read(context.Background(), c); !errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("error %v, want ErrUnreachable", err)
	}
}

// plain says only what it must, so that the API server adds all its defaults.
const plain = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      initContainers: [{name: first, image: busybox}]
      containers:
      - name: agent
        image: ghcr.io/acme/agent@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]
        env:
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        resources: {limits: {cpu: 1000m, memory: 1024Mi}}
        livenessProbe: {tcpSocket: {port: 80}}
        readinessProbe: {httpGet: {port: 80, path: /ready}}
        startupProbe: {grpc: {port: 9000}}
        lifecycle: {preStop: {httpGet: {port: 80, path: /stop}}}
        volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /b}]
      volumes:
      - {name: a, configMap: {name: x}}
      - {name: b, secret: {secretName: keys}}
      - {name: c, emptyDir: {}}
      - {name: d, projected: {sources: [{serviceAccountToken: {path: token}}, {configMap: {name: z}}]}}
      - {name: e, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: job, image: "busybox:1"}]}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: job, image: "busybox:1"}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "postgres:17"}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: lb, namespace: shop}
spec: {type: LoadBalancer, sessionAffinity: ClientIP, selector: {app: agent}, ports: [{port: 80, name: http, targetPort: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {type: ExternalName, externalName: api.pay.example}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files, namespace: shop}
spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {defaultBackend: {service: {name: lb, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: some, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: agent, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: agent}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: "team:reader", namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: "team:reader"}
subjects: [{kind: Group, name: team}, {kind: ServiceAccount, name: default, namespace: shop}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: shop}
spec: {hard: {cpu: 100000m}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: shop}
data: {"a.b": "1", empty: ""}
binaryData: {bin: AAEC}
immutable: true
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing, namespace: shop}
spec: {}
`

func TestDefaultsOfTheAPIServerDoNotReachTheFiles(t *testing.T) {
	c := labtest.Client(t)
	text := inNamespace(plain, "shop", c.Namespace)
	create(t, c, text)
	s, err := capture.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	_, dir := makeNew(t, s)
	want := objects(t, c.Namespace, strings.NewReplacer(" 1000m", ` "1"`, "1024Mi", "1Gi", "100000m", `"100"`).Replace(text))
	got := without(objects(t, c.Namespace, read(t, filepath.Join(dir, "kubernetes"))), "/my-kafka")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the workspace's objects differ from those that were created (-created +workspace):\n%s", diff)
	}
	generated(t, dir)
}

func TestWhatARunningCanaryMadeIsLeftOut(t *testing.T) {
	c := labtest.Client(t)
	text := ""
	for _, name := range []string{"order", "order-canary"} {
		text += strings.ReplaceAll("\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec: {selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {containers: [{name: a, image: 'ghcr.io/acme/a:v1'}]}}}\n", "NAME", name)
	}
	create(t, c, text)
	id := cluster.ID{Group: "apps", Kind: "Deployment", Namespace: c.Namespace, Name: "order-canary"}
	if err := c.Keep(t.Context(), c.Namespace, "shop", id, "canary of order"); err != nil {
		t.Fatal(err)
	}
	s, err := capture.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r, dir := makeNew(t, s)
	if o := outcome(t, r, "Deployment/order-canary"); o.Fate != capture.LeftOut || !strings.Contains(o.Why, "canary of order") {
		t.Errorf("%s", dump(o))
	}
	if o := outcome(t, r, "Deployment/order"); o.Fate != capture.AsFile {
		t.Errorf("%s", dump(o))
	}
	if strings.Contains(read(t, filepath.Join(dir, "kubernetes")), "order-canary") {
		t.Error("the canary's Deployment stands in a file")
	}
}
