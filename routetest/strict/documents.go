package strict

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// Documents are the roots of a YAML or JSON file's documents that hold more than
// comments. Bombs of aliases, repeated keys and the like are refused; a document
// that is does not hide the others. Errors are *manifest.SyntaxErrors and
// *Errors.
func Documents(path string, data []byte) ([]*yaml.Node, []error) {
	if IsJSON(data) {
		n, err := JSON(path, data)
		if err != nil {
			return nil, []error{err}
		}
		return []*yaml.Node{n}, nil
	}
	docs, err := manifest.Parse(path, data)
	var errs []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	} else if err != nil {
		errs = []error{err}
	}
	var roots []*yaml.Node
	for _, d := range docs {
		if d.Node != nil {
			roots = append(roots, Resolve(d.Node))
		}
	}
	return roots, errs
}
