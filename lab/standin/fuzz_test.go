package standin

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
)

func slimOf(data []byte) ([]byte, error) {
	doc, err := msaez.Parse(data, "model.json")
	if err != nil {
		return nil, err
	}
	return doc.Slim()
}

// FuzzConvert checks that whatever fits a field fits it again, and is JSON.
func FuzzConvert(f *testing.F) {
	for _, text := range []string{`1`, `"12"`, `1e400`, `-0.0`, `"2026-11-23"`, `true`, `[1,"a",null]`, `{"street":1}`, `9223372036854775807`, `9223372036854775808.5`, `"\"1\""`} {
		f.Add(text, uint8(0))
	}
	classes := map[string]*classElement{}
	_ = json.Unmarshal([]byte(`{"Address":{"_type":"org.uengine.uml.model.vo.Class","fieldDescriptors":[{"name":"street","className":"String"},{"name":"in","className":"Address"}]},
		"Kind":{"_type":"org.uengine.uml.model.enum","items":[{"value":"A"}]}}`), &classes)
	names := []string{"String", "Integer", "Long", "Double", "BigDecimal", "Boolean", "Date", "Address", "Kind", "List<Integer>", "Address[]", "Photo"}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		typ := newTypes(classes).of(names[int(which)%len(names)], which%2 == 0)
		var bad []invalid
		once := typ.convert("x", decode([]byte(text)), &bad)
		if len(bad) > 0 {
			return
		}
		raw := encode(once)
		if !json.Valid(raw) {
			t.Fatalf("%s as %s gives %s", text, typ.name, raw)
		}
		if twice := encode(typ.convert("x", decode(raw), &bad)); len(bad) > 0 || string(twice) != string(raw) {
			t.Fatalf("%s as %s: %s, then %s %v", text, typ.name, raw, twice, bad)
		}
	})
}

func FuzzRoutes(f *testing.F) {
	f.Add("/orders/{id}", "/orders/1")
	f.Add("/r-{a}.{b}/x", "/r-1.2/x/")
	f.Add("/a%2Fb", "/a%2Fb")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		r := newRoute(pattern)
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		if parts, ok := split(u); ok {
			if vars, ok := r.vars(parts); ok && len(vars) == 0 && pattern != "" {
				for _, seg := range r.segments {
					if seg.match != nil {
						t.Fatalf("%q takes %q without a variable", pattern, path)
					}
				}
			}
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(`{"elements":{"a":{"_type":"org.uengine.modeling.model.BoundedContext","id":"a","name":"order"},"b":{"_type":"Aggregate","id":"b","name":"Order","boundedContext":{"id":"a"},"aggregateRoot":{"entities":[]}}},"relations":{}}`))
	f.Add([]byte(`{"elements":{"v":{"_type":"View","name":"x","createRules":[{"when":{"id":1}}],"queryOption":{"apiPath":"{"}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := readArchive(data, "model.json")
		if err != nil {
			return
		}
		for _, c := range a.model.Contexts {
			compile(a, buildOf(a), c, "w", "x")
		}
	})
}
