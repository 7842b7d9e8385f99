package istio

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	crds "github.com/meshstorm/meshstorm/check/schema"
)

// admit does to an object of the Gateway API what the API server does: it
// fills in defaults and refuses what breaks the CRD. istiod relies on both, and
// falls over a match without a path that did not go that way. The CRD is that
// of the experimental channel, which allows more.
func (o *object) admit() error {
	gvk := schema.GroupVersionKind{Group: o.group, Version: o.version, Kind: o.kind}
	s, ok := crds.Experimental(gvk)
	if !ok {
		if s, ok = crds.For(gvk); !ok {
			return nil
		}
	}
	var content map[string]any
	if err := utiljson.Unmarshal(o.json, &content); err != nil {
		return err
	}
	whole, errs := s.Admit(content)
	for _, e := range errs {
		if e.Unknown {
			continue // kubectl refuses it, other clients lose it
		}
		if e.Field == "" {
			return fmt.Errorf("%s", e.Message)
		}
		return fmt.Errorf("%s: %s", e.Field, e.Message)
	}
	data, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	o.json = data
	return nil
}
