package manifest_test

import (
	"bytes"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/manifest"
)

type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              any `json:"spec"`
}

type route struct {
	Name  string        `json:"name"`
	Match []match       `json:"match,omitempty"`
	Route []destination `json:"route"`
}

type match struct {
	URI map[string]string `json:"uri"`
}

type destination struct {
	Destination map[string]string `json:"destination"`
	Weight      int               `json:"weight"`
}

// groups gives n times the six objects of a service.
func groups(n int) []manifest.Object {
	var objects []manifest.Object
	for i := range n {
		name := fmt.Sprintf("service-%05d", i)
		meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}, Annotations: map[string]string{"meshstorm.io/source": name}}
		d := deployment(name)
		d.Spec.Template.Spec.Containers[0].LivenessProbe = d.Spec.Template.Spec.Containers[0].ReadinessProbe
		d.Spec.Template.Spec.Containers[0].StartupProbe = d.Spec.Template.Spec.Containers[0].ReadinessProbe
		objects = append(objects,
			manifest.Object{File: "template.yml", Value: &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta}},
			manifest.Object{File: "template.yml", Value: &corev1.Service{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta,
				Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}},
			}},
			manifest.Object{File: "template.yml", Value: d},
		)
		for _, prefix := range []string{"vsvc-", "vsvc-mesh-", "destrule-"} {
			var routes []route
			for r := range 2 {
				path := fmt.Sprintf("/%ss/%d", name, r)
				routes = append(routes, route{
					Name:  fmt.Sprintf("route-%d", r),
					Match: []match{{map[string]string{"exact": path}}, {map[string]string{"prefix": path + "/"}}},
					Route: []destination{
						{map[string]string{"host": name, "subset": "stable"}, 100}, {map[string]string{"host": name, "subset": "canary"}, 0},
					},
				})
			}
			meta.Name = prefix + name
			objects = append(objects, manifest.Object{File: "istio.yml", Value: object{
				TypeMeta: metav1.TypeMeta{APIVersion: "networking.istio.io/v1", Kind: "VirtualService"}, ObjectMeta: meta,
				Spec: map[string]any{"hosts": []string{"*"}, "gateways": []string{"main-gw"}, "http": routes},
			}, Comments: map[string]string{"spec.http[0].match[1]": "/" + name}})
		}
	}
	return objects
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			objects := groups(n)
			b.ReportAllocs()
			for b.Loop() {
				files, err := manifest.Render("Generated.", objects)
				if err != nil || len(files) != 2 {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/group")
		})
	}
}

// BenchmarkMerge merges a file in which every tenth group was edited and one
// field of every object changed, and one in which neither happened.
func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		files, err := manifest.Render("Generated.", groups(n))
		if err != nil {
			b.Fatal(err)
		}
		base := files[1].Data
		next := bytes.ReplaceAll(base, []byte("main-gw"), []byte("other-gw"))
		edited := bytes.ReplaceAll(base, []byte("0\n        subset: canary\n      weight: 0"), []byte("0\n        subset: canary\n      weight: 10"))
		own := append(bytes.Clone(base), "---\n# mine\nkind: Own\nmetadata:\n  name: own\n"...)
		for _, c := range []struct {
			name             string
			base, next, mine []byte
		}{
			{"unchanged", base, base, own}, {"generated", base, next, own}, {"edited", base, base, edited}, {"both", base, next, edited},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					merged, err := manifest.Merge("f", c.base, c.next, c.mine)
					if err != nil || len(merged.Conflicts) > 0 {
						b.Fatal(err, merged.Conflicts)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/group")
			})
		}
	}
}
