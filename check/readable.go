package check

import (
	"context"
	"errors"

	"github.com/meshstorm/meshstorm/manifest"
)

// CodeUnreadable is the code of files that are no YAML.
const CodeUnreadable = "MS0106"

// Readable reports the files and documents that could not be read.
func Readable() Rule {
	return Rule{
		Codes: []string{CodeUnreadable},
		Name:  "yaml",
		Doc:   "A file or document is no valid YAML, so none of its objects was looked at.",
		Rows: []Row{
			{Code: CodeUnreadable, Severity: "error",
				Means: "the file or document is no YAML or no object: nothing of it is applied or checked",
				Todo:  "correct the YAML"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, err := range in.Errors {
				for _, err := range unjoin(err) {
					found = append(found, unreadable(err))
				}
			}
			for _, r := range in.Resources() {
				if r.Err != nil {
					f := r.Finding(CodeUnreadable, Error, "", "this document is no Kubernetes object: "+r.Err.Error())
					f.Fix = "write apiVersion, kind and metadata at its top level, or move the file out of the folder"
					found = append(found, f)
				}
			}
			return found
		},
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoin(e)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func unreadable(err error) Finding {
	f := Finding{Code: CodeUnreadable, Severity: Error,
		Message: err.Error(), Fix: "correct the YAML; nothing of this document is applied or checked until then"}
	var syntax *manifest.SyntaxError
	if errors.As(err, &syntax) {
		f.Message, f.File, f.Line, f.Column = syntax.Msg, syntax.Path, syntax.Line, syntax.Column
		if syntax.Hint != "" {
			f.Fix = syntax.Hint
		}
	}
	return f
}
