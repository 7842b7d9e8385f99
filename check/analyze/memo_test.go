package analyze_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
)

// The same objects at other lines, beside other objects, in another default
// namespace: what was kept of them must not show.
func TestAMemoChangesNoFinding(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	rules := slices.Concat(check.Rules(), analyze.Rules(analyze.Options{Profile: "demo"}))
	memo := &check.Memo{}
	found := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			text := slices.Concat(slices.Repeat([]byte("# a comment\n"), round), data)
			namespace := fmt.Sprint("town", round%2)
			fresh, kept := input(t, file, text), input(t, file, text)
			fresh.Namespace, kept.Namespace, kept.Memo = namespace, namespace, memo
			want, got := check.Run(t.Context(), fresh, rules), check.Run(t.Context(), kept, rules)
			if d := cmp.Diff(want.Findings, got.Findings); d != "" {
				t.Errorf("%s, round %d (-without memo +with):\n%s", file, round, d)
			}
			found += len(got.Findings)
		}
	}
	if found == 0 {
		t.Error("nothing was found at all")
	}
}
