package canvas_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// FuzzCanvas holds that no canvas makes Take fail or panic, and that what it
// gives can be read and decoded strictly.
func FuzzCanvas(f *testing.F) {
	for _, e := range []element{
		on("Deployment", changed(defaultDeployment("order"), `"containers":[{`, `"volumes":[{"name":"d"}],"containers":[{"env":[{"name":"A","value":1}],"volumeMounts":[{"name":"d","mountPath":"/d"}],`)),
		on("Service", defaultService("bookmanagement")),
		on("Gateway", istioObject("Gateway", "gw", `{"selector":{"istio":"ingressgateway"},"servers":[{"port":{"number":443},"hosts":[""]}]}`)),
		routesTo("vs-order", `{"match":[{"uri":null,"prefix":"/x"},{"headers":{"a":{"exact":"b"}}}],"route":[{"destination":{"host":"","subset":"v1"},"weight":"80"},{"destination":{"host":"order"}}],"mirror":{"host":""}}`),
		on("DestinationRule", istioObject("DestinationRule", "drule", `{"host":"","subsets":[{"name":"v1","trafficPolicy":{"outlierDetection":{"consecutiveErrors":1}}}]}`)),
		on("HorizontalPodAutoscaler", `{"apiVersion":"autoscaling/v2beta1","metadata":{"name":"h"},"spec":{"scaleTargetRef":{"name":"order"},"maxReplicas":2,"metrics":[{"type":"Object","object":{"target":{"kind":"a","name":"b"},"metricName":"c","targetValue":"1"}}]}}`),
		on("Ingress", `{"apiVersion":"extensions/v1beta1","kind":"Ingress","metadata":{"name":"i"},"spec":{"rules":[{"host":"","http":{"paths":[{"backend":{"serviceName":"order","servicePort":"80"}}]}}]}}`),
		on("ServiceEntry", istioObject("ServiceEntry", "s", `{"host":"a","port":{"number":1}}`)),
		on("Secret", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"S 1"},"data":{"a":"?"}}`),
		on("RoleBinding", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"r"},"roleRef":{"name":"x"},"subjects":[1]}`),
	} {
		f.Add(e.typ, e.object)
	}
	f.Fuzz(func(t *testing.T, typ, object string) {
		if !json.Valid([]byte(object)) || !json.Valid([]byte(`"`+typ+`"`)) || strings.Contains(typ, `\`) {
			t.Skip()
		}
		model := modelWith(t, []element{{id: "a", typ: typ, object: object}, on("Deployment", defaultDeployment("order")), {id: "b", typ: typ, object: object}}, "a e2", "a b")
		doc, err := msaez.Parse(model, "model.json")
		if err != nil {
			t.Skip()
		}
		m := deploy.Build(doc.Model, deploy.DefaultSettings("shop"))
		r, err := canvas.Take(doc, m, generatedOnce(t, m))
		if err != nil {
			t.Fatal(err)
		}
		checkInvariants(t, r)
	})
}

var generatedFiles []manifest.File

// generatedOnce keeps the generated files: they are the same for each input.
func generatedOnce(t testing.TB, m *deploy.Model) []manifest.File {
	m.Archive = nil
	if generatedFiles == nil {
		generatedFiles = render(t, m)
	}
	return generatedFiles
}
