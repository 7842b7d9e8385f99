package canvas_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	strictjson "sigs.k8s.io/json"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/manifest"
)

// checkInvariants holds for every result: it parses, there is no object twice,
// and all of it decodes strictly.
func checkInvariants(t testing.TB, r canvas.Result) map[string]*manifest.Document {
	t.Helper()
	objects := map[string]*manifest.Document{}
	seen := map[manifest.ID]bool{}
	for _, f := range r.Files {
		docs, err := manifest.Parse(f.Path, f.Data)
		if err != nil {
			t.Fatalf("the result does not parse: %v\n%s", err, f.Data)
		}
		for _, d := range docs {
			if d.Node == nil {
				continue
			}
			if seen[d.ID] {
				t.Errorf("%v is there twice", d.ID)
			}
			seen[d.ID] = true
			objects[d.ID.Kind+"/"+d.ID.Name] = d
			if err := decodes(d); err != nil {
				t.Errorf("%v does not decode strictly: %v\n%s", d.ID, err, d.Text)
			}
		}
	}
	return objects
}

func decodes(d *manifest.Document) error {
	data, err := d.JSON()
	if err != nil {
		return err
	}
	if message := istioKinds[d.ID.Group+"/"+d.ID.Kind]; message != nil {
		return decodesIstio(data, message)
	}
	gv, err := schema.ParseGroupVersion(d.APIVersion)
	if err != nil {
		return err
	}
	if !scheme.Scheme.Recognizes(gv.WithKind(d.ID.Kind)) {
		return nil
	}
	object, err := scheme.Scheme.New(gv.WithKind(d.ID.Kind))
	if err != nil {
		return err
	}
	strict, err := strictjson.UnmarshalStrict(data, object)
	if len(strict) > 0 {
		return strict[0]
	}
	return err
}

func decodesIstio(data []byte, message proto.Message) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	for key := range object {
		if key != "apiVersion" && key != "kind" && key != "metadata" && key != "spec" {
			return fmt.Errorf("unknown field %s", key)
		}
	}
	var spec any
	if err := json.Unmarshal(object["spec"], &spec); err != nil {
		return err
	}
	seconds, err := json.Marshal(inSeconds(spec))
	if err != nil {
		return err
	}
	return protojson.Unmarshal(seconds, proto.Clone(message))
}

// inSeconds writes durations as protojson wants them; Istio takes "3m", too.
func inSeconds(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = inSeconds(v[key])
		}
	case []any:
		for i := range v {
			v[i] = inSeconds(v[i])
		}
	case string:
		if d, err := time.ParseDuration(v); err == nil && v != "0" {
			return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
		}
	}
	return v
}

// value is the field of an object as compact JSON, texts without quotes; "" is
// nothing.
func value(t testing.TB, objects map[string]*manifest.Document, object, field string) string {
	t.Helper()
	d := objects[object]
	if d == nil {
		return "no " + object
	}
	n := d.Get(field)
	if n == nil {
		return ""
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
