// Package examples holds the workspaces that come with meshstorm, so that the
// studio can show one to whoever has none. It takes nothing and gives their
// files.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed 12st-mall/storm.json 12st-mall/meshstorm.yaml 12st-mall/.gitignore 12st-mall/kubernetes 12st-mall/routes 12st-mall/.meshstorm/base 12st-mall/.meshstorm/meshstorm.schema.json
var files embed.FS

// Example is a workspace that comes with meshstorm.
type Example struct {
	Name        string // its folder's, "12st-mall"
	Title       string
	Description string
	Files       fs.FS // its root is the workspace's
}

// All are the examples, the one to begin with first.
func All() []Example {
	mall, err := fs.Sub(files, "12st-mall")
	if err != nil {
		panic(err) // the name is written above
	}
	return []Example{{
		Name: "12st-mall", Title: "12st Mall",
		Description: "A shop in three bounded contexts: orders, deliveries and products, which call each other through events and REST.",
		Files:       mall,
	}}
}
