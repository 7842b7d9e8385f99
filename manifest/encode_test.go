package manifest_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	sigsyaml "sigs.k8s.io/yaml"

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

// FuzzEncode: whatever JSON goes in, both YAML parsers of the field read the
// same value back.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{
		`{"a":"yes","b":[1,2.5,-3e10,true,null,[],{}],"c":"x\ny\n","d":"\u0000\ud83d\ude00"}`,
		`["a: b","- c","#d","%e","@f","g\r\nh","1:30","0o17","1_0","\t","\u2028","0x1p-2"]`,
		`{"":{"~":{"<<":{"=":"...","?":"---"}}},"` + strings.Repeat("k", 300) + `":{"a":1}}`,
		`[[[["a"],["b"]],{"c":[{"d":"e\n  f"}]}]]`, `"top\nlevel\n"`, `{"a":"x\n \n y\n","b":"x\n\t"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			t.Skip()
		}
		var want any
		if json.Unmarshal(data, &want) != nil || repeats(data) {
			t.Skip()
		}
		text, err := manifest.Encode(json.RawMessage(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		want = pruned(want)
		var got any
		if err := sigsyaml.Unmarshal(text, &got); err != nil {
			t.Fatalf("sigs.k8s.io/yaml: %v\n%s", err, text)
		}
		if !same(got, want) {
			t.Fatalf("sigs.k8s.io/yaml reads %#v, want %#v, from\n%s", got, want, text)
		}
		got = nil
		if err := yamlv3.Unmarshal(text, &got); err != nil {
			t.Fatalf("yaml.v3: %v\n%s", err, text)
		}
		if !same(got, want) {
			t.Fatalf("yaml.v3 reads %#v, want %#v, from\n%s", got, want, text)
		}
		docs, err := manifest.Parse("x", text)
		if err != nil || want != nil && len(docs) != 1 {
			t.Fatalf("Parse: %d documents, %v\n%s", len(docs), err, text)
		}
	})
}

// repeats tells whether an object has a key twice, which YAML refuses.
func repeats(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	var walk func() bool
	walk = func() bool {
		token, _ := dec.Token()
		switch token {
		case json.Delim('{'):
			seen := map[any]bool{}
			for dec.More() {
				key, _ := dec.Token()
				if seen[key] || walk() {
					return true
				}
				seen[key] = true
			}
			_, _ = dec.Token()
		case json.Delim('['):
			for dec.More() {
				if walk() {
					return true
				}
			}
			_, _ = dec.Token()
		}
		return false
	}
	return walk()
}

// pruned drops what Encode documents that it drops.
func pruned(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	case map[string]any:
		_, described := v["metadata"]
		for key, inner := range v {
			m, isMap := inner.(map[string]any)
			switch {
			case inner == nil,
				isMap && len(m) == 0 && (key == "resources" || key == "strategy" || key == "updateStrategy"),
				isMap && key == "status" && described && zero(m):
				delete(v, key)
				continue
			}
			v[key] = pruned(inner)
			if m, ok := v[key].(map[string]any); ok && key == "metadata" && len(m) == 0 {
				delete(v, key)
			}
		}
	}
	return v
}

func zero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if !zero(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil || v == "" || v == 0.0 || v == false
}

// same compares two decoded values, whatever Go type their numbers have.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if other, ok := b[k]; !ok || !same(a[k], other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y || math.Abs(x-y) <= 1e-15*math.Abs(x)
	}
	return a == b
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
