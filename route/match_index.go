package route

import (
	"bytes"
	"slices"
)

// smallHost is the number of routes up to which trying them one by one is
// faster than any index.
const smallHost = 6

// index finds the routes whose path condition may hold. Each route stands in
// exactly one place, and each place lists its routes in order.
type index struct {
	exact  map[string]*bucket
	prefix *node // case-sensitive prefixes
	folded *node // everything that ignores case
	rest   *bucket
}

func newIndex(routes []*Route) *index {
	if len(routes) <= smallHost {
		return nil
	}
	ix := &index{exact: map[string]*bucket{}}
	for i, rt := range routes {
		id := int32(i)
		text, exact, ok := rt.path.index()
		switch {
		case !ok:
			ix.rest = ix.rest.add(id)
		case rt.path.fold:
			ix.folded = ix.folded.insert(text, id, exact)
		case exact:
			ix.exact[text] = ix.exact[text].add(id)
		default:
			ix.prefix = ix.prefix.insert(text, id, false)
		}
	}
	for _, b := range ix.exact {
		b.split(routes)
	}
	ix.prefix.split(routes)
	ix.folded.split(routes)
	ix.rest.split(routes)
	return ix
}

// first gives the first route, in the virtual host's order, that takes the
// request or of which that cannot be told.
func (ix *index) first(routes []*Route, v *view) (*Route, result) {
	var buffer [16][]int32 // deeper paths than this are rare, and only cost an allocation
	lists := buffer[:0]
	lists = ix.exact[v.path].collect(v, lists)
	lists = ix.prefix.collect(v, false, lists)
	lists = ix.folded.collect(v, true, lists)
	lists = ix.rest.collect(v, lists)
	for {
		best := -1
		for i := range lists {
			if len(lists[i]) > 0 && (best < 0 || lists[i][0] < lists[best][0]) {
				best = i
			}
		}
		if best < 0 {
			return nil, no
		}
		rt := routes[lists[best][0]]
		lists[best] = lists[best][1:]
		if got := rt.match(v, nil); got != no {
			return rt, got
		}
	}
}

// node is a node of a radix tree over paths. The empty tree is nil.
type node struct {
	label    string  // what stands between the parent and here
	prefixes *bucket // routes for paths that begin with what leads here
	exacts   *bucket // routes for the path that ends here
	heads    []byte  // the first bytes of the children's labels, ascending
	children []*node
}

// insert adds a route and gives the tree's root, whose label is empty.
func (n *node) insert(text string, id int32, exact bool) *node {
	root := n
	if root == nil {
		root = &node{}
	}
	at := root
	for text != "" {
		i, found := slices.BinarySearch(at.heads, text[0])
		if !found {
			child := &node{label: text}
			at.heads = slices.Insert(at.heads, i, text[0])
			at.children = slices.Insert(at.children, i, child)
			at, text = child, ""
			break
		}
		child := at.children[i]
		common := commonPrefix(child.label, text)
		if common < len(child.label) {
			lower := *child
			lower.label = child.label[common:]
			*child = node{label: child.label[:common], heads: []byte{lower.label[0]}, children: []*node{&lower}}
		}
		at, text = child, text[common:]
	}
	if exact {
		at.exacts = at.exacts.add(id)
	} else {
		at.prefixes = at.prefixes.add(id)
	}
	return root
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// collect appends the lists of every node on the path's way down.
func (n *node) collect(v *view, fold bool, lists [][]int32) [][]int32 {
	path := v.path
	for at := n; at != nil; {
		lists = at.prefixes.collect(v, lists)
		if path == "" {
			return at.exacts.collect(v, lists)
		}
		child := at.child(path[0], fold)
		if child == nil || len(path) < len(child.label) {
			return lists
		}
		head := path[:len(child.label)]
		if fold && !equalFold(head, child.label) || !fold && head != child.label {
			return lists
		}
		path, at = path[len(child.label):], child
	}
	return lists
}

func (n *node) split(routes []*Route) {
	if n == nil {
		return
	}
	n.prefixes.split(routes)
	n.exacts.split(routes)
	for _, child := range n.children {
		child.split(routes)
	}
}

func (n *node) child(head byte, fold bool) *node {
	if fold {
		head = toLower(head)
	}
	if i := bytes.IndexByte(n.heads, head); i >= 0 {
		return n.children[i]
	}
	return nil
}
