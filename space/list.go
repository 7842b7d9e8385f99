package space

import (
	"slices"
	"sort"
)

// List is boxes in order, kept so that those which have a path in common with
// another box are found without looking at all of them. The zero List is empty
// and ready; it is not safe for concurrent use.
type List struct {
	boxes []Box
	root  pathNode
}

// pathNode is a node of a tree of the beginnings of paths.
type pathNode struct {
	text     string // from the parent to here
	children []*pathNode
	open     []int // boxes whose paths all begin with what leads here
	closed   []int // boxes with just this path
}

// Add appends a box and gives its index.
func (l *List) Add(b Box) int {
	n := len(l.boxes)
	l.boxes = append(l.boxes, b)
	if b.empty {
		return n
	}
	key, alone := b.pathKey()
	at := l.root.descend(key)
	if alone {
		at.closed = append(at.closed, n)
	} else {
		at.open = append(at.open, n)
	}
	return n
}

// Len is the number of boxes.
func (l *List) Len() int { return len(l.boxes) }

// Box gives the box with an index.
func (l *List) Box(i int) Box { return l.boxes[i] }

// pathKey is what all paths of the box begin with; alone is true where it is
// the only path.
func (b Box) pathKey() (key string, alone bool) {
	s := b.Field(Path)
	if v, ok := s.single(); ok {
		return v, true
	}
	return s.Lead(), false
}

// descend finds the node of a key, and makes it where it is missing.
func (n *pathNode) descend(key string) *pathNode {
	for key != "" {
		i, found := n.child(key[0])
		if !found {
			leaf := &pathNode{text: key}
			n.children = slices.Insert(n.children, i, leaf)
			return leaf
		}
		c := n.children[i]
		k := shared(c.text, key)
		if k < len(c.text) { // the node ends within the text
			middle := &pathNode{text: c.text[:k], children: []*pathNode{c}}
			c.text = c.text[k:]
			n.children[i] = middle
			c = middle
		}
		n, key = c, key[k:]
	}
	return n
}

func (n *pathNode) child(b byte) (int, bool) {
	i := sort.Search(len(n.children), func(i int) bool { return n.children[i].text[0] >= b })
	return i, i < len(n.children) && n.children[i].text[0] == b
}

func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Overlapping gives the indexes of the boxes that have a request in common with
// b, in order.
func (l *List) Overlapping(b Box) []int {
	if b.empty {
		return nil
	}
	key, alone := b.pathKey()
	var near []int
	n := &l.root
	for {
		near = append(near, n.open...)
		if key == "" {
			break
		}
		i, found := n.child(key[0])
		if !found {
			n = nil
			break
		}
		c := n.children[i]
		k := shared(c.text, key)
		if k < len(key) && k < len(c.text) {
			n = nil
			break
		}
		if k < len(c.text) { // the key ends on the way to c
			n = &pathNode{children: []*pathNode{c}}
			break
		}
		n, key = c, key[k:]
	}
	switch {
	case n == nil:
	case alone:
		near = append(near, n.closed...)
	default:
		near = append(near, n.closed...)
		for _, c := range n.children {
			near = c.all(near)
		}
	}
	slices.Sort(near)
	m := &meter{left: leftStates}
	return slices.DeleteFunc(near, func(i int) bool { return !b.overlaps(l.boxes[i], m) })
}

func (n *pathNode) all(to []int) []int {
	to = append(append(to, n.open...), n.closed...)
	for _, c := range n.children {
		to = c.all(to)
	}
	return to
}

// Covered asks whether every request of b is in one of the boxes.
func (l *List) Covered(b Box) Result {
	near := l.Overlapping(b)
	by := make([]Box, len(near))
	for i, n := range near {
		by[i] = l.boxes[n]
	}
	return Covered(b, by)
}

// Left is what remains of b when all boxes are taken away; see the function.
func (l *List) Left(b Box) (rest []Box, proved bool) {
	near := l.Overlapping(b)
	by := make([]Box, len(near))
	for i, n := range near {
		by[i] = l.boxes[n]
	}
	return Left(b, by)
}
