package canvas_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/deploy"
)

// example is a canvas and what it comes to.
type example struct {
	name     string
	canvas   []element
	arrows   []string
	settings func(*deploy.Settings)
	// want maps "Kind/name field.path" to the value, or "Kind/name" to "there"
	// or "gone".
	want map[string]string
	warn []string // parts of warnings that must be there
	mute []string // parts that must not
}

func run(t *testing.T, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			change := e.settings
			if change == nil {
				change = func(*deploy.Settings) {}
			}
			model := modelWith(t, e.canvas, e.arrows...)
			r, _ := take(t, model, change)
			objects := checkInvariants(t, r)
			for path, want := range e.want {
				object, field, deep := strings.Cut(path, " ")
				got := "gone"
				if deep {
					got = value(t, objects, object, field)
				} else if objects[object] != nil {
					got = "there"
				}
				if got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
			all := strings.Join(r.Warnings, "\n")
			for _, part := range e.warn {
				if !strings.Contains(all, part) {
					t.Errorf("no warning says %q", part)
				}
			}
			for _, part := range e.mute {
				if strings.Contains(all, part) {
					t.Errorf("a warning says %q", part)
				}
			}
			again, _ := take(t, model, change)
			if d := cmp.Diff(r, again); d != "" {
				t.Errorf("a second run differs:\n%s", d)
			}
			if t.Failed() {
				t.Logf("warnings:\n%s", all)
				for _, f := range r.Files {
					t.Logf("%s:\n%s", f.Path, f.Data)
				}
			}
		})
	}
}

func TestACanvasThatSaysNothingLeavesTheFilesAsTheyAre(t *testing.T) {
	for name, elements := range map[string][]element{
		"no canvas": nil,
		"the original's own objects": {
			on("Deployment", defaultDeployment("order")), on("Service", defaultService("order")),
			on("Deployment", defaultDeployment("book-management")), on("Service", defaultService("book-management")),
			on("Gateway", istioObject("Gateway", "main-gw", `{"selector":{"istio":"ingressgateway"},"servers":[{"port":{"number":80,"name":"http","protocol":"HTTP"},"hosts":["*"]}]}`)),
			routesTo("vsvc-order", `{"name":"","route":[{"destination":{"host":"order"}}],"match":[{"uri":{"prefix":"/"}}],"rewrite":{"uri":"/"}}`),
			on("DestinationRule", istioObject("DestinationRule", "destrule-order", `{"host":"order","subsets":[]}`)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := take(t, modelWith(t, elements))
			if d := cmp.Diff(render(t, m), r.Files); d != "" {
				t.Errorf("the files changed (-generated +result):\n%s", d)
			}
			if r.Taken != len(elements) {
				t.Errorf("Taken is %d, want %d", r.Taken, len(elements))
			}
		})
	}
}

func TestUntouchedDocumentsKeepTheirText(t *testing.T) {
	r, m := take(t, modelWith(t, []element{on("Deployment", changed(defaultDeployment("order"), `"replicas":1`, `"replicas":3`))}))
	generated := render(t, m)
	for i, f := range r.Files {
		before := bytes.Split(generated[i].Data, []byte("---\n"))
		after := bytes.Split(f.Data, []byte("---\n"))
		if len(before) != len(after) {
			t.Fatalf("%s has %d documents, want %d", f.Path, len(after), len(before))
		}
		for j := range before {
			if bytes.Equal(before[j], after[j]) {
				continue
			}
			want := bytes.Replace(before[j], []byte("replicas: 1\n"), []byte("replicas: 3\n"), 1)
			if d := cmp.Diff(string(want), string(after[j])); d != "" {
				t.Errorf("%s: more than the edit changed (-want +got):\n%s", f.Path, d)
			}
		}
	}
}

func TestTheLabsModel(t *testing.T) {
	r, _ := take(t, shared(t, "kibum0405__mallbasic.json"))
	objects := checkInvariants(t, r)
	for path, want := range map[string]string{
		"VirtualService/vsvc-product spec.http[0].route[0].weight":             "80",
		"VirtualService/vsvc-product spec.http[0].route[0].destination.subset": "stable",
		"VirtualService/vsvc-product spec.http[0].route[1].weight":             "20",
		"VirtualService/vsvc-order spec.http[0].route[0].weight":               "100",
		"Deployment/order spec.template.spec.containers[0].volumeMounts":       `[{"mountPath":"/data","name":"data"}]`,
		"Deployment/order spec.template.spec.volumes":                          `[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}]`,
		"Deployment/delivery spec.template.spec.volumes":                       `[{"name":"d-data","persistentVolumeClaim":{"claimName":"d-data"}}]`,
		"Deployment/delivery spec.selector.matchLabels":                        `{"app":"delivery","track":"stable"}`,
		"PersistentVolumeClaim/o-data spec.storageClassName":                   "",
		"PersistentVolumeClaim/d-data spec.resources.requests.storage":         "10Gi",
		"PersistentVolumeClaim/p-data spec.accessModes":                        `["ReadWriteOnce"]`,
		"PersistentVolumeClaim/data metadata.namespace":                        "default",
		"Ingress/ingress spec.ingressClassName":                                "nginx",
		"Ingress/ingress spec.rules[0].host":                                   "",
		"Ingress/ingress spec.rules[0].http.paths[2].backend.service.name":     "delivery",
		"DestinationRule/destrule-product spec.subsets[0].labels":              `{"app":"product","track":"stable"}`,
		"Gateway/main-gw spec.servers":                                         `[{"hosts":["*"],"port":{"name":"http","number":80,"protocol":"HTTP"}}]`,
	} {
		object, field, _ := strings.Cut(path, " ")
		if got := value(t, objects, object, field); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	var kept []string
	for id := range objects {
		kept = append(kept, id)
	}
	slices.Sort(kept)
	want := []string{"ConfigMap/shop-model-1", "Deployment/delivery", "Deployment/order", "Deployment/product", "Deployment/product-canary",
		"DestinationRule/destrule-delivery", "DestinationRule/destrule-order", "DestinationRule/destrule-product",
		"Gateway/main-gw", "Ingress/ingress", "PersistentVolumeClaim/d-data", "PersistentVolumeClaim/data",
		"PersistentVolumeClaim/o-data", "PersistentVolumeClaim/p-data", "Service/delivery", "Service/order", "Service/product",
		"ServiceAccount/delivery", "ServiceAccount/order", "ServiceAccount/product",
		"VirtualService/vsvc-delivery", "VirtualService/vsvc-order", "VirtualService/vsvc-product"}
	kept = slices.DeleteFunc(kept, func(id string) bool { return strings.HasPrefix(id, "ConfigMap/") })
	if d := cmp.Diff(want[1:], kept); d != "" {
		t.Errorf("the objects differ (-want +got):\n%s", d)
	}
	if r.Taken != 30 {
		t.Errorf("Taken is %d, want 30", r.Taken)
	}
	if got, want := r.Layout.Objects["VirtualService/vsvc-product"], (canvas.Box{X: 1063, Y: 234, Width: 100, Height: 100}); got.X != want.X || got.Y != want.Y {
		t.Errorf("vsvc-product lies at %v, want %v", got, want)
	}
}

func TestOriginalsAsDownloaded(t *testing.T) {
	r, _ := take(t, shared(t, "msa-ez__pbc-review__model.json"))
	if got := value(t, checkInvariants(t, r), "Deployment/review", "spec.template.spec.containers[0].image"); got != "ghcr.io/syoung8002/review/review:v0-0-3" {
		t.Errorf("the image is %q", got)
	}
	r, m := take(t, shared(t, "msa-ez__platform__es-generators-mocks-2025-02-esValues_civilApplication_esValue.json"))
	if d := cmp.Diff(render(t, m), r.Files); d != "" {
		t.Errorf("default objects changed the files:\n%s", d)
	}
	if _, ok := r.Layout.Objects["Deployment/application-management"]; !ok {
		t.Errorf("no place for Deployment/application-management in %v", r.Layout.Objects)
	}
}
