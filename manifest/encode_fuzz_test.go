package manifest_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/manifest"
)

// FuzzEncode: whatever JSON goes in, both YAML parsers of the field read the
// same value back.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{
		`{"a":"yes","b":[1,2.5,-3e10,true,null,[],{}],"c":"x\ny\n","d":"\u0000\ud83d\ude00"}`,
		`["a: b","- c","#d","%e","@f","g\r\nh","1:30","0o17","1_0","\t","\u2028","0x1p-2"]`,
		`{"":{"~":{"<<":{"=":"...","?":"---"}}},"` + strings.Repeat("k", 300) + `":{"a":1}}`,
		`[[[["a"],["b"]],{"c":[{"d":"e\n  f"}]}]]`, `"top\nlevel\n"`, `{"a":"x\n \n y\n","b":"x\n\t"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			t.Skip()
		}
		var want any
		if json.Unmarshal(data, &want) != nil || repeats(data) {
			t.Skip()
		}
		text, err := manifest.Encode(json.RawMessage(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		want = pruned(want)
		var got any
		if err := sigsyaml.Unmarshal(text, &got); err != nil {
			t.Fatalf("sigs.k8s.io/yaml: %v\n%s", err, text)
		}
		if !same(got, want) {
			t.Fatalf("sigs.k8s.io/yaml reads %#v, want %#v, from\n%s", got, want, text)
		}
		got = nil
		if err := yamlv3.Unmarshal(text, &got); err != nil {
			t.Fatalf("yaml.v3: %v\n%s", err, text)
		}
		if !same(got, want) {
			t.Fatalf("yaml.v3 reads %#v, want %#v, from\n%s", got, want, text)
		}
		docs, err := manifest.Parse("x", text)
		if err != nil || want != nil && len(docs) != 1 {
			t.Fatalf("Parse: %d documents, %v\n%s", len(docs), err, text)
		}
	})
}

// repeats tells whether an object has a key twice, which YAML refuses.
func repeats(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	var walk func() bool
	walk = func() bool {
		token, _ := dec.Token()
		switch token {
		case json.Delim('{'):
			seen := map[any]bool{}
			for dec.More() {
				key, _ := dec.Token()
				if seen[key] || walk() {
					return true
				}
				seen[key] = true
			}
			_, _ = dec.Token()
		case json.Delim('['):
			for dec.More() {
				if walk() {
					return true
				}
			}
			_, _ = dec.Token()
		}
		return false
	}
	return walk()
}

// pruned drops what Encode documents that it drops.
func pruned(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	case map[string]any:
		_, described := v["metadata"]
		for key, inner := range v {
			m, isMap := inner.(map[string]any)
			switch {
			case inner == nil,
				isMap && len(m) == 0 && (key == "resources" || key == "strategy" || key == "updateStrategy"),
				isMap && key == "status" && described && zero(m):
				delete(v, key)
				continue
			}
			v[key] = pruned(inner)
			if m, ok := v[key].(map[string]any); ok && key == "metadata" && len(m) == 0 {
				delete(v, key)
			}
		}
	}
	return v
}

func zero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if !zero(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil || v == "" || v == 0.0 || v == false
}

// same compares two decoded values, whatever Go type their numbers have.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if other, ok := b[k]; !ok || !same(a[k], other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y || math.Abs(x-y) <= 1e-15*math.Abs(x)
	}
	return a == b
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
