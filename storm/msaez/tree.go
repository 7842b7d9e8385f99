package msaez

import (
	"cmp"
	"math"
	"slices"

	"github.com/meshstorm/meshstorm/storm"
)

// rect is a box by its edges.
type rect struct{ left, top, right, bottom float64 }

func rectOf(b storm.Box) rect {
	return rect{b.X - b.Width/2, b.Y - b.Height/2, b.X + b.Width/2, b.Y + b.Height/2}
}

// overlaps is the original's test: a part is enough, touching edges are not.
func (r rect) overlaps(o rect) bool {
	return r.left < o.right && o.left < r.right && r.top < o.bottom && o.top < r.bottom
}

func (r rect) union(o rect) rect {
	return rect{min(r.left, o.left), min(r.top, o.top), max(r.right, o.right), max(r.bottom, o.bottom)}
}

// tree is a packed R-tree (sort-tile-recursive). It finds overlaps in near
// logarithmic time however the boxes lie: far apart, nested, or all in one
// place, as in models that nobody laid out.
type tree struct {
	nodes []node
	root  int
}

// node covers its children, or one box where it is a leaf. last is the highest
// order below it: it lets the search for the last box skip whole branches.
type node struct {
	rect
	last     int
	children []int // nil for a leaf
}

const fanOut = 8

// newTree indexes boxes; a box's order is its place in the slice.
func newTree(boxes []rect) *tree {
	t := &tree{root: -1}
	level := make([]int, len(boxes))
	for i, b := range boxes {
		t.nodes = append(t.nodes, node{rect: b, last: i})
		level[i] = i
	}
	for len(level) > 1 {
		level = t.pack(level)
	}
	if len(level) == 1 {
		t.root = level[0]
	}
	return t
}

// pack gathers one level's nodes into parents, tile by tile.
func (t *tree) pack(level []int) []int {
	by := func(middle func(rect) float64) func(a, b int) int {
		return func(a, b int) int {
			return cmp.Or(cmp.Compare(middle(t.nodes[a].rect), middle(t.nodes[b].rect)), cmp.Compare(a, b))
		}
	}
	slices.SortFunc(level, by(func(r rect) float64 { return r.left/2 + r.right/2 }))
	tiles := math.Ceil(math.Sqrt(float64(len(level)) / fanOut))
	strip := fanOut * int(tiles)
	var parents []int
	for column := range slices.Chunk(level, strip) {
		slices.SortFunc(column, by(func(r rect) float64 { return r.top/2 + r.bottom/2 }))
		for group := range slices.Chunk(column, fanOut) {
			parent := node{rect: t.nodes[group[0]].rect, children: slices.Clone(group)}
			for _, c := range group {
				parent.rect = parent.union(t.nodes[c].rect)
				parent.last = max(parent.last, t.nodes[c].last)
			}
			slices.SortFunc(parent.children, func(a, b int) int { return t.nodes[b].last - t.nodes[a].last })
			parents = append(parents, len(t.nodes))
			t.nodes = append(t.nodes, parent)
		}
	}
	return parents
}

// last2 finds the last and the last but one of the boxes that overlap; -1 where
// there is none.
func (t *tree) last2(r rect) (last, before int) {
	last, before = -1, -1
	var visit func(i int)
	visit = func(i int) {
		n := &t.nodes[i]
		if n.last <= before || !n.overlaps(r) {
			return
		}
		switch {
		case n.children != nil:
			for _, c := range n.children {
				visit(c)
			}
		case n.last > last:
			last, before = n.last, last
		default:
			before = n.last
		}
	}
	if t.root >= 0 {
		visit(t.root)
	}
	return last, before
}

// all finds the boxes that overlap, at most limit of them, in order.
func (t *tree) all(r rect, limit int) []int {
	var found []int
	var visit func(i int)
	visit = func(i int) {
		n := &t.nodes[i]
		if len(found) == limit || !n.overlaps(r) {
			return
		}
		if n.children == nil {
			found = append(found, n.last)
		}
		for _, c := range n.children {
			visit(c)
		}
	}
	if t.root >= 0 {
		visit(t.root)
	}
	slices.Sort(found)
	return found
}
