package msaez_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

// samples are models of the original tool beside the repository, where they
// are at hand.
func samples(t testing.TB) []string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
	list, err := filepath.Glob(filepath.Join(dir, "..", "shared", "models", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRoundTripLosesNothing(t *testing.T) {
	for _, file := range append(fixtures(t, false), samples(t)...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, data)
		})
	}
	t.Run("synthetic", func(t *testing.T) { checkRoundTrip(t, stormtest.Mall(12)) })
}

func TestSamplesHaveTheirAggregatesInContexts(t *testing.T) {
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m := parse(t, file).Model
			for _, a := range m.Outside.Aggregates {
				t.Errorf("%s lies outside", a.String())
			}
			for _, c := range m.Contexts {
				if c.Name == "" || c.ID == "" {
					t.Errorf("a context without name or id: %+v", c.Element)
				}
			}
			for _, r := range m.Relations {
				for _, id := range []string{r.From, r.To} {
					if _, ok := m.Lookup(id); !ok {
						t.Errorf("relation %s leads to %s, which is not in the model", r.ID, id)
					}
				}
			}
		})
	}
}

func TestWriteIndentsAndKeepsNumbersAndKeyOrder(t *testing.T) {
	got := string(written(t, parse(t, "testdata/unknown-fields.json")))
	for _, want := range []string{
		"{\n  \"zeta\": 1.0,\n  \"elements\": {\n    \"b\": {\n      \"future\": {\n        \"deep\": [\n          1e2,\n          1E+2,\n          -0,\n          0.10,\n          12345678901234567890,\n",
		`"\u00e9\ud55c <&>"`,
		"          [],\n          {}\n",
		"\n}\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestWriteStopsIndentingWhereValuesNestDeeply(t *testing.T) {
	deep := `{"elements":{},"x":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + "}"
	checkRoundTrip(t, []byte(deep))
	d, err := msaez.Parse([]byte(deep), "deep")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(written(t, d)); n > 100*len(deep) {
		t.Errorf("%d bytes became %d", len(deep), n)
	}
}

func TestSlimLeavesOutPicturesDrawingAndCopies(t *testing.T) {
	for _, file := range append(fixtures(t, false), samples(t)...) {
		slim, err := parse(t, file).Slim()
		if err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{`"img":"data:`, "data:image", `"elementView"`, `"hexagonalView"`, `"relationView"`, `"sourceElement"`, `"targetElement"`, `"k8sValue"`, "\n"} {
			if strings.Contains(string(slim), gone) {
				t.Errorf("%s: %s is still there", filepath.Base(file), gone)
			}
		}
	}
}

// TestPilesStayCheap reads a model in which everything lies on one spot, as
// models look that nobody has laid out. All pairs of it would be 100 million.
func TestPilesStayCheap(t *testing.T) {
	const n = 10_000
	var b strings.Builder
	b.WriteString(`{"definition":[`)
	for _, kind := range []string{"BoundedContext", "Aggregate", "Command", "Actor"} {
		for range n {
			b.WriteString(`{"_type":"` + kind + `","name":"x","elementView":{"x":0,"y":0,"width":9,"height":9}},`)
		}
	}
	b.WriteString(`null]}`)
	d, err := msaez.Parse([]byte(b.String()), "pile")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.Model.Contexts[n-1].Aggregates); got != n {
		t.Errorf("the last context has %d aggregates, want all %d", got, n)
	}
}
