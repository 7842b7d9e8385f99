package canvas_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/deploy"
)

const pod = "spec.template.spec.containers[0]"

func TestWorkloadsOfAContext(t *testing.T) {
	order := defaultDeployment("order")
	run(t, []example{
		{name: "replicas that differ from 1 are taken over",
			canvas: []element{on("Deployment", changed(order, `"replicas":1`, `"replicas":3`))},
			want:   map[string]string{"Deployment/order spec.replicas": "3"},
			warn:   []string{"Deployment/order: taken over: replicas: 3"}},
		{name: "replicas typed into a text box are a number",
			canvas: []element{on("Deployment", changed(order, `"replicas":1`, `"replicas":"3"`))},
			want:   map[string]string{"Deployment/order spec.replicas": "3"}},
		{name: "a valid image is taken over",
			canvas: []element{on("Deployment", changed(order, "ghcr.io/undefined", "ghcr.io/acme/order:v7"))},
			want:   map[string]string{"Deployment/order " + pod + ".image": "ghcr.io/acme/order:v7"}},
		{name: "the image that the original makes of the project is no edit",
			canvas: []element{on("Deployment", changed(order, "ghcr.io/undefined", "ghcr.io/acme/shop/order:v1"))},
			want:   map[string]string{"Deployment/order " + pod + ".image": "ghcr.io/acme/shop/order:v1"},
			mute:   []string{"image"}},
		{name: "an image that is no reference is not taken over",
			canvas: []element{on("Deployment", changed(order, "ghcr.io/undefined", "ghcr.io/Acme/my order:v7"))},
			want:   map[string]string{"Deployment/order " + pod + ".image": "ghcr.io/acme/shop/order:v1"},
			warn:   []string{`image "ghcr.io/Acme/my order:v7" is not taken over`}},
		{name: "the context is found by the original's lower-case name",
			canvas: []element{on("Deployment", changed(defaultDeployment("bookmanagement"), `"replicas":1`, `"replicas":2`))},
			want:   map[string]string{"Deployment/book-management spec.replicas": "2", "Deployment/bookmanagement": "gone"},
			warn:   []string{"folded into Deployment/book-management"}},
		{name: "the context is found by the app label where the name is another",
			canvas: []element{on("Deployment", changed(order, `"metadata":{"name":"order"`, `"metadata":{"name":"shop-backend"`, `"replicas":1`, `"replicas":2`))},
			want:   map[string]string{"Deployment/order spec.replicas": "2", "Deployment/shop-backend": "gone"}},
		{name: "a second Deployment of a context joins the canary track",
			canvas: []element{on("Deployment", order), on("Deployment", changed(defaultDeployment("order-v2"), `"app":"order-v2"`, `"app":"order"`, "ghcr.io/undefined", "ghcr.io/acme/order:v2"))},
			want: map[string]string{"Deployment/order-v2 spec.selector.matchLabels": `{"app":"order","track":"canary"}`,
				"Deployment/order-v2 spec.template.metadata.labels": `{"app":"order","track":"canary"}`,
				"Deployment/order spec.replicas":                    "1"},
			warn: []string{"Deployment/order-v2: is a second Deployment of order"}},
		{name: "identity labels stay meshstorm's, a version goes to the pods only",
			canvas: []element{on("Deployment", changed(order, `"app":"order"`, `"app":"order","version":"v2","team":"a"`))},
			want: map[string]string{"Deployment/order spec.selector.matchLabels": `{"app":"order","track":"stable"}`,
				"Deployment/order spec.template.metadata.labels": `{"app":"order","team":"a","track":"stable","version":"v2"}`,
				"Deployment/order metadata.labels.team":          "a", "Deployment/order metadata.labels.version": ""},
			warn: []string{"its selector's label version is not taken over"}},
	})
}

func TestContainersOfAContext(t *testing.T) {
	order := defaultDeployment("order")
	pvc := `"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data"}},{"name":"data","persistentVolumeClaim":{"claimName":"data"}}],"containers":[{"volumeMounts":[{"mountPath":"/data","name":"data"},{"mountPath":"/data","name":"data"}],`
	run(t, []example{
		{name: "volumes that arrows drew twice are there once",
			canvas: []element{on("Deployment", changed(order, `"containers":[{`, pvc))},
			want: map[string]string{"Deployment/order spec.template.spec.volumes": `[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}]`,
				"Deployment/order " + pod + ".volumeMounts": `[{"mountPath":"/data","name":"data"}]`},
			warn: []string{"volumes drawn more than once are kept once: data"}},
		{name: "of two volumes on one path the first is kept",
			canvas: []element{on("Deployment", changed(order, `"containers":[{`,
				`"volumes":[{"name":"a","persistentVolumeClaim":{"claimName":"a"}},{"name":"b","persistentVolumeClaim":{"claimName":"b"}}],"containers":[{"volumeMounts":[{"mountPath":"/data","name":"a"},{"mountPath":"/data","name":"b"}],`))},
			want: map[string]string{"Deployment/order spec.template.spec.volumes": `[{"name":"a","persistentVolumeClaim":{"claimName":"a"}}]`},
			warn: []string{`volumes "a" and "b" are both mounted at /data`}},
		{name: "environment is merged by name",
			canvas: []element{on("Deployment", changed(order, `"image":`, `"env":[{"name":"PROFILE","value":"prod"},{"name":"DEPTH","value":5}],"envFrom":[{"configMapRef":{"name":"settings"}}],"image":`))},
			want: map[string]string{"Deployment/order " + pod + ".env": `[{"name":"PROFILE","value":"prod"},{"name":"DEPTH","value":"5"}]`,
				"Deployment/order " + pod + ".envFrom": `[{"configMapRef":{"name":"settings"}}]`},
			warn: []string{"taken over: variable PROFILE", "taken over: variables from settings"}},
		{name: "a limit below the generated request brings the request down",
			canvas: []element{on("Deployment", changed(order, `"image":`, `"resources":{"limits":{"memory":"256Mi","cpu":""},"requests":{"cpu":"200m"}},"image":`))},
			want:   map[string]string{"Deployment/order " + pod + ".resources": `{"limits":{"memory":"256Mi"},"requests":{"cpu":"200m","memory":"256Mi"}}`}},
		{name: "further containers are appended",
			canvas: []element{on("Deployment", changed(order, `"containers":[`, `"initContainers":[{"name":"wait","image":"busybox:1"}],"containers":[{"name":"logs","image":"fluent/fluent-bit:3"},`))},
			want: map[string]string{"Deployment/order spec.template.spec.containers[1].name": "logs", "Deployment/order " + pod + ".name": "order",
				"Deployment/order spec.template.spec.initContainers[0].image": "busybox:1"}},
	})
}

func TestProbesPortsAndTheRest(t *testing.T) {
	order := defaultDeployment("order")
	run(t, []example{
		{name: "a changed probe is taken over, by the port's name",
			canvas: []element{on("Deployment", changed(order, `"readinessProbe":{"httpGet":{"path":"/actuator/health"`, `"readinessProbe":{"httpGet":{"path":"/ready"`))},
			want: map[string]string{"Deployment/order " + pod + ".readinessProbe.httpGet": `{"path":"/ready","port":"http"}`,
				"Deployment/order " + pod + ".livenessProbe.httpGet.path": "/actuator/health"},
			warn: []string{"taken over: readinessProbe"}, mute: []string{"livenessProbe"}},
		{name: "a changed container port is taken over and the Service follows by name",
			canvas: []element{on("Service", changed(defaultService("order"), `"port":8080,"targetPort":8080`, `"port":80,"targetPort":9090`)), on("Deployment", changed(order, `"containerPort":8080`, `"containerPort":"9090"`))},
			want: map[string]string{"Deployment/order " + pod + ".ports": `[{"containerPort":9090,"name":"http"}]`,
				"Service/order spec.ports": `[{"name":"http","port":80,"targetPort":"http"}]`}},
		{name: "the Service's type and further ports are taken over, and routes name the port",
			canvas: []element{on("Service", changed(defaultService("order"), `"ports":[`, `"type":"NodePort","ports":[{"port":9090,"targetPort":9090},`))},
			want: map[string]string{"Service/order spec.type": "NodePort",
				"Service/order spec.ports[1]": `{"name":"port-9090","port":9090,"targetPort":9090}`,
				"VirtualService/vsvc-order spec.http[0].route[0].destination.port.number": "8080"}},
		{name: "a Service's selector stays meshstorm's",
			canvas: []element{on("Service", changed(defaultService("order"), `"selector":{"app":"order"}`, `"selector":{"app":"order","version":"v1"}`))},
			want:   map[string]string{"Service/order spec.selector": `{"app":"order"}`},
			warn:   []string{"its selector's label version is not taken over"}},
		{name: "other fields of the pods are taken over, a cluster's defaults are not",
			canvas: []element{on("Deployment", changed(order, `"containers":[`, `"nodeSelector":{"disk":"ssd"},"dnsPolicy":"ClusterFirst","restartPolicy":"Always","containers":[`))},
			want: map[string]string{"Deployment/order spec.template.spec.nodeSelector": `{"disk":"ssd"}`, "Deployment/order spec.template.spec.dnsPolicy": "",
				"Deployment/order spec.template.spec.terminationGracePeriodSeconds": "40"}},
		{name: "a ServiceAccount of a context gives its pull secrets",
			canvas: []element{on("ServiceAccount", `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"order"},"imagePullSecrets":[{"name":"ghcr"}]}`)},
			want:   map[string]string{"ServiceAccount/order imagePullSecrets": `[{"name":"ghcr"}]`}},
		{name: "a disruption budget that is not generated survives, its selector follows the context",
			canvas: []element{on("PodDisruptionBudget", `{"apiVersion":"policy/v1beta1","kind":"PodDisruptionBudget","metadata":{"name":"bookmanagement"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"bookmanagement"}}}}`)},
			want:   map[string]string{"PodDisruptionBudget/bookmanagement spec.selector.matchLabels.app": "book-management", "PodDisruptionBudget/bookmanagement apiVersion": "policy/v1"}},
		{name: "a disruption budget that is generated takes the edit",
			settings: func(s *deploy.Settings) {
				two := int32(2)
				s.Services = map[string]deploy.ServiceSettings{"order": {Replicas: &two}}
			},
			canvas: []element{on("PodDisruptionBudget", `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"order"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"order"}}}}`)},
			want:   map[string]string{"PodDisruptionBudget/order spec.minAvailable": "1", "PodDisruptionBudget/order spec.maxUnavailable": ""}},
		{name: "a wrongly typed object is left out and the others are not",
			canvas: []element{on("Deployment", changed(order, `"containers":[`, `"containers":"none","x":[`)), on("Service", changed(defaultService("order"), `"ports"`, `"type":"NodePort","ports"`))},
			want:   map[string]string{"Deployment/order " + pod + ".name": "order", "Service/order spec.type": "NodePort"},
			warn:   []string{"Deployment/order: left out:"}},
	})
}

func TestAutoscalers(t *testing.T) {
	hpa := `{"apiVersion":"autoscaling/v2beta2","kind":"HorizontalPodAutoscaler","metadata":{"name":"book-hpa"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"bookmanagement"},"minReplicas":1,"maxReplicas":5,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":20}}}]}}`
	run(t, []example{
		{name: "the target follows the context's name and the version is upgraded",
			canvas: []element{on("HorizontalPodAutoscaler", hpa), on("Deployment", changed(defaultDeployment("bookmanagement"), `"replicas":1`, `"replicas":4`))},
			want: map[string]string{"HorizontalPodAutoscaler/book-hpa spec.scaleTargetRef.name": "book-management",
				"HorizontalPodAutoscaler/book-hpa apiVersion": "autoscaling/v2", "Deployment/book-management spec.replicas": "1"},
			warn: []string{"replicas: 4 is not taken over: a HorizontalPodAutoscaler decides", "autoscaling/v2beta2 becomes autoscaling/v2"}},
		{name: "an empty target is completed from the arrow",
			canvas: []element{{id: "h", typ: "HorizontalPodAutoscaler", object: changed(hpa, `{"apiVersion":"apps/v1","kind":"Deployment","name":"bookmanagement"}`, `{}`, `"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":20}}}]`, `"metrics":[]`)},
				{id: "d", typ: "Deployment", object: defaultDeployment("bookmanagement")}},
			arrows: []string{"h d"},
			want:   map[string]string{"HorizontalPodAutoscaler/book-hpa spec.scaleTargetRef": `{"apiVersion":"apps/v1","kind":"Deployment","name":"book-management"}`, "HorizontalPodAutoscaler/book-hpa spec.metrics": ""}},
		{name: "without a target it is left out",
			canvas: []element{on("HorizontalPodAutoscaler", changed(hpa, `"apiVersion":"apps/v1","kind":"Deployment","name":"bookmanagement"`, ``))},
			want:   map[string]string{"HorizontalPodAutoscaler/book-hpa": "gone"},
			warn:   []string{"left out: it has no target"}},
		{name: "metrics of v2beta1 are converted",
			canvas: []element{on("HorizontalPodAutoscaler", changed(hpa, "v2beta2", "v2beta1", `"target":{"type":"Utilization","averageUtilization":20}`, `"targetAverageUtilization":20`))},
			want:   map[string]string{"HorizontalPodAutoscaler/book-hpa spec.metrics[0].resource.target": `{"averageUtilization":20,"type":"Utilization"}`}},
	})
}
