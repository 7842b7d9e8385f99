package schema

import (
	"context"
	"fmt"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// FieldError is one thing that the API server would refuse.
type FieldError struct {
	Field   string // "spec.http[0].route[0].weight"; "" for the whole object
	Message string
	// Unknown is true for a field that the schema does not have. kubectl refuses
	// it; other clients lose it without a word.
	Unknown bool
}

// Validate does what the API server does when the object is created: it looks
// for unknown fields, applies defaults, validates against the schema, checks
// list types and runs the CEL rules within the server's cost limits. The
// object is generic JSON with whole numbers as int64, and is left as it is.
func (s *Schema) Validate(object map[string]any) []FieldError {
	_, errs := s.Admit(object)
	return errs
}

// Admit is Validate, and also gives the object as the API server would store
// it where it refuses nothing: without unknown fields, and with defaults.
func (s *Schema) Admit(object map[string]any) (stored map[string]any, refused []FieldError) {
	if err := s.prepare(); err != nil {
		return nil, []FieldError{{Message: fmt.Sprintf("the schema of %s cannot be compiled: %v", s.GVK, err)}}
	}
	object = runtime.DeepCopyJSON(object)
	var all []FieldError
	unknown := pruning.PruneWithOptions(object, s.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	metaErr, unknownMeta := objectmeta.CoerceWithOptions(nil, object, s.structural, true, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	for _, path := range append(unknown, unknownMeta...) {
		all = append(all, FieldError{Field: path, Message: "unknown field", Unknown: true})
	}
	var errs field.ErrorList
	if metaErr != nil {
		errs = append(errs, metaErr)
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)

	invalid := validation.ValidateCustomResource(nil, object, s.validator)
	errs = append(errs, invalid...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	ctx := context.Background()
	errs = append(errs, objectmeta.Validate(ctx, nil, object, s.structural, true)...)
	// The server runs the rules only on what has the right shape; they could not
	// be trusted to hold elsewhere.
	if s.rules != nil && !blocksRules(invalid) {
		more, _ := s.rules.Validate(ctx, nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, more...)
	}
	for _, err := range errs {
		all = append(all, FieldError{Field: fieldPath(err.Field), Message: describeError(err)})
	}
	return object, all
}

// blocksRules follows the API server's custom resource strategy: type errors
// and sizes beyond what the rules were costed for keep them from running.
func blocksRules(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		default: // the shape is right, so the rules can run
		}
	}
	return false
}

func fieldPath(path string) string {
	if path == "<nil>" {
		return ""
	}
	return strings.TrimPrefix(path, ".")
}

// describeError is the error without its field, and without the value where
// the libraries print its type instead.
func describeError(err *field.Error) string {
	text := err.ErrorBody()
	switch err.Type {
	case field.ErrorTypeInvalid, field.ErrorTypeTypeInvalid:
		text = err.Detail
		if i := strings.Index(text, " of type "); err.Type == field.ErrorTypeTypeInvalid && i >= 0 {
			text, _, _ = strings.Cut(text, ": ")
		}
		// A rule whose expression fails says first how Go's CEL failed.
		if _, rule, ok := strings.Cut(text, " evaluating rule: "); ok {
			text = rule
		}
	default: // says all it has
	}
	// OpenAPI validation repeats the field in its own words.
	return strings.TrimSpace(strings.ReplaceAll(text, err.Field+" in body ", ""))
}
