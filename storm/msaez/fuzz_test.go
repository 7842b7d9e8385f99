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
