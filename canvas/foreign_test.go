package canvas_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/deploy"
)

// kafka is a broker as people draw it beside the contexts.
const kafka = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"my-kafka","namespace":"","annotations":{"msaez.io/x":"1","msaez.io/Service_a":"[[1,2]]"}},"spec":{"selector":{"matchLabels":{"app":"my-kafka"}},"template":{"metadata":{"labels":{"app":"my-kafka"}},"spec":{"containers":[{"name":"kafka","image":"bitnami/kafka:3"}]}}}}`

func TestObjectsThatAreNotGenerated(t *testing.T) {
	run(t, []example{
		{name: "a broker survives whole, in the workspace's namespace, without the canvas's annotations",
			settings: func(s *deploy.Settings) { s.Namespace = "shop" },
			canvas:   []element{on("Deployment", kafka), on("Service", changed(defaultService("my-kafka"), "8080", "9092"))},
			want: map[string]string{"Deployment/my-kafka metadata": `{"name":"my-kafka","namespace":"shop"}`, "Service/my-kafka spec.ports": `[{"port":9092,"targetPort":9092}]`,
				"Service/my-kafka spec.selector": `{"app":"my-kafka"}`},
			warn: []string{"Deployment/my-kafka: kept in kubernetes/template/template.yml"}},
		{name: "a name that Kubernetes refuses is mapped, and references follow",
			canvas: []element{on("PersistentVolumeClaim", `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"My Data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`),
				on("ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"설정"},"data":{"PORT":8080}}`),
				on("Deployment", changed(defaultDeployment("order"), `"containers":[{`, `"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"My Data"}}],"containers":[{"envFrom":[{"configMapRef":{"name":"설정"}}],"volumeMounts":[{"name":"d","mountPath":"/d"}],`))},
			want: map[string]string{"PersistentVolumeClaim/my-data spec.accessModes[0]": "ReadWriteOnce", "ConfigMap/seoljeong data.PORT": "8080",
				"Deployment/order spec.template.spec.volumes[0].persistentVolumeClaim.claimName": "my-data", "Deployment/order " + pod + ".envFrom[0].configMapRef.name": "seoljeong"},
			warn: []string{`it becomes "my-data", and references to it follow`}},
		{name: "the name may stand on the element only",
			canvas: []element{{typ: "ConfigMap", more: `"name":"conf",`, object: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":""},"data":{}}`}}, want: map[string]string{"ConfigMap/conf": "there"}},
		{name: "an object drawn twice is there once",
			canvas: []element{on("Deployment", kafka), on("Deployment", kafka)}, want: map[string]string{"Deployment/my-kafka": "there"}, warn: []string{"there is a Deployment my-kafka already"}},
		{name: "what bears a generated object's name is left out",
			settings: func(s *deploy.Settings) { s.Kafka.Mode = "dev" },
			canvas:   []element{on("StatefulSet", changed(kafka, `"Deployment"`, `"StatefulSet"`, `"spec":{"selector"`, `"spec":{"serviceName":"k","selector"`))}, warn: []string{"StatefulSet/my-kafka: left out: there is a StatefulSet my-kafka already"}},
	})
}

func TestIngressAndStorage(t *testing.T) {
	run(t, []example{
		{name: "an Ingress of v1beta1 is converted and its backends follow the contexts",
			canvas: []element{on("Ingress", `{"apiVersion":"extensions/v1beta1","kind":"Ingress","metadata":{"name":"gateway","annotations":{"kubernetes.io/ingress.class":"nginx"}},"spec":{"backend":{"serviceName":""},"rules":[{"host":"","http":{"paths":[{"path":"/books","pathType":"Prefix","backend":{"serviceName":"bookmanagement","servicePort":"8080"}},{"path":"/x","backend":{"serviceName":"","servicePort":80}}]}}]}}`)},
			want: map[string]string{"Ingress/gateway spec": `{"ingressClassName":"nginx","rules":[{"http":{"paths":[{"backend":{"service":{"name":"book-management","port":{"number":8080}}},"path":"/books","pathType":"Prefix"}]}}]}`,
				"Ingress/gateway apiVersion": "networking.k8s.io/v1", "Ingress/gateway metadata.annotations": ""},
			warn: []string{`path "/x" is removed`, "becomes spec.ingressClassName: nginx"}},
		{name: "an Ingress without rules is left out",
			canvas: []element{on("Ingress", `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"gateway"},"spec":{"rules":[]}}`)}, want: map[string]string{"Ingress/gateway": "gone"}},
		{name: "an empty storage class is removed as the lab says",
			canvas: []element{on("PersistentVolumeClaim", `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"10Gi"}},"storageClassName":"","volumeMode":"Filesystem"}}`)},
			want:   map[string]string{"PersistentVolumeClaim/data spec.storageClassName": ""}, warn: []string{"the lab tells learners to delete it"}},
		{name: "palette objects that nobody filled in are left out",
			canvas: []element{
				on("CronJob", `{"apiVersion":"batch/v1beta1","kind":"CronJob","metadata":{"name":"c"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"","image":""}],"restartPolicy":"OnFailure"}}}},"schedule":"*/1 * * * *"}}`),
				on("PersistentVolume", `{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv"},"spec":{"accessModes":[""],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/tmp"}}}`),
				on("StorageClass", `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"sc"},"provisioner":"","parameters":{"type":"gp2"}}`),
				on("ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":""},"data":{}}`),
				on("Namespace", `null`)},
			want: map[string]string{"CronJob/c": "gone", "PersistentVolume/pv": "gone", "StorageClass/sc": "gone"},
			warn: []string{"CronJob/c: left out: its container c has no image", "PersistentVolume/pv: left out: it names no access mode", "StorageClass/sc: left out: it names no provisioner",
				"ConfigMap without a name: left out", "Namespace without a name: left out: there is no object behind"}},
	})
}

func TestOldVersionsAndSchemas(t *testing.T) {
	run(t, []example{
		{name: "a CronJob of batch/v1beta1 is upgraded",
			canvas: []element{on("CronJob", `{"apiVersion":"batch/v1beta1","kind":"CronJob","metadata":{"name":"c"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"","image":"busybox:1"}],"restartPolicy":"OnFailure"}}}},"schedule":"*/1 * * * *"}}`)},
			want:   map[string]string{"CronJob/c apiVersion": "batch/v1", "CronJob/c spec.jobTemplate.spec.template.spec.containers[0].name": "c"}},
		{name: "a Deployment of extensions/v1beta1 gets the selector that apps/v1 asks for",
			canvas: []element{on("Deployment", changed(kafka, "apps/v1", "extensions/v1beta1", `"selector":{"matchLabels":{"app":"my-kafka"}},`, ""))},
			want:   map[string]string{"Deployment/my-kafka apiVersion": "apps/v1", "Deployment/my-kafka spec.selector.matchLabels.app": "my-kafka"}},
		{name: "Mixer's kinds and Knative's runLatest are left out",
			canvas: []element{on("Rule", `{"apiVersion":"config.istio.io/v1alpha2","kind":"rule","metadata":{"name":"r"},"spec":{}}`), on("MemQuota", `{"apiVersion":"config.istio.io/v1alpha2","kind":"memquota","metadata":{"name":"m"},"spec":{}}`),
				on("QuotaSpec", `{"apiVersion":"config.istio.io/v1alpha2","kind":"QuotaSpec","metadata":{"name":"q"},"spec":{}}`),
				on("KnativeService", `{"apiVersion":"serving.knative.dev/v1alpha1","kind":"Service","metadata":{"name":"k"},"spec":{"runLatest":{}}}`)},
			want: map[string]string{"rule/r": "gone", "memquota/m": "gone", "QuotaSpec/q": "gone", "Service/k": "gone"}, warn: []string{"removed Mixer", "removed runLatest"}},
		{name: "a ServiceEntry with the panel's schema is converted",
			canvas: []element{on("ServiceEntry", istioObject("ServiceEntry", "pay", `{"host":"pay.example.com","port":{"name":"","number":"443","protocol":"TLS"}}`)), on("ServiceEntry", istioObject("ServiceEntry", "none", `{"host":"","port":{"number":""}}`))},
			want:   map[string]string{"ServiceEntry/pay spec": `{"hosts":["pay.example.com"],"ports":[{"name":"tls","number":443,"protocol":"TLS"}]}`, "ServiceEntry/none": "gone"}},
		{name: "a Secret in plain text is one that Kubernetes takes",
			canvas: []element{on("Secret", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"type":"Opaque","data":{"user":"cm9vdA==","pass":"p@ss"}}`)},
			want:   map[string]string{"Secret/db data": `{"user":"cm9vdA=="}`, "Secret/db stringData": `{"pass":"p@ss"}`}},
		{name: "a RoleBinding is completed from its arrow", arrows: []string{"b r"},
			canvas: []element{{id: "b", typ: "RoleBinding", object: `{"apiVersion":"rbac.authorization.k8s.io/v1beta1","kind":"RoleBinding","metadata":{"name":"rb"},"roleRef":{"name":""},"subjects":[{"kind":"ServiceAccount","name":"bookmanagement","namespace":"default"},{"name":""}]}`},
				{id: "r", typ: "Role", object: `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"read"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`}},
			want: map[string]string{"RoleBinding/rb roleRef": `{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"read"}`, "RoleBinding/rb subjects": `[{"kind":"ServiceAccount","name":"book-management","namespace":"default"}]`}},
	})
}

func TestReferencesAndTypes(t *testing.T) {
	run(t, []example{
		{name: "kinds without a namespace get none",
			canvas: []element{on("Namespace", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`), on("StorageClass", `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"fast","namespace":"x"},"provisioner":"ebs.csi.aws.com"}`)},
			want:   map[string]string{"Namespace/shop metadata": `{"name":"shop"}`, "StorageClass/fast metadata": `{"name":"fast"}`}},
		{name: "a Rollout follows the names of routes and tracks",
			canvas: []element{on("Rollout", `{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"rollout-order"},"spec":{"replicas":5,"strategy":{"canary":{"trafficRouting":{"istio":{"virtualService":{"name":"vs-order"},"destinationRule":{"name":"drule-order","canarySubsetName":"v2","stableSubsetName":"v1"}}}}},"template":{"spec":{"containers":[{"name":"order","image":"a"}]}}}}`),
				routesTo("vs-order", `{"route":[{"destination":{"host":"order"}}]}`), on("DestinationRule", istioObject("DestinationRule", "drule-order", `{"host":"order"}`))},
			want: map[string]string{"Rollout/rollout-order spec.strategy.canary.trafficRouting.istio": `{"destinationRule":{"canarySubsetName":"canary","name":"destrule-order","stableSubsetName":"stable"},"virtualService":{"name":"vsvc-order"}}`}},
		{name: "what a cluster or the panel wrote is removed",
			canvas: []element{on("ConfigMap", `{"apiVersion":"v1","aapiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","uid":"1","creationTimestamp":null,"resourceVersion":"7"},"data":{"a":"on"},"status":{}}`)},
			want:   map[string]string{"ConfigMap/c metadata": `{"name":"c","namespace":"default"}`, "ConfigMap/c data.a": "on", "ConfigMap/c aapiVersion": ""}, warn: []string{"stray keys removed: aapiVersion"}},
		{name: "fields that a kind does not have are removed",
			canvas: []element{on("ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","x.y":1},"dta":{"a":"b"}}`)},
			want:   map[string]string{"ConfigMap/c metadata": `{"name":"c","namespace":"default"}`}, warn: []string{"are removed: metadata.x.y, dta"}},
		{name: "objects of wrong types are left out, each alone",
			canvas: []element{on("ServiceAccount", `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"sa"},"secrets":"all"}`), on("Service", `[]`), on("Job", `{"apiVersion":"batch/v1","kind":"Job","metadata":"x"}`),
				on("Sidecar", istioObject("Sidecar", "s", `{"egress":"all"}`)), on("Thing", `{"apiVersion":"v1","kind":"Thing","metadata":{"name":"t"}}`), on("Widget", `{"apiVersion":"acme.io/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"any":[1]}}`)},
			want: map[string]string{"ServiceAccount/sa": "gone", "Sidecar/s": "gone", "Thing/t": "gone", "Widget/w spec.any": "[1]"},
			warn: []string{"ServiceAccount/sa: left out: secrets", "Sidecar/s: left out: spec.egress", "no kind Thing is in Kubernetes' v1"}},
	})
}

func TestLayout(t *testing.T) {
	r, _ := take(t, modelWith(t, []element{
		on("Deployment", defaultDeployment("order")),
		routesTo("vs-order", `{"route":[{"destination":{"host":"order"}}]}`),
		routesTo("vsvc-order", `{"route":[{"destination":{"host":"order"}}]}`),
		routesTo("vs-catalog", `{"route":[{"destination":{"host":"catalog"}}]}`),
		on("ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","annotations":{"msaez.io/x":"-5.5","msaez.io/width":"NaN"}}}`),
		on("ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":""}}`),
	}))
	got, err := json.Marshal(r.Layout)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"meshstorm.io/v1","objects":{` +
		`"ConfigMap/c":{"x":-5.5,"y":7,"width":100,"height":90},` +
		`"Deployment/order":{"x":395,"y":560,"width":100,"height":90},` +
		`"VirtualService/vsvc-catalog":{"x":103,"y":7,"width":100,"height":90},` +
		`"VirtualService/vsvc-order":{"x":102,"y":7,"width":100,"height":90}}}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("the layout differs (-want +got):\n%s", d)
	}
}
