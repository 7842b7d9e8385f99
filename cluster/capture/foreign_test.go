package capture_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/cluster/capture"
)

// foreign is a namespace that meshstorm has never seen: Deployments with a
// selector of their own, subsets by version, a database, a job.
const foreign = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: order-sa, namespace: shop}
---
apiVersion: v1
kind: Service
metadata:
  name: order
  namespace: shop
  uid: 1-2-3
  resourceVersion: "7"
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {team: red}
  managedFields: [{manager: kubectl}]
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  type: NodePort
  ports: [{name: web, port: 80, targetPort: 8081, protocol: TCP, nodePort: 31234}]
  selector: {app: order}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: order
  namespace: shop
  generation: 4
  annotations: {deployment.kubernetes.io/revision: "3", owner: red}
spec:
  replicas: 3
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: order}}
  template:
    metadata: {labels: {app: order, version: v3}}
    spec:
      serviceAccountName: order-sa
      serviceAccount: order-sa
      containers:
      - name: app
        image: ghcr.io/acme/order:3.1.0
        imagePullPolicy: IfNotPresent
        terminationMessagePath: /dev/termination-log
        ports: [{containerPort: 8081, protocol: TCP}]
        volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
status: {replicas: 3}
---
apiVersion: v1
kind: Service
metadata: {name: order-headless, namespace: shop}
spec: {clusterIP: None, selector: {app: order}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews, version: v1}}
  template: {metadata: {labels: {app: reviews, version: v1}}, spec: {containers: [{name: reviews, image: "ghcr.io/acme/reviews:3.1.0"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v2, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews, version: v2}}
  template: {metadata: {labels: {app: reviews, version: v2}}, spec: {containers: [{name: reviews, image: "ghcr.io/acme/reviews:3.1.0"}]}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop-gw, namespace: shop}
spec: {selector: {istio: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [shop-gw]
  http:
  - match: [{uri: {prefix: /orders}}]
    timeout: 5s
    route: [{destination: {host: order, port: {number: 80}}}]
  - match: [{uri: {prefix: /api/v1/reviews}}, {uri: {regex: "/r/[0-9]+"}}]
    route:
    - {destination: {host: reviews.shop.svc.cluster.local, subset: v1}, weight: 90}
    - {destination: {host: reviews.shop.svc.cluster.local, subset: v2}, weight: 10}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {serviceName: db, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "postgres:17"}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: shop}
spec: {selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker}}, spec: {containers: [{name: worker, image: "ghcr.io/acme/worker:1"}]}}}
---
apiVersion: v1
kind: Secret
metadata: {name: db-password, namespace: shop}
stringData: {password: hunter2}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: shop}
spec: {hosts: [api.pay.example], ports: [{number: 443, name: https, protocol: HTTPS}], resolution: DNS}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-root-ca.crt, namespace: shop}
data: {ca.crt: abc}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: order, namespace: shop}
spec: {minReplicas: 2, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: order}}
---
apiVersion: v1
kind: Pod
metadata: {name: order-1, namespace: shop, ownerReferences: [{kind: ReplicaSet, name: order-x}]}
spec: {containers: [{name: app, image: x}]}
`

const foreignSettings = `# yaml-language-server: $schema=.meshstorm/meshstorm.schema.json
# Made by ` + "`meshstorm import`" + ` of what ran. Every setting has a default; only what differs stands here.
workspace: shop
namespace: shop
image:
  registry: ghcr.io/acme
  tag: 3.1.0
gateway:
  name: shop-gw
  selector:
    istio: ingress
  hosts:
  - shop.example.com
services:
  reviews:
    paths:
      add:
      - /api/v1/reviews
`

func fates(r *capture.Result) map[string]capture.Fate {
	all := map[string]capture.Fate{}
	for _, o := range r.Objects {
		all[o.Kind+"/"+o.Name] = o.Fate
	}
	return all
}

func TestAForeignNamespaceBecomesAWorkspaceWithTheSameObjects(t *testing.T) {
	r, dir := makeNew(t, snapshot(t, "", foreign))
	// The Bare of both sides leaves out what the server wrote; the autoscaler owns the replicas.
	want := objects(t, "shop", strings.Replace(foreign, "  replicas: 3\n", "", 1))
	for _, gone := range []string{"/Secret/shop/db-password", "/ConfigMap/shop/kube-root-ca.crt", "/Pod/shop/order-1"} {
		delete(want, gone)
	}
	got := objects(t, "shop", read(t, filepath.Join(dir, "kubernetes")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the workspace's objects differ from the imported ones (-in +workspace):\n%s", diff)
	}
	settled(t, dir)
	if diff := cmp.Diff(foreignSettings, content(t, filepath.Join(dir, "meshstorm.yaml"))); diff != "" {
		t.Errorf("settings:\n%s", diff)
	}
	files := read(t, filepath.Join(dir, "kubernetes"))
	for _, noise := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "clusterIP: 10", "clusterIPs", "generation:", "revision", "status:",
		"progressDeadlineSeconds", "imagePullPolicy", "terminationMessagePath", "nodePort", "serviceAccount:", "protocol: TCP", "31234"} {
		if strings.Contains(files, noise) {
			t.Errorf("the files hold %q", noise)
		}
	}
	all := fates(r)
	for name, want := range map[string]capture.Fate{
		"Deployment/order": capture.AsEdit, "Service/order": capture.AsEdit, "Service/order-headless": capture.AsFile, "Service/db": capture.AsFile,
		"StatefulSet/db": capture.AsFile, "Deployment/worker": capture.AsFile, "Deployment/reviews-v2": capture.AsFile, "Secret/db-password": capture.LeftOut,
		"ConfigMap/kube-root-ca.crt": capture.LeftOut, "Pod/order-1": capture.LeftOut, "NetworkPolicy/deny": capture.AsFile,
		"VirtualService/shop": capture.AsFile, "VirtualService/vsvc-order": capture.NotRunning, "Gateway/shop-gw": capture.AsModel,
	} {
		if all[name] != want {
			t.Errorf("%s: %q, want %q", name, all[name], want)
		}
	}
	names := []string{}
	for _, s := range r.Services {
		names = append(names, s.Name+" "+strings.Join(s.Paths, ","))
	}
	if want := []string{"order /orders", "reviews /api/v1/reviews"}; !slices.Equal(names, want) {
		t.Errorf("services %q, want %q", names, want)
	}
	for _, about := range []string{"Deployment/worker", "ServiceEntry/pay", "DestinationRule/reviews", "VirtualService/shop", "events", "calls", "Service/order-headless"} {
		if !slices.ContainsFunc(r.Gaps, func(g capture.Gap) bool { return g.About == about }) {
			t.Errorf("the report does not say that the model does not know %s", about)
		}
	}
}

func TestNoSecretIsWritten(t *testing.T) {
	_, dir := makeNew(t, snapshot(t, "", foreign))
	if text := read(t, dir) + read(t, filepath.Join(dir, ".meshstorm/base")); strings.Contains(text, "hunter2") {
		t.Error("the password stands in a file")
	}
}
