package manifest

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// EncodeNode writes a part of a document as YAML of its own, with its comments,
// for messages and help.
func EncodeNode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, fmt.Errorf("write a value as YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write a value as YAML: %w", err)
	}
	return b.Bytes(), nil
}
