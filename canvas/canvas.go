// Package canvas takes over, once, when a workspace is made, what people drew
// on the original tool's deployment canvas. It takes the document as the
// original saved it, the intent, and the files that meshstorm generates from
// it. It gives those files with the person's edits and the objects that
// meshstorm does not generate, the positions of all drawn objects, and a
// warning for every step, so that nothing is changed or left out in silence.
package canvas

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// Result is what a canvas comes to.
type Result struct {
	// Files is the person's side of the first merge: the generated files with
	// the canvas's edits, and the objects that meshstorm does not generate.
	// Untouched documents keep their exact text.
	Files  []manifest.File
	Layout Layout
	// Warnings tell what was taken over, repaired, folded or left out, in the
	// order of the canvas.
	Warnings []string
	Taken    int // how many objects were considered
}

// Take lays the objects of the original's canvas over the generated ones. It
// fails only where the generated files cannot be read; an object that cannot
// be understood is left out with a warning.
func Take(doc *msaez.Document, m *deploy.Model, generated []manifest.File) (Result, error) {
	objects := doc.Canvas()
	if len(objects) == 0 {
		return Result{Files: generated, Layout: newLayout().Layout}, nil
	}
	files, err := readFiles(generated)
	if err != nil {
		return Result{}, fmt.Errorf("taking over the canvas: %w", err)
	}
	t := &taker{model: m, files: files, names: newNames(m), renamed: map[ref]string{}, layout: newLayout()}
	t.read(objects, doc.CanvasRelations())
	t.repairAll()
	t.match()
	t.foldGateways()
	t.foldDestinationRules()
	t.foldVirtualServices()
	t.foldWorkloads()
	t.keepRest()
	t.addCanaries()
	rendered, err := t.files.render()
	if err != nil {
		return Result{}, fmt.Errorf("taking over the canvas: %w", err)
	}
	return Result{Files: rendered, Layout: t.layout.Layout, Warnings: t.notes.sorted(), Taken: t.taken}, nil
}

// taker is one run of Take.
type taker struct {
	model *deploy.Model
	files *files
	names *names
	drawn []*drawing // what is still to be dealt with, in the canvas's order
	byID  map[string]*drawing
	arrows
	// renamed follows objects whose name changed, so that references do too.
	renamed map[ref]string
	tracks  map[*deploy.Service]*subsets
	// weighted are the shares that a VirtualService gave a context.
	weighted map[*deploy.Service]map[string]int
	layout   *layout
	scoped   []string // kinds that a CustomResourceDefinition of the canvas puts in no namespace
	notes    notes
	taken    int
}

// ref is how one object names another.
type ref struct{ kind, name string }

// notes collects warnings with the place of their object on the canvas.
type notes struct{ list []note }

type note struct {
	index int
	text  string
}

func (n *notes) sorted() []string {
	slices.SortStableFunc(n.list, func(a, b note) int { return cmp.Compare(a.index, b.index) })
	var list []string
	for _, w := range n.list {
		list = append(list, w.text)
	}
	return slices.Compact(list)
}

// warn tells people about one step.
func (t *taker) warn(d *drawing, format string, args ...any) {
	t.notes.list = append(t.notes.list, note{d.index, d.String() + ": " + fmt.Sprintf(format, args...)})
}

// leaveOut drops an object and says why.
func (t *taker) leaveOut(d *drawing, format string, args ...any) {
	t.warn(d, "left out: "+format, args...)
	d.done = true
}

// fold says that an object's place is taken by a generated one.
func (t *taker) fold(d *drawing, into *document) {
	d.done = true
	t.layout.place(into.ID.Kind, into.ID.Name, d, d.name == into.ID.Name)
	t.renamed[ref{d.kind, d.original}] = into.ID.Name
	t.renamed[ref{d.kind, d.name}] = into.ID.Name
}
