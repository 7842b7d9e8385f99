package manifest

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// indivisibleLists are lists of scalars whose order and repetition mean something.
var indivisibleLists = []string{"command", "args"}

func indivisible(field string) bool {
	return slices.ContainsFunc(indivisibleLists, func(name string) bool { return field == name || strings.HasSuffix(field, "."+name) })
}

// listMerge is a list's three versions, their items under identities that all
// versions share.
type listMerge struct {
	g                *merger
	path             string
	in               *flow
	container        side // the edited list
	base, next, mine []string
	was, now, have   map[string]side
	labels           map[string]string // how a message names an item; its index where it has no key
	inserted         map[string]*yaml.Node
	reordered        bool
}

func (g *merger) list(path string, b, n, m side, in *flow) {
	var base []*yaml.Node
	if b.value != nil {
		base = b.value.Content
	}
	if whole(path, b.value != nil, base, n.value.Content, m.value.Content) {
		g.whole(path, b, n, m, in)
		return
	}
	ids := identify(base, n.value.Content, m.value.Content)
	l := &listMerge{g: g, path: path, in: in, container: m,
		base: ids.base, next: ids.next, mine: ids.mine, labels: ids.labels,
		was: index(ids.base, base), now: index(ids.next, n.value.Content), have: index(ids.mine, m.value.Content),
		inserted: map[string]*yaml.Node{},
	}
	l.reordered = in == nil && l.moved()
	mine := slices.Clone(m.value.Content)
	l.items()
	l.additions(mine)
	if l.reordered {
		l.reorder(mine)
	}
}

// whole tells whether a list of scalars changes only as one.
func whole(path string, generated bool, lists ...[]*yaml.Node) bool {
	scalars := false
	for _, list := range lists {
		seen := map[string]bool{}
		for _, item := range list {
			if resolved(item).Kind != yaml.ScalarNode {
				continue
			}
			scalars = true
			c := canon(item)
			if seen[c] || indivisible(path) {
				return true
			}
			seen[c] = true
		}
	}
	return scalars && !generated
}

func index(ids []string, items []*yaml.Node) map[string]side {
	byID := make(map[string]side, len(ids))
	for i, id := range ids {
		byID[id] = side{items[i], items[i]}
	}
	return byID
}

func (l *listMerge) field(id string, i int) string {
	label := l.labels[id]
	if label == "" {
		label = fmt.Sprint(i)
	}
	return l.path + "[" + label + "]"
}

// items merges what the person has.
func (l *listMerge) items() {
	for i, id := range l.mine {
		have := l.have[id]
		was, had := l.was[id]
		now, has := l.now[id]
		switch {
		case has:
			l.g.value(l.field(id, i), was, now, have, l.in)
			if !l.reordered {
				l.g.head(was, now, have)
			}
		case had:
			l.g.drop(l.field(id, i), was, have, l.container.value, l.in)
		}
	}
}

// additions puts in what the generator added, after the item that comes before
// it in the generator's order, so that what people put at the end stays there.
func (l *listMerge) additions(mine []*yaml.Node) {
	var anchor, prev *yaml.Node
	for i, id := range l.next {
		now := l.now[id]
		if have, has := l.have[id]; has {
			anchor, prev = have.holder, have.holder
			continue
		}
		if was, had := l.was[id]; had {
			if !equal(was.value, now.value) {
				l.g.dispute(l.field(id, i), at(l.container), nil, now.value)
			}
			continue
		}
		if l.reordered {
			l.inserted[id] = clone(now.value)
			l.g.touched = true
			continue
		}
		prev = l.g.insert(l.container.value, anchor, l.follower(i, mine), prev, now, l.in)
	}
}

// follower is the edited version's first item that the generator has after its
// i-th, or else its first one, gone or not; nil if it had none.
func (l *listMerge) follower(i int, mine []*yaml.Node) *yaml.Node {
	for _, id := range l.next[i+1:] {
		if have, ok := l.have[id]; ok {
			return have.holder
		}
	}
	if len(mine) > 0 {
		return mine[0]
	}
	return nil
}

// moved tells whether only the generator changed the order of the items that
// all versions have.
func (l *listMerge) moved() bool {
	common := func(ids []string) []string {
		var all []string
		for _, id := range ids {
			_, a := l.was[id]
			_, b := l.now[id]
			_, c := l.have[id]
			if a && b && c {
				all = append(all, id)
			}
		}
		return all
	}
	base := common(l.base)
	return !slices.Equal(base, common(l.next)) && slices.Equal(base, common(l.mine))
}

// reorder writes the list in the generator's order. Items of the person stay
// first or last if they were, and else behind the item they stood behind.
func (l *listMerge) reorder(before []*yaml.Node) {
	kept := map[*yaml.Node]bool{}
	for _, item := range l.container.value.Content {
		kept[item] = true
	}
	follow := map[string][]string{}
	last := ""
	for i, id := range l.mine {
		if _, generated := l.now[id]; generated {
			last = id
		} else if kept[before[i]] {
			follow[last] = append(follow[last], id)
		}
	}
	order := follow[""]
	final := follow[last]
	if last != "" {
		delete(follow, last)
	} else {
		final = nil
	}
	for _, id := range l.next {
		if _, has := l.have[id]; has || l.inserted[id] != nil {
			order = append(append(order, id), follow[id]...)
		}
	}
	order = append(order, final...)
	l.container.value.Content = nil
	l.g.touched = true
	column, ok := l.textColumn(before)
	var parts []part
	for _, id := range order {
		if item := l.inserted[id]; item != nil {
			l.container.value.Content = append(l.container.value.Content, item)
			s, known := l.g.next.spans[l.now[id].holder]
			ok = ok && known
			parts = append(parts, part{text: l.g.next.block(s, column)})
			continue
		}
		item := l.have[id].holder
		l.container.value.Content = append(l.container.value.Content, item)
		start, end := l.extent(before, item)
		parts = append(parts, part{start: start, end: end})
	}
	if !ok {
		l.g.reencode = true
		return
	}
	first, end := l.g.mine.spans[before[0]], l.g.mine.spans[before[len(before)-1]]
	l.g.patch.add(edit{start: first.head, end: end.end, parts: parts})
}

// textColumn is where the list's dashes stand; false where its lines cannot be
// moved.
func (l *listMerge) textColumn(items []*yaml.Node) (int, bool) {
	for _, item := range items {
		if s, ok := l.g.mine.spans[item]; !ok || s.inline {
			return 0, false
		}
	}
	return l.g.mine.spans[items[0]].column, true
}

// extent is an item's text with the blank lines and comments up to the next.
func (l *listMerge) extent(items []*yaml.Node, item *yaml.Node) (start, end int) {
	s := l.g.mine.spans[item]
	if i := slices.Index(items, item); i+1 < len(items) {
		return s.head, l.g.mine.spans[items[i+1]].head
	}
	return s.head, s.end
}
