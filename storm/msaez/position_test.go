package msaez_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
)

func TestPositionsAreThoseOfTheStickers(t *testing.T) {
	doc, err := msaez.Parse([]byte(`{"elements":{
  "b": {"_type":"org.uengine.modeling.model.BoundedContext","id":"b","name":"주문"}, "c": {"_type":"org.uengine.modeling.model.BoundedContext","id":"c","name":"pay"},
  "d": {"_type":"org.uengine.modeling.model.BoundedContext","id":"d","name":"ship"}
}}`), "m.json")
	if err != nil {
		t.Fatal(err)
	}
	got := doc.Positions([]string{"d", "c", "gone", "b"})
	want := map[string]msaez.Position{"b": {2, 8}, "c": {2, 89}, "d": {3, 8}}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for id, place := range want {
		if got[id] != place {
			t.Errorf("%s: got %v, want %v", id, got[id], place)
		}
	}
}
