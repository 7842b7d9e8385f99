package msaez_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
)

// events names the events that fill the model's read models.
func events(t *testing.T, d *msaez.Document) []string {
	t.Helper()
	var names []string
	for _, c := range d.Model.Contexts {
		for _, v := range c.Views {
			for _, id := range v.Events {
				l, ok := d.Model.Lookup(id)
				if !ok {
					t.Errorf("%s is filled by %q, which is not in the model", v.Name, id)
					continue
				}
				names = append(names, v.Name+" "+l.Name)
			}
		}
	}
	return names
}

func TestAReadModelKnowsTheEventsThatFillItAlsoInTheSlimForm(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", "12st-mall", "storm.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := msaez.Parse(data, "storm.json")
	if err != nil {
		t.Fatal(err)
	}
	got := events(t, doc)
	for _, want := range []string{"MyPage OrderPlaced", "MyPage DeliveryStarted"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	slim, err := doc.Slim()
	if err != nil {
		t.Fatal(err)
	}
	again, err := msaez.Parse(slim, "slim")
	if err != nil {
		t.Fatal(err)
	}
	if back := events(t, again); !slices.Equal(back, got) {
		t.Errorf("the slim form says %q, the model %q", back, got)
	}
}
