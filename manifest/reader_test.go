package manifest_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

const town = `# a town
apiVersion: v1
kind: Service
metadata: {name: order}
---
# between
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Secret, metadata: {name: a}}
  - apiVersion: v1
    kind: Secret
    metadata:
      name: b
--- # a comment
apiVersion: apps/v1
kind: Deployment
metadata: &m
  name: order
spec:
  template:
    metadata: *m
...
---
kind: Service # the same twice
metadata: {name: x}
---
kind: Service # the same twice
metadata: {name: x}
`

// FuzzReader edits a file step by step: what a Reader gives is what Parse gives.
func FuzzReader(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, "kind: [")
	}
	f.Fuzz(func(t *testing.T, seed uint64, strange string) {
		r := rand.New(rand.NewPCG(seed, 7))
		lines := strings.Split(town, "\n")
		var reader manifest.Reader
		for range 6 {
			text := []byte(strings.Join(lines, "\n"))
			want, wantErr := manifest.Parse("f.yml", text)
			got, err := reader.Parse("f.yml", text)
			if !reflect.DeepEqual(want, got) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("%s\nParse: %v %v\nReader: %v %v", text, want, wantErr, got, err)
			}
			at := r.IntN(len(lines))
			switch r.IntN(4) {
			case 0:
				lines = append(lines[:at], lines[at+1:]...)
			case 1:
				lines = append(lines[:at:at], append([]string{lines[r.IntN(len(lines))]}, lines[at:]...)...)
			case 2:
				lines[at] += " # " + lines[r.IntN(len(lines))]
			default:
				lines = append(lines[:at:at], append([]string{strange}, lines[at:]...)...)
			}
			if len(lines) == 0 {
				return
			}
		}
	})
}

func TestAReaderGivesTheSameDocumentsWhereTheyStay(t *testing.T) {
	var reader manifest.Reader
	before, err := reader.Parse("f.yml", []byte(town))
	if err != nil {
		t.Fatal(err)
	}
	after, err := reader.Parse("f.yml", []byte(strings.Replace(town, "name: b", "name: c", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if before[0] != after[0] || before[len(before)-1] != after[len(after)-1] {
		t.Error("documents that did not change were read again")
	}
	if after[3].ID.Name != "c" {
		t.Errorf("the third document's name is %q", after[3].ID.Name)
	}
}
