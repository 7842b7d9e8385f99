package msaez_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

func FuzzParse(f *testing.F) {
	for _, broken := range []bool{false, true} {
		for _, file := range fixtures(f, broken) {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(stormtest.Mall(2))
	for _, small := range []string{
		`{"elements":{}}`, `{"definition":[null,{"_type":"Event"}],"relation":[]}`, `{"value":{"elements":{"1":null}}}`,
		`{"elements":{"a":{"_type":"Policy","name":"p","mirrorElement":"b"}},"relations":{"r":{"from":"a","to":"a"}}}`,
		`{"elements":{"a":{"_type":"BoundedContext","elementView":{"x":0,"y":0,"width":9,"height":9}},"b":{"_type":"View","elementView":{"x":1,"y":1}}}}`,
		`{"elements":{},"k8sValue":{"elements":{"a":{"_type":"Service","object":{"metadata":{"name":"x"}}}},"relations":[{"from":"a"}]}}`,
		`{"elements":{},"x":[1,-0.5e+3,true,false,"\u00e9\"\ud800",{"":""}]}`,
	} {
		f.Add([]byte(small))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := msaez.Parse(bytes.Clone(data), "fuzz")
		text := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		if err != nil {
			var e *msaez.Error
			if !errors.As(err, &e) || e.Msg == "" || e.Hint == "" || e.Line < 1 || e.Column < 1 {
				t.Errorf("not a complete error: %#v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatal("accepted what is no JSON")
		}
		d.Canvas()
		d.CanvasRelations()
		checkRoundTrip(t, data)
	})
}
