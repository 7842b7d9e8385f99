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
		Rows: []Row{
			{Code: deploy.CodeModel, Severity: "warning",
				Means: "a sticker or relation could not be understood; `generate` works around it",
				Todo:  "mend it in the model"},
			{Code: deploy.CodeNameEmpty, Severity: "error",
				Means: "nothing is left of a bounded context's name as a DNS name",
				Todo:  "`names:`"},
			{Code: deploy.CodeNameLong, Severity: "error",
				Means: "the DNS name is longer than 48 characters, and names made from it would not fit",
				Todo:  "`names:`"},
			{Code: deploy.CodeNameTwice, Severity: "error",
				Means: "two contexts land on one name: one's objects would overwrite the other's",
				Todo:  "`names:`"},
			{Code: deploy.CodeNameDerived, Severity: "error",
				Means: "a context is named as what meshstorm makes: a canary, a mesh route, the dev broker",
				Todo:  "`names:`"},
			{Code: deploy.CodeNoContext, Severity: "warning",
				Means: "no bounded context, so nothing is deployed",
				Todo:  "draw one around the aggregates"},
			{Code: deploy.CodeUnusedSetting, Severity: "warning",
				Means: "an entry of `names` or `services` is for a context that is not there; it has no effect",
				Todo:  "correct or remove it"},
			{Code: deploy.CodeNoResource, Severity: "warning",
				Means: "the context serves nothing over HTTP and gets no route",
				Todo:  "add an aggregate or view, or `paths.add`"},
			{Code: deploy.CodePathOverlap, Severity: "error",
				Means: "two contexts serve one path at the gateway; the age of their routes decides",
				Todo:  "`pathPrefix` for one of them"},
			{Code: deploy.CodeRelation, Severity: "warning",
				Means: "one end of a relation lies in no context; the call is left out of the call graph",
				Todo:  "move the sticker, or delete the relation"},
			{Code: deploy.CodePrefix, Severity: "error",
				Means: "a path with a variable under `pathPrefix` gets no route before Istio 1.19",
				Todo:  "raise `istioVersion`, or drop the prefix"},
			{Code: deploy.CodeImage, Severity: "error",
				Means: "the settings make an image that is no reference",
				Todo:  "correct `image.*` or `services.NAME.image`"},
			{Code: deploy.CodeRegistry, Severity: "info",
				Means: "the registry is the placeholder: ErrImagePull in a real cluster",
				Todo:  "set `image.registry`"},
			{Code: deploy.CodeRestricted, Severity: "info",
				Means: "`security: restricted` needs images with a numeric user, and Istio's CNI plugin",
				Todo:  "see to both, or use `baseline`"},
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
