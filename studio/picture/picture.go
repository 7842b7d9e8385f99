// Package picture draws a deployment, or a model's board, without a browser, for
// READMEs and pull requests. It takes a graph and the places that people gave
// its nodes, or a model, and gives SVG or PNG that look like the studio's
// screens. Objects without a place are laid out in columns from gateways to
// workloads, one band for each service.
package picture

import (
	"math"
)

// Options say how to draw.
type Options struct {
	Name   string // of what is drawn; the title, for who cannot see it, has it
	Dark   bool
	Korean bool // the title, and the names of stickers' kinds
}

// Drawing is a picture before it has a format: boxes under and over lines, with
// texts.
type Drawing struct {
	title         string
	source        any // what the drawing shows, for the metadata; nil for nothing
	left, top     float64
	width, height float64
	theme         theme
	under         []box
	lines         []line
	boxes         []box
}

type point struct{ x, y float64 }

// line leads through points, or is the curve that a start, two handles and an
// end make. It has an arrow at its end.
type line struct {
	points []point
	curved bool
	colour string
	wide   float64
	dash   []float64 // lengths of a stroke and a gap; nil for a whole line
	label  string
	strong bool
	frame  string // the colour around the label
}

// box is a rectangle with texts.
type box struct {
	x, y, w, h   float64 // x and y of the left upper corner
	round        float64 // radius of the corners
	fill, border string  // "" for none
	wide         float64 // of the border
	dash         []float64
	stripe       string // the colour of the left edge; "" for none
	texts        []text
}

// text begins at x, or has its middle there; y is its baseline.
type text struct {
	says         string
	x, y, size   float64
	colour       string
	bold, middle bool
}

// margin is left around everything.
const margin = 24.0

func newDrawing(title string, o Options) *Drawing {
	d := &Drawing{title: title, theme: light}
	if o.Dark {
		d.theme = dark
	}
	return d
}

// crop makes the drawing as large as what is in it.
func (d *Drawing) crop() {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	take := func(p point) {
		low = point{min(low.x, p.x), min(low.y, p.y)}
		high = point{max(high.x, p.x), max(high.y, p.y)}
	}
	for _, list := range [][]box{d.under, d.boxes} {
		for _, b := range list {
			take(point{b.x, b.y})
			take(point{b.x + b.w, b.y + b.h})
		}
	}
	if low.x > high.x {
		low, high = point{}, point{}
	}
	d.left, d.top = low.x-margin, low.y-margin
	d.width, d.height = high.x-low.x+2*margin, high.y-low.y+2*margin
}

// path is the line as straight pieces.
func (l line) path() []point {
	if !l.curved {
		return l.points
	}
	const steps = 48
	all := make([]point, steps+1)
	for i := range all {
		all[i] = l.at(float64(i) / steps)
	}
	return all
}

// at is a curve's point at t (0–1).
func (l line) at(t float64) point {
	a, b, c, d := l.points[0], l.points[1], l.points[2], l.points[3]
	u := 1 - t
	return point{
		u*u*u*a.x + 3*u*u*t*b.x + 3*u*t*t*c.x + t*t*t*d.x,
		u*u*u*a.y + 3*u*u*t*b.y + 3*u*t*t*c.y + t*t*t*d.y,
	}
}

// middle is where the label stands.
func (l line) middle() point {
	if l.curved {
		return l.at(0.5)
	}
	a, b := l.points[(len(l.points)-1)/2], l.points[len(l.points)/2]
	return point{(a.x + b.x) / 2, (a.y + b.y) / 2}
}

// arrow is the length of an arrow's head.
const arrow = 9.0

// head gives the corners of the arrow's head, its tip first, and the line
// without it.
func (l line) head() ([]point, line) {
	n := len(l.points)
	end, before := l.points[n-1], l.points[n-2]
	far := math.Hypot(end.x-before.x, end.y-before.y)
	dx, dy := 1.0, 0.0
	if far > 0 {
		dx, dy = (end.x-before.x)/far, (end.y-before.y)/far
	}
	base := point{end.x - arrow*dx, end.y - arrow*dy}
	rest := l
	rest.points = append(append([]point{}, l.points[:n-1]...), base)
	return []point{end, {base.x + dy*arrow/2, base.y - dx*arrow/2}, {base.x - dy*arrow/2, base.y + dx*arrow/2}}, rest
}
