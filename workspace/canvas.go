package workspace

import (
	"encoding/json"
	"fmt"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/manifest"
)

// takeCanvas lays what users drew on the original's deployment canvas over the
// first generation. From then on it is an edit like any other: the generated
// text is the base, the canvas's the person's side.
func (w *Workspace) takeCanvas(d *disk, g *Generation) error {
	generated, err := w.render()
	if err != nil {
		return err
	}
	var files []manifest.File
	for _, p := range d.paths {
		if data, ok := generated[p]; ok {
			files = append(files, manifest.File{Path: p, Data: data})
			d.base[p] = data
		}
	}
	taken, err := canvas.Take(w.Document, w.Intent, files)
	if err != nil {
		return fmt.Errorf("take over the deployment canvas: %w", err)
	}
	for _, f := range taken.Files {
		d.mine[f.Path] = f.Data
	}
	g.Warnings = taken.Warnings
	layout, err := json.MarshalIndent(taken.Layout, "", "  ")
	if err != nil {
		return fmt.Errorf("write the canvas's layout: %w", err)
	}
	d.extra = append(d.extra, manifest.Change{Path: LayoutFile, Data: append(layout, '\n'), Mode: 0o644})
	return nil
}
