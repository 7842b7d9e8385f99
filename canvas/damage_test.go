package canvas_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// FuzzDamagedCanvas breaks the project's own canvas at random places, as
// people and the original's panels do: bytes that are no JSON any more would
// never reach Take.
func FuzzDamagedCanvas(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("..", "testdata", "models", "canvas.json"))
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed*5))
	}
	f.Fuzz(func(t *testing.T, seed uint64, faults uint8) {
		var model map[string]any
		if err := json.Unmarshal(data, &model); err != nil {
			t.Fatal(err)
		}
		d := &damage{rand.New(rand.NewPCG(seed, 1))}
		drawn := model["k8sValue"].(map[string]any)["elements"].(map[string]any)
		keys := slices.Sorted(maps.Keys(drawn))
		for range int(faults) + 1 {
			if e, ok := drawn[keys[d.IntN(len(keys))]].(map[string]any); ok {
				e["object"] = d.hurt(e["object"], 0)
			}
		}
		damaged, err := json.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := msaez.Parse(damaged, "model.json")
		if err != nil {
			t.Fatal(err)
		}
		m := deploy.Build(doc.Model, deploy.DefaultSettings("shop"))
		m.Archive = nil
		r, err := canvas.Take(doc, m, render(t, m))
		if err != nil {
			t.Fatal(err)
		}
		checkInvariants(t, r)
		if t.Failed() {
			for id, e := range drawn {
				if e, ok := e.(map[string]any); ok {
					object, _ := json.Marshal(e["object"])
					t.Logf("%s: %s", id, object)
				}
			}
		}
	})
}

type damage struct{ *rand.Rand }

// hurt changes one value somewhere below v.
func (d *damage) hurt(v any, depth int) any {
	if d.IntN(8+3*depth) < depth {
		return d.junk(v)
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			break
		}
		keys := slices.Sorted(maps.Keys(v))
		key := keys[d.IntN(len(keys))]
		switch d.IntN(12) {
		case 0:
			delete(v, key)
		case 1:
			v["x"+key] = v[key]
		default:
			v[key] = d.hurt(v[key], depth+1)
		}
		return v
	case []any:
		if len(v) == 0 {
			break
		}
		i := d.IntN(len(v))
		if d.IntN(6) == 0 {
			return append(v, v[i])
		}
		v[i] = d.hurt(v[i], depth+1)
		return v
	}
	return d.junk(v)
}

func (d *damage) junk(old any) any {
	all := []any{nil, "", 0, -1, 1e30, 0.5, true, "x", "가 나", "order", "payment", "a b/c", "80", "on", map[string]any{}, []any{}, []any{nil}, []any{""},
		[]any{map[string]any{}}, map[string]any{"": ""}, map[string]any{"name": nil}, map[string]any{"a.b": map[string]any{"c[0]": 1}}, []any{old, old}, map[string]any{"host": old}}
	return all[d.IntN(len(all))]
}
