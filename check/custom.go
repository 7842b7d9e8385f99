package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/check/schema"
)

// Codes of custom resources.
const (
	CodeIstioSchema   = "IST0106" // Istio's SchemaValidationError
	CodeGatewaySchema = "MS0105"
)

// Custom validates Istio's and the Gateway API's kinds with their CRDs' own
// schemas and CEL rules.
func Custom() Rule {
	return Rule{
		Codes: []string{CodeIstioSchema, CodeGatewaySchema},
		Name:  "crd-schema",
		Doc:   "An object breaks the schema or a CEL rule of its CRD.",
		Rows: []Row{
			{Code: CodeGatewaySchema, Severity: "error; warning",
				Means: "a Gateway API object breaks its schema or a CEL rule and is refused",
				Todo:  "correct the field"},
		},
		Run: func(ctx context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				if ctx.Err() != nil {
					break
				}
				if r.Err == nil {
					found = append(found, customFindings(r)...)
				}
			}
			return found
		},
	}
}

func customFindings(r *Resource) []Finding {
	s, ok := schema.For(r.GVK())
	if !ok {
		return nil
	}
	// Names reports these for all kinds.
	faults := slices.DeleteFunc(r.Faults(), func(e schema.FieldError) bool {
		return !e.Unknown && (e.Field == "metadata.labels" || e.Field == "metadata.annotations" || e.Field == "metadata.name")
	})
	if len(faults) == 0 {
		return nil
	}
	code, severity, note := CodeGatewaySchema, Error, ""
	if s.Channel == "istio" {
		code = CodeIstioSchema
	} else if e, ok := schema.Experimental(r.GVK()); ok && len(e.Validate(r.Object)) == 0 {
		// Right for those who installed that channel's CRDs.
		severity, note = Warning, "; the experimental channel of the Gateway API allows it, so it works only where that channel's CRDs are installed"
	}
	var found []Finding
	for _, fault := range faults {
		f := r.Finding(code, severity, fault.Field, faultText(fault)+note)
		f.Fix = customFix(r, fault)
		found = append(found, f)
	}
	return found
}

func faultText(fault schema.FieldError) string {
	what := fault.Field
	if what == "" {
		what = "the object"
	}
	if fault.Unknown {
		return fmt.Sprintf("unknown field %q: kubectl refuses the object, and clients that are less strict drop the field without a word", fault.Field)
	}
	return fmt.Sprintf("the API server refuses %s: %s", what, fault.Message)
}

func customFix(r *Resource, fault schema.FieldError) string {
	if fault.Unknown {
		parent, name := cutField(fault.Field)
		if near := nearest(name, schema.Children(r.GVK(), parent)); near != "" {
			return fmt.Sprintf("write %s instead of %s", near, name)
		}
		return fmt.Sprintf("remove %s, or correct its name", name)
	}
	if d, ok := schema.Describe(r.GVK(), fault.Field); ok && d.Description != "" {
		first, _, _ := strings.Cut(d.Description, "\n")
		return fmt.Sprintf("%s (%s): %s", fault.Field, d.Type, strings.TrimSpace(first))
	}
	return "correct the field; see meshstorm explain " + strings.ToLower(r.Kind()) + "." + fault.Field
}
