package analyze

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"istio.io/istio/pkg/config"
	sresource "istio.io/istio/pkg/config/schema/resource"

	"github.com/meshstorm/meshstorm/check"
)

// decoded is what decodeSpec gave. Analyzers only read it.
type decoded struct {
	spec   config.Spec
	status config.Status
	err    error
}

// decodeOnce is decodeSpec, once for the same content.
func decodeOnce(r *check.Resource, s sresource.Schema) (config.Spec, config.Status, error) {
	d := r.Once(s.GroupVersionKind(), func() any {
		spec, status, err := decodeSpec(r, s)
		return decoded{spec, status, err}
	}).(decoded)
	return d.spec, d.status, d.err
}

// decodeSpec reads the part of the object that Istio's code calls its spec:
// the spec field, or the whole object for kinds without one.
func decodeSpec(r *check.Resource, s sresource.Schema) (spec config.Spec, status config.Status, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if spec, err = s.NewInstance(); err != nil {
		return nil, nil, err
	}
	content, hasSpec := r.Object["spec"].(map[string]any)
	if !hasSpec {
		content = r.Object
	}
	if emptyItem(content) {
		return nil, nil, errors.New("a list has an item without a value")
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, spec); err != nil {
		return nil, nil, err
	}
	complete(spec)
	if content, ok := r.Object["status"].(map[string]any); ok {
		if empty, err := s.Status(); err == nil && runtime.DefaultUnstructuredConverter.FromUnstructured(content, empty) == nil {
			status = empty
		}
	}
	return spec, status, nil
}

// emptyItem tells whether a list has a null in it. The API server refuses such
// objects, and Istio's code, which relies on that, does not survive them.
func emptyItem(value any) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return item == nil || emptyItem(item) })
	case map[string]any:
		for _, child := range v {
			if emptyItem(child) {
				return true
			}
		}
	}
	return false
}

// complete sets what the API server would set and analyzers rely on.
func complete(spec config.Spec) {
	switch v := spec.(type) {
	case *corev1.ServiceSpec:
		for i := range v.Ports {
			p := &v.Ports[i]
			if p.Protocol == "" {
				p.Protocol = corev1.ProtocolTCP
			}
			if p.TargetPort == (intstr.IntOrString{}) {
				p.TargetPort = intstr.FromInt32(p.Port)
			}
		}
	case *corev1.Secret:
		if v.Data == nil && len(v.StringData) > 0 {
			v.Data = map[string][]byte{}
		}
		for k, text := range maps.All(v.StringData) {
			v.Data[k] = []byte(text)
		}
	}
}

// schemaFinds tells whether the object's own schema already has something to
// say, better placed than Istio's decoder could.
func schemaFinds(r *check.Resource) bool {
	return len(r.Faults()) > 0
}
