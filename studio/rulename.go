package studio

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// RuleName names an http rule by its name or by its index.
type RuleName struct {
	Name  string
	Index int // where Name is ""
}

// UnmarshalJSON reads a string or a whole number.
func (r *RuleName) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &r.Name) == nil {
		return nil
	}
	if err := json.Unmarshal(data, &r.Index); err != nil || r.Index < 0 {
		return fmt.Errorf("rule %s: expected a rule's name or its index from 0", data)
	}
	return nil
}

// Schema is that of the JSON form.
func (RuleName) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString, MinLength: new(1)}, {Type: huma.TypeInteger, Minimum: &zero}}}
}
