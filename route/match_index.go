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
	exact  map[string][]int32
	prefix *node // case-sensitive prefixes
	folded *node // everything that ignores case
	rest   []int32
}

func newIndex(routes []*Route) *index {
	if len(routes) <= smallHost {
		return nil
	}
	ix := &index{exact: map[string][]int32{}}
	for i, rt := range routes {
		id := int32(i)
		text, exact, ok := rt.path.index()
		switch {
		case !ok:
			ix.rest = append(ix.rest, id)
		case rt.path.fold:
			ix.folded = ix.folded.insert(text, id, exact)
		case exact:
			ix.exact[text] = append(ix.exact[text], id)
		default:
			ix.prefix = ix.prefix.insert(text, id, false)
		}
	}
	return ix
}

// first gives the first route, in the virtual host's order, that takes the
// request or of which that cannot be told.
func (ix *index) first(routes []*Route, v *view) (*Route, result) {
	var buffer [16][]int32 // deeper paths than this are rare, and only cost an allocation
	lists := buffer[:0]
	if l := ix.exact[v.path]; len(l) > 0 {
		lists = append(lists, l)
	}
	lists = ix.prefix.collect(v.path, false, lists)
	lists = ix.folded.collect(v.path, true, lists)
	if len(ix.rest) > 0 {
		lists = append(lists, ix.rest)
	}
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
	prefixes []int32 // routes for paths that begin with what leads here
	exacts   []int32 // routes for the path that ends here
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
		at.exacts = append(at.exacts, id)
	} else {
		at.prefixes = append(at.prefixes, id)
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
func (n *node) collect(path string, fold bool, lists [][]int32) [][]int32 {
	for at := n; at != nil; {
		if len(at.prefixes) > 0 {
			lists = append(lists, at.prefixes)
		}
		if path == "" {
			if len(at.exacts) > 0 {
				lists = append(lists, at.exacts)
			}
			return lists
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

func (n *node) child(head byte, fold bool) *node {
	if fold {
		head = toLower(head)
	}
	if i := bytes.IndexByte(n.heads, head); i >= 0 {
		return n.children[i]
	}
	return nil
}
