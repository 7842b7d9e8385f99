package picture

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/studio/graph"
)

// Sizes of the deploy screen, in its pixels.
const (
	boxWidth, boxHeight = 184.0, 66.0
	columnGap, rowGap   = 96.0, 26.0
	stripe              = 5.0
	textLeft            = 15.0
	textWidth           = boxWidth - textLeft - 8
)

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

// Deployment draws a graph. places are the centres that people gave nodes, by
// id. The graph itself is in an SVG's metadata, as JSON.
func Deployment(g *graph.Graph, places map[string]canvas.Box, o Options) *Drawing {
	nodes := shown(g)
	at := arrange(nodes, g.Edges)
	for id, b := range places {
		if _, ok := at[id]; ok {
			at[id] = point{b.X - boxWidth/2, b.Y - boxHeight/2}
		}
	}
	title := "Deployment of " + o.Name
	if o.Korean {
		title = o.Name + " 배포도"
	}
	d := newDrawing(title, o)
	d.source = g
	for _, n := range nodes {
		d.boxes = append(d.boxes, object(n, at[n.ID], d.theme))
	}
	d.lines = linesOf(g.Edges, at, d.theme)
	d.crop()
	return d
}

// object is a node's box, with its texts.
func object(n graph.Node, at point, t theme) box {
	b := box{x: at.x, y: at.y, w: boxWidth, h: boxHeight, round: 6, fill: t.panel, border: t.border, wide: 1, stripe: toneOf(n.Kind)}
	b.texts = []text{
		{cut(kindOf(n), smallSize, textWidth), at.x + textLeft, at.y + 19, smallSize, t.soft, false, false},
		{cut(n.Name, nameSize, textWidth), at.x + textLeft, at.y + 37, nameSize, t.ink, true, false},
		{cut(noteOf(n), smallSize, textWidth), at.x + textLeft, at.y + 54, smallSize, t.soft, false, false},
	}
	return b
}

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
func linesOf(edges []graph.Edge, places map[string]point, t theme) []line {
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
		l := between(places[p.from], places[p.to])
		l.colour, l.wide, l.frame = t.soft, 1.5, t.accent
		if w := weights[p]; len(w) > 0 {
			low, high := slices.Min(w), slices.Max(w)
			l.label, l.wide, l.strong = fmt.Sprintf("%d %%", low), 1.5+3*float64(high)/100, high > 0
			if high == 0 {
				l.dash = []float64{4, 4}
			}
			if low != high {
				l.label = fmt.Sprintf("%d–%d %%", low, high)
			}
		}
		all = append(all, l)
	}
	return all
}

// between is the curve from box to box: as React Flow's, it leaves and arrives
// level.
func between(from, to point) line {
	a, b := point{from.x + boxWidth, from.y + boxHeight/2}, point{to.x, to.y + boxHeight/2}
	reach := max(math.Abs(b.x-a.x)/2, 40)
	return line{curved: true, points: []point{a, {a.x + reach, a.y}, {b.x - reach, b.y}, b}}
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
