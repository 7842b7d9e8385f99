package check

import (
	"context"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// Problems reports what deploy found in the model and the settings.
func Problems() Rule {
	return Rule{
		Codes: []string{
			deploy.CodeModel, deploy.CodeNameEmpty, deploy.CodeNameLong, deploy.CodeNameTwice,
			deploy.CodeNameDerived, deploy.CodeNoContext, deploy.CodeUnusedSetting,
			deploy.CodeNoResource, deploy.CodePathOverlap, deploy.CodeRelation, deploy.CodePrefix,
			deploy.CodeImage, deploy.CodeRegistry, deploy.CodeRestricted,
		},
		Name: "model",
		Doc:  "Something in the model or the settings has to be decided before the deployment can be right.",
		CodeDocs: map[string]string{
			deploy.CodeModel:         "Something in the model could not be understood.",
			deploy.CodeNameEmpty:     "Nothing is left of a bounded context's name as a DNS name.",
			deploy.CodeNameLong:      "A bounded context's name is too long for a DNS name.",
			deploy.CodeNameTwice:     "Two bounded contexts land on one name.",
			deploy.CodeNameDerived:   "A name that meshstorm makes for one context is another's.",
			deploy.CodeNoContext:     "The model has no bounded context.",
			deploy.CodeUnusedSetting: "A setting names a context that is not in the model.",
			deploy.CodeNoResource:    "A bounded context serves nothing over HTTP.",
			deploy.CodePathOverlap:   "Two bounded contexts serve the same path at the gateway.",
			deploy.CodeRelation:      "A relation leads nowhere.",
			deploy.CodePrefix:        "A gateway prefix cannot be taken away from a path with a variable.",
			deploy.CodeImage:         "An image in the settings is no image reference.",
			deploy.CodeRegistry:      "The image registry is still the placeholder.",
			deploy.CodeRestricted:    "What the setting security: restricted asks of images and the cluster.",
		},
		Run: func(_ context.Context, in *Input) []Finding {
			if in.Intent == nil {
				return nil
			}
			var found []Finding
			for _, p := range in.Intent.Problems {
				f := ofProblem(p)
				place := in.Stickers[p.Source.ID]
				f.Line, f.Column = place.Line, place.Column
				found = append(found, f)
			}
			return found
		},
	}
}

func ofProblem(p deploy.Problem) Finding {
	f := Finding{Code: p.Code, Severity: Severity(p.Severity), Message: p.Message, File: "storm.json", Fix: p.Fix}
	if f.Severity == "" {
		f.Severity = Warning
	}
	if p.Fatal {
		f.Severity = Error
	}
	if p.Source != (deploy.Source{}) {
		f.Source = strings.TrimPrefix(p.Source.String(), "/")
	}
	return f
}
