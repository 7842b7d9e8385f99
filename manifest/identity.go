package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// identities name the items of a list's three versions; equal names are the
// same item.
type identities struct {
	base, next, mine []string
	labels           map[string]string
}

// identify tells list items apart by their natural key where that is there and
// does not repeat, and by their content elsewhere. Items without a key that
// changed are paired with what stands in the same place.
func identify(base, next, mine []*yaml.Node) identities {
	lists := [3][]*yaml.Node{base, next, mine}
	var keys, keyLabels [3][]string
	repeated := map[string]bool{}
	for i, list := range lists {
		seen := map[string]bool{}
		for _, item := range list {
			id, label := keyed(item)
			if id != "" && seen[id] {
				repeated[id] = true
			}
			seen[id] = true
			keys[i] = append(keys[i], id)
			keyLabels[i] = append(keyLabels[i], label)
		}
	}
	ids := identities{labels: map[string]string{}}
	for i := range lists {
		for j, id := range keys[i] {
			if repeated[id] {
				keys[i][j] = ""
			} else if id != "" {
				ids.labels[id] = keyLabels[i][j]
			}
		}
	}
	number(keys[0], "b")
	if len(base) > 0 {
		pair(base, keys[0], next, keys[1])
		pair(base, keys[0], mine, keys[2])
		same(next, keys[1], mine, keys[2])
		number(keys[1], "n")
	} else {
		number(keys[1], "n")
		pair(next, keys[1], mine, keys[2])
	}
	number(keys[2], "m")
	ids.base, ids.next, ids.mine = keys[0], keys[1], keys[2]
	return ids
}

// keyed is an item's natural key, "" where it has none.
func keyed(item *yaml.Node) (id, label string) {
	item = resolved(item)
	if item.Kind == yaml.ScalarNode {
		return "v:" + canon(item), item.Value
	}
	if item.Kind == yaml.MappingNode {
		for i, rule := range naturalKeys {
			if key, ok := rule.of(item); ok {
				return fmt.Sprintf("k%d:%s", i, key), key
			}
		}
	}
	return "", ""
}

// number names items that have no name yet.
func number(ids []string, prefix string) {
	for i, id := range ids {
		if id == "" {
			ids[i] = fmt.Sprint(prefix, i)
		}
	}
}

// pair gives the nameless items of a list the names of the items they come
// from: those with the same content, and then those that stand alone, or in
// equal number, between the same neighbours.
func pair(from []*yaml.Node, names []string, to []*yaml.Node, ids []string) {
	taken := map[string]bool{}
	for _, id := range ids {
		taken[id] = true
	}
	byContent := map[string][]string{}
	for i, n := range from {
		if !taken[names[i]] {
			c := canon(n)
			byContent[c] = append(byContent[c], names[i])
		}
	}
	for i, n := range to {
		if ids[i] != "" {
			continue
		}
		c := canon(n)
		if free := byContent[c]; len(free) > 0 {
			ids[i], byContent[c] = free[0], free[1:]
			taken[ids[i]] = true
		}
	}
	// The gaps: runs of items without a partner, by the partner before them.
	gaps := map[string][]int{}
	last := ""
	for i, n := range from {
		if taken[names[i]] {
			last = names[i]
		} else if resolved(n).Kind == yaml.MappingNode && (names[i][0] == 'b' || names[i][0] == 'n') {
			gaps[last] = append(gaps[last], i)
		}
	}
	fill(names, to, ids, gaps)
}

func fill(names []string, to []*yaml.Node, ids []string, gaps map[string][]int) {
	var run []int
	last := ""
	flush := func() {
		if gap := gaps[last]; len(gap) == len(run) {
			for i, at := range run {
				ids[at] = names[gap[i]]
			}
		}
		run = nil
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	for i, n := range to {
		switch {
		case ids[i] == "" && resolved(n).Kind == yaml.MappingNode:
			run = append(run, i)
		case known[ids[i]]:
			flush()
			last = ids[i]
		}
	}
	flush()
}

// same names the nameless items that both lists have and that came from
// nowhere else.
func same(next []*yaml.Node, nextIDs []string, mine []*yaml.Node, mineIDs []string) {
	byContent := map[string][]int{}
	for i, n := range next {
		if nextIDs[i] == "" {
			c := canon(n)
			byContent[c] = append(byContent[c], i)
		}
	}
	for i, m := range mine {
		if mineIDs[i] != "" {
			continue
		}
		c := canon(m)
		if free := byContent[c]; len(free) > 0 {
			nextIDs[free[0]] = fmt.Sprint("s", free[0])
			mineIDs[i], byContent[c] = nextIDs[free[0]], free[1:]
		}
	}
}
