package cluster

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/manifest"
)

// Objects turns documents into objects. The error names each that is none, and
// comes with those that are.
func Objects(docs []*manifest.Document) ([]Object, error) {
	var faults []error
	var all []Object
	for _, d := range docs {
		if d.Node == nil {
			continue
		}
		data, err := d.JSON()
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", d.Path, d.Line, err))
			continue
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(data); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w; expected an object with apiVersion, kind and metadata.name", d.Path, d.Line, err))
			continue
		}
		all = append(all, Object{Unstructured: o, File: d.Path, Line: d.Line, Locate: locate(d)})
	}
	return all, errors.Join(faults...)
}

func locate(d *manifest.Document) func(string) int {
	return func(field string) int {
		line, _, _ := d.Locate(field)
		return line
	}
}
