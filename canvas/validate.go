package canvas

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	strictjson "sigs.k8s.io/json"
)

// validate holds an object against its schema: fields that the kind does not
// have are removed with a warning, and an object with a value of a wrong type
// is left out, because the API server would refuse it.
func (t *taker) validate(d *drawing) {
	var unknown []string
	var err error
	switch {
	case isIstio(d.group):
		unknown, err = validateIstio(d)
	case scheme.Scheme.Recognizes(d.gvk()):
		unknown, err = strip(d.node, func() (any, error) { return scheme.Scheme.New(d.gvk()) })
	case builtin(d.group):
		err = fmt.Errorf("no kind %s is in Kubernetes' %s", d.kind, text(d.node, "apiVersion"))
	default: // a custom resource, whose schema only the cluster knows
		unknown, err = validateMeta(d)
	}
	if err != nil {
		t.leaveOut(d, "%s", err)
		return
	}
	if unknown != nil {
		t.warn(d, "fields that the kind does not have are removed: %s", strings.Join(unknown, ", "))
	}
}

func (d *drawing) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: d.group, Version: d.version, Kind: d.kind}
}

// builtin reports whether a group is of Kubernetes itself.
func builtin(group string) bool {
	return group != "apiextensions.k8s.io" && scheme.Scheme.IsGroupRegistered(group)
}

func validateIstio(d *drawing) ([]string, error) {
	shape, ok := shapes()[d.group+"/"+d.kind]
	if !ok {
		return nil, fmt.Errorf("no kind %s is in Istio's %s", d.kind, text(d.node, "apiVersion"))
	}
	unknown, err := validateMeta(d)
	if err != nil {
		return nil, err
	}
	for key := range fields(d.node) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, key) {
			remove(d.node, key)
			unknown = append(unknown, key)
		}
	}
	if at(d.node, "spec") == nil {
		set(d.node, mapping(), "spec")
	}
	more, faults := fit(at(d.node, "spec"), shape["spec"], "spec")
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s must be of another type (%s)", faults[0].path, faults[0].want)
	}
	return append(unknown, more...), nil
}

func validateMeta(d *drawing) ([]string, error) {
	unknown, err := strip(at(d.node, "metadata"), func() (any, error) { return &metav1.ObjectMeta{}, nil })
	for i := range unknown {
		unknown[i] = "metadata." + unknown[i]
	}
	return unknown, err
}

// strip removes the fields that a Go type does not have until it decodes
// strictly, and returns their paths.
func strip(n *yaml.Node, fresh func() (any, error)) (unknown []string, err error) {
	for {
		into, err := fresh()
		if err != nil {
			return nil, err
		}
		strict, err := strictjson.UnmarshalStrict(toJSON(n), into)
		if err != nil {
			return nil, errors.New(explain(err))
		}
		if len(strict) == 0 {
			return unknown, nil
		}
		before := len(unknown)
		for _, e := range strict {
			var at strictjson.FieldError
			if errors.As(e, &at) && removePath(n, at.FieldPath()) {
				unknown = append(unknown, at.FieldPath())
			}
		}
		if len(unknown) == before {
			return nil, errors.New(explain(strict[0]))
		}
	}
}

// explain says a decoding error in the words of fields.
func explain(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) && typ.Field != "" {
		return fmt.Sprintf("%s must be of another type (%s) than %s", typ.Field, typ.Type, typ.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// removePath takes out the field at a path such as "spec.ports[0].foo"; keys
// may hold dots.
func removePath(n *yaml.Node, path string) bool {
	for key, value := range fields(n) {
		rest, ok := strings.CutPrefix(path, key)
		switch {
		case !ok:
			continue
		case rest == "":
			return remove(n, key)
		case rest[0] == '.' && removePath(value, rest[1:]), rest[0] == '[' && removePath(value, rest):
			return true
		}
	}
	for i, item := range items(n) {
		if rest, ok := strings.CutPrefix(path, fmt.Sprintf("[%d]", i)); ok && removePath(item, strings.TrimPrefix(rest, ".")) {
			return true
		}
	}
	return false
}
