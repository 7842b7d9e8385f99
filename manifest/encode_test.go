package manifest_test

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/manifest"
)

func TestEncode(t *testing.T) {
	for _, test := range []struct {
		name     string
		value    any
		comments map[string]string
		want     string
	}{
		{
			name:  "a typed Deployment loses its zero values and begins with apiVersion",
			value: deployment("order"),
			want: `apiVersion: apps/v1
kind: Deployment
metadata:
  name: order
  labels:
    app: order
  annotations:
    meshstorm.io/source: order
spec:
  selector:
    matchLabels:
      app: order
  template:
    metadata:
      labels:
        app: order
    spec:
      volumes:
      - name: scratch
        emptyDir: {}
      containers:
      - name: order
        image: registry/order:1.0
        command:
        - java
        - -jar
        ports:
        - containerPort: 8080
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
        readinessProbe:
          httpGet:
            path: /actuator/health
            port: http
`,
		},
		{
			name: "comments stand above their fields and list items",
			value: map[string]any{"spec": map[string]any{"http": []any{
				map[string]any{"match": []any{map[string]any{"uri": "/a"}, map[string]any{"uri": "/b"}}},
			}}},
			comments: map[string]string{
				"": "the object", "spec.http[0]": "a route", "spec.http[0].match[1]": "GET /주문\nsecond line",
				"spec.http[0].match[0].uri": "first",
			},
			want: "# the object\nspec:\n  http:\n  # a route\n  - match:\n    # first\n    - uri: /a\n    # GET /주문\n    # second line\n    - uri: /b\n",
		},
		{
			name: "strings that other parsers read as something else are quoted",
			value: map[string]any{"list": []any{"yes", "n", "on", "1.18", "0x1", "1e3", "~", "null", "2024-01-01", "0777", "12:30",
				"", "- x", "a: b", "a #b", "*", "@a", "8080", ".5", "-", "true", "y", "1_000", "key:", " x", "=", "'it'", `say "hi"`, "tab\there"}},
			want: `list:
- "yes"
- "n"
- "on"
- "1.18"
- "0x1"
- "1e3"
- "~"
- "null"
- "2024-01-01"
- "0777"
- "12:30"
- ""
- "- x"
- "a: b"
- "a #b"
- "*"
- "@a"
- "8080"
- ".5"
- "-"
- "true"
- "y"
- "1_000"
- "key:"
- " x"
- "="
- "'it'"
- say "hi"
- "tab\there"
`,
		},
		{
			name: "strings that nobody misreads have no quotes",
			value: map[string]any{"list": []any{"order", "10.0.0.1", "100m", "128Mi", "/orders/", "http://a:80/b", "-Xmx512m", "1.2.3",
				"order.default.svc.cluster.local", "주문", "a,b", "1.18-alpine", "5s", "yes please", "^/a(/.*)?$", "*.example.com", "a=b"}},
			want: `list:
- order
- 10.0.0.1
- 100m
- 128Mi
- /orders/
- http://a:80/b
- -Xmx512m
- 1.2.3
- order.default.svc.cluster.local
- 주문
- a,b
- 1.18-alpine
- 5s
- yes please
- ^/a(/.*)?$
- "*.example.com"
- a=b
`,
		},
		{
			name:  "text of several lines is a literal block where that loses nothing",
			value: map[string]any{"a": "one\ntwo\n", "b": "one\n\n  two", "c": "\nodd", "d": []any{"x\ny\n"}, "e": "cr\r\nlf"},
			want:  "a: |\n  one\n  two\nb: |-\n  one\n\n    two\nc: \"\\nodd\"\nd:\n- |\n  x\n  y\ne: \"cr\\r\\nlf\"\n",
		},
		{
			name:  "empty collections that mean something stay, nulls go",
			value: map[string]any{"emptyDir": map[string]any{}, "list": []any{}, "gone": nil, "items": []any{nil, map[string]any{}, []any{"a"}}},
			want:  "emptyDir: {}\nitems:\n- null\n- {}\n- - a\nlist: []\n",
		},
		{
			name: "a status subresource of a CRD is no leftover status",
			value: map[string]any{"metadata": map[string]any{"name": "x"}, "status": map[string]any{"loadBalancer": map[string]any{}},
				"spec": map[string]any{"subresources": map[string]any{"status": map[string]any{}}}},
			want: "metadata:\n  name: x\nspec:\n  subresources:\n    status: {}\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := manifest.Encode(test.value, test.comments)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"meshstorm.io/source": name}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					Volumes: []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
					Containers: []corev1.Container{{
						Name: name, Image: "registry/" + name + ":1.0", Command: []string{"java", "-jar"},
						Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
						}},
						ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
							HTTPGet: &corev1.HTTPGetAction{Path: "/actuator/health", Port: intstr.FromString("http")},
						}},
					}},
				},
			},
		},
	}
}

func TestEncodeRefusesACommentOnAFieldThatIsNotThere(t *testing.T) {
	_, err := manifest.Encode(map[string]any{"a": 1}, map[string]string{"b[0]": "?"})
	if err == nil || !strings.Contains(err.Error(), `comment on "b[0]"`) {
		t.Errorf("got %v", err)
	}
}

func TestRender(t *testing.T) {
	files, err := manifest.Render("Generated.\n\nEdit freely.", []manifest.Object{
		{File: "b.yml", Value: map[string]any{"kind": "A"}},
		{File: "a.yml", Value: map[string]any{"kind": "B"}, Comments: map[string]string{"kind": "why"}},
		{File: "b.yml", Value: map[string]any{"kind": "C"}},
		{File: "empty.yml"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const head = "# Generated.\n#\n# Edit freely.\n"
	want := []manifest.File{
		{Path: "b.yml", Data: []byte(head + "---\nkind: A\n---\nkind: C\n")},
		{Path: "a.yml", Data: []byte(head + "---\n# why\nkind: B\n")},
		{Path: "empty.yml", Data: []byte(head)},
	}
	if !reflect.DeepEqual(files, want) {
		t.Errorf("got %s", files)
	}
	files, _ = manifest.Render("", []manifest.Object{{File: "a", Value: map[string]any{"a": 1}}, {File: "a", Value: map[string]any{"b": 1}}})
	if got := string(files[0].Data); got != "a: 1\n---\nb: 1\n" {
		t.Errorf("without a header: %q", got)
	}
}

func TestRenderIsTheSameOnEveryRun(t *testing.T) {
	objects := groups(100)
	first, err := manifest.Render("x", objects)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := manifest.Render("x", objects)
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("differs: %v", err)
		}
	}
}
