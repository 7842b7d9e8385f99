package check

import (
	"context"
	"fmt"

	"github.com/meshstorm/meshstorm/manifest"
)

// CodeDuplicate is the code of an object that is defined more than once.
const CodeDuplicate = "MS0108"

// Duplicates finds objects that two documents define: the one that is applied
// last wins, and nobody chose which one that is.
func Duplicates() Rule {
	return Rule{
		Codes: []string{CodeDuplicate},
		Name:  "duplicate",
		Doc:   "Two documents define the same object; the one applied last wins.",
		Rows: []Row{
			{Code: CodeDuplicate, Severity: "error",
				Means: "two documents define one object; the one applied last wins, the other is lost",
				Todo:  "keep one, or rename one"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			first := map[manifest.ID]*Resource{}
			var found []Finding
			for _, r := range in.Resources() {
				if r.Kind() == "" || r.Name() == "" {
					continue // other rules say so
				}
				id := manifest.ID{Group: r.Group(), Kind: r.Kind(), Namespace: r.Namespace(), Name: r.Name()}
				other := first[id]
				if other == nil {
					first[id] = r
					continue
				}
				f := r.Finding(CodeDuplicate, Error, "metadata.name",
					fmt.Sprintf("%s is also defined at %s:%d; kubectl apply lets the last one win, and the other one's content is lost",
						r.ID(), other.Document.Path, other.Document.Line))
				f.Fix = "keep one of the two, or give one another name or namespace"
				found = append(found, f)
			}
			return found
		},
	}
}
