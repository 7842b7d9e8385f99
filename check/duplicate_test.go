package check

import (
	"context"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

func TestAnObjectThatIsDefinedTwiceIsSaidWithBothPlaces(t *testing.T) {
	one := "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: NS}\n"
	tests := []struct {
		about, a, b string
		want        int
	}{
		{"the same object", "default", "default", 1},
		{"another namespace", "default", "shop", 0},
		{"the default namespace, written and not", "default", "\"\"", 1},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			in := &Input{}
			for name, ns := range map[string]string{"a.yaml": tt.a} {
				docs, err := manifest.Parse(name, []byte(strings.Replace(one, "NS", ns, 1)))
				if err != nil {
					t.Fatal(err)
				}
				in.Documents = append(in.Documents, docs...)
			}
			docs, err := manifest.Parse("b.yaml", []byte("\n"+strings.Replace(one, "NS", tt.b, 1)))
			if err != nil {
				t.Fatal(err)
			}
			in.Documents = append(in.Documents, docs...)
			found := Duplicates().Run(context.Background(), in)
			if len(found) != tt.want {
				t.Fatalf("got %v, want %d findings", found, tt.want)
			}
			if tt.want > 0 && (found[0].File != "b.yaml" || !strings.Contains(found[0].Message, "a.yaml:1")) {
				t.Errorf("got %+v", found[0])
			}
		})
	}
}
