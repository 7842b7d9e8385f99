package deploy

import _ "embed"

//go:generate go run ../internal/gen/schema

//go:embed meshstorm.schema.json
var schema []byte

// Schema is the JSON Schema of meshstorm.yaml, for editors. It is made from the
// Settings type and its comments.
func Schema() []byte { return schema }
