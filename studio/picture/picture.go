// Package picture draws a deployment without a browser, for READMEs and pull
// requests. It takes a graph and the places that people gave its nodes, and
// gives SVG or PNG that look like the studio's deploy screen. What has no place
// is laid out in columns from gateways to workloads, one band for each service.
package picture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/studio/graph"
)

// Sizes of the deploy screen, in its pixels.
const (
	boxWidth, boxHeight = 184.0, 66.0
	columnGap, rowGap   = 96.0, 26.0
	margin              = 24.0
)

// Options say how to draw.
type Options struct {
	Dark  bool
	Title string // of the whole, for who cannot see it
	// Places are the centres that people gave nodes, by id.
	Places map[string]canvas.Box
}

// drawing is what both forms are made of: boxes over lines, with texts.
type drawing struct {
	title         string
	width, height float64
	theme         theme
	lines         []line
	boxes         []box
}

// line is a curve from box to box, with an arrow at its end.
type line struct {
	x1, y1, x2, y2 float64
	wide           float64
	dashed         bool
	label          string
	strong         bool
}

// box is an object.
type box struct {
	x, y             float64 // of the left upper corner
	tone             string
	kind, name, note string
}

// at is the curve's point at t (0–1): as React Flow's, it leaves and arrives
// level.
func (l line) at(t float64) (x, y float64) {
	x2, x3 := l.handles()
	u := 1 - t
	x = u*u*u*l.x1 + 3*u*u*t*x2 + 3*u*t*t*x3 + t*t*t*l.x2
	y = u*u*u*l.y1 + 3*u*u*t*l.y1 + 3*u*t*t*l.y2 + t*t*t*l.y2
	return x, y
}

func (l line) handles() (x2, x3 float64) {
	reach := max(abs(l.x2-l.x1)/2, 40)
	return l.x1 + reach, l.x2 - reach
}

func abs(f float64) float64 { return max(f, -f) }

// shown are the nodes of the first view: what requests pass. A DestinationRule
// stands for itself only where it has no subsets.
func shown(g *graph.Graph) []graph.Node {
	parents := map[string]bool{}
	for _, n := range g.Nodes {
		parents[n.Parent] = true
	}
	return slices.DeleteFunc(slices.Clone(g.Nodes), func(n graph.Node) bool {
		return n.Layer != "routing" || n.Kind == "DestinationRule" && parents[n.ID]
	})
}

// layOut gives everything its place.
func layOut(g *graph.Graph, o Options) drawing {
	nodes := shown(g)
	places := arrange(nodes, g.Edges)
	for id, b := range o.Places {
		if _, ok := places[id]; ok {
			places[id] = point{b.X - boxWidth/2, b.Y - boxHeight/2}
		}
	}
	d := drawing{title: o.Title, theme: light}
	if o.Dark {
		d.theme = dark
	}
	left, top := 0.0, 0.0
	for i, id := range slices.Sorted(maps.Keys(places)) {
		p := places[id]
		if i == 0 {
			left, top = p.x, p.y
		}
		left, top = min(left, p.x), min(top, p.y)
	}
	for id, p := range places {
		places[id] = point{p.x - left + margin, p.y - top + margin}
		d.width, d.height = max(d.width, places[id].x+boxWidth+margin), max(d.height, places[id].y+boxHeight+margin)
	}
	d.width, d.height = max(d.width, 2*margin), max(d.height, 2*margin)
	for _, n := range nodes {
		p := places[n.ID]
		d.boxes = append(d.boxes, box{p.x, p.y, toneOf(n.Kind), kindOf(n), n.Name, noteOf(n)})
	}
	d.lines = linesOf(g.Edges, places)
	return d
}

type point struct{ x, y float64 }

// columns of the kinds, from left to right.
var columns = map[string]int{
	"Gateway": 0, "Ingress": 0, "VirtualService": 1, graph.KindSubset: 2, "DestinationRule": 2, "Service": 3, graph.KindHost: 3, "ServiceEntry": 3,
}

const lastColumn = 4 // of workloads

// arrange puts every service into a band of its own, and its nodes into the
// columns of their kinds, each column in the middle of the band.
func arrange(nodes []graph.Node, edges []graph.Edge) map[string]point {
	service := servicesOf(nodes, edges)
	var order []string
	bands := map[string]map[int][]graph.Node{}
	for _, n := range nodes {
		s := service[n.ID]
		if bands[s] == nil {
			bands[s] = map[int][]graph.Node{}
			order = append(order, s)
		}
		c, ok := columns[n.Kind]
		if !ok {
			c = lastColumn
		}
		bands[s][c] = append(bands[s][c], n)
	}
	// What belongs to no service, such as the gateway, stands beside all others.
	places := map[string]point{}
	top := 0.0
	for _, s := range order {
		if s == "" && len(order) > 1 {
			continue
		}
		top += placeBand(bands[s], top, places) + 1.5*rowGap
	}
	if band := bands[""]; len(order) > 1 && band != nil {
		tall := bandHeight(band)
		placeBand(band, max(0, (top-1.5*rowGap-tall)/2), places)
	}
	// A workload stands at the height of the subset that picks its pods, so that
	// the line between them passes beside the Service.
	for _, e := range edges {
		from, ok := places[e.From]
		if to, known := places[e.To]; ok && known && e.Kind == graph.EdgeRuns {
			places[e.To] = point{to.x, from.y}
		}
	}
	return apart(places)
}

// servicesOf names the service of each node. One that says none takes that of
// what it leads to, if that is one.
func servicesOf(nodes []graph.Node, edges []graph.Edge) map[string]string {
	all := map[string]string{}
	for _, n := range nodes {
		all[n.ID] = n.Service
	}
	for _, n := range nodes {
		if n.Service != "" || n.Kind == "Gateway" {
			continue
		}
		found := map[string]bool{}
		for _, e := range edges {
			switch n.ID {
			case e.From:
				found[all[e.To]] = true
			case e.To:
				found[all[e.From]] = true
			}
		}
		delete(found, "")
		if len(found) == 1 {
			all[n.ID] = slices.Collect(maps.Keys(found))[0]
		}
	}
	return all
}

func bandHeight(band map[int][]graph.Node) float64 {
	tall := 0.0
	for _, list := range band {
		tall = max(tall, float64(len(list))*(boxHeight+rowGap)-rowGap)
	}
	return tall
}

func placeBand(band map[int][]graph.Node, top float64, places map[string]point) float64 {
	tall := bandHeight(band)
	for c, list := range band {
		y := top + (tall-(float64(len(list))*(boxHeight+rowGap)-rowGap))/2
		for _, n := range list {
			places[n.ID] = point{float64(c) * (boxWidth + columnGap), y}
			y += boxHeight + rowGap
		}
	}
	return tall
}

// apart moves down what would lie over another.
func apart(places map[string]point) map[string]point {
	ids := slices.SortedFunc(maps.Keys(places), func(a, b string) int {
		return cmp.Or(cmp.Compare(places[a].x, places[b].x), cmp.Compare(places[a].y, places[b].y), cmp.Compare(a, b))
	})
	for i := 1; i < len(ids); i++ {
		above, p := places[ids[i-1]], places[ids[i]]
		if p.x == above.x && p.y < above.y+boxHeight+rowGap {
			p.y = above.y + boxHeight + rowGap
			places[ids[i]] = p
		}
	}
	return places
}

// linesOf draws all edges between two nodes as one line.
func linesOf(edges []graph.Edge, places map[string]point) []line {
	type pair struct{ from, to, kind string }
	weights := map[pair][]int32{}
	var order []pair
	for _, e := range edges {
		_, from := places[e.From]
		_, to := places[e.To]
		if !from || !to || e.Kind == graph.EdgeCalls {
			continue
		}
		p := pair{e.From, e.To, e.Kind}
		if _, ok := weights[p]; !ok {
			order = append(order, p)
			weights[p] = nil
		}
		if e.Weight != nil {
			weights[p] = append(weights[p], *e.Weight)
		}
	}
	var all []line
	for _, p := range order {
		a, b := places[p.from], places[p.to]
		l := line{x1: a.x + boxWidth, y1: a.y + boxHeight/2, x2: b.x, y2: b.y + boxHeight/2, wide: 1.5}
		if w := weights[p]; len(w) > 0 {
			low, high := slices.Min(w), slices.Max(w)
			l.label, l.wide, l.dashed, l.strong = fmt.Sprintf("%d %%", low), 1.5+3*float64(high)/100, high == 0, high > 0
			if low != high {
				l.label = fmt.Sprintf("%d–%d %%", low, high)
			}
		}
		all = append(all, l)
	}
	return all
}

func kindOf(n graph.Node) string {
	if n.Kind == graph.KindSubset {
		if parts := strings.Split(n.Parent, "/"); len(parts) == 3 {
			return parts[2]
		}
	}
	return n.Kind
}

// noteOf is the one line that a box says of its object.
func noteOf(n graph.Node) string {
	d := n.Data
	switch n.Kind {
	case "Gateway":
		var all []string
		for _, s := range d.Servers {
			all = append(all, fmt.Sprintf("%s %d", s.Protocol, s.Port))
		}
		return strings.Join(all, ", ")
	case "VirtualService", "ServiceEntry", "Ingress":
		return strings.Join(d.Hosts, ", ")
	case graph.KindSubset:
		var all []string
		for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
			all = append(all, k+"="+d.Labels[k])
		}
		return strings.Join(all, " ")
	case "Service":
		var all []string
		for _, p := range d.Ports {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d", p.Name, p.Port)))
		}
		return strings.Join(all, ", ")
	}
	note := d.Note
	if len(d.Images) > 0 {
		note = d.Images[0][strings.LastIndexByte(d.Images[0], '/')+1:]
	}
	if d.Replicas != nil {
		note = strings.TrimSpace(fmt.Sprintf("%s ×%d", note, *d.Replicas))
	}
	return note
}
