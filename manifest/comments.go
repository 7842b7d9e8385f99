package manifest

import (
	"fmt"
	"maps"
	"slices"
)

// comments is a tree of comments by field path. A nil tree has none.
type comments struct {
	text  string
	set   bool
	seen  bool // the field is there
	path  string
	under map[segment]*comments
}

// newComments sorts comments by their paths, so that writing an object costs
// nothing for the fields that have none.
func newComments(byPath map[string]string) (*comments, error) {
	if len(byPath) == 0 {
		return nil, nil
	}
	root := &comments{seen: true}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		segments, err := parsePath(path)
		if err != nil {
			return nil, fmt.Errorf("comment on %q: %w", path, err)
		}
		at := root
		for _, s := range segments {
			next := at.under[s]
			if next == nil {
				next = &comments{}
				if at.under == nil {
					at.under = map[segment]*comments{}
				}
				at.under[s] = next
			}
			at = next
		}
		at.text, at.set, at.path = byPath[path], true, path
	}
	return root, nil
}

func (c *comments) key(key []byte) *comments {
	if c == nil || c.under == nil {
		return nil
	}
	return c.visit(segment{key: string(key), index: noIndex})
}

func (c *comments) item(i int) *comments {
	if c == nil || c.under == nil {
		return nil
	}
	return c.visit(segment{index: i})
}

func (c *comments) visit(s segment) *comments {
	inner := c.under[s]
	if inner != nil {
		inner.seen = true
	}
	return inner
}

// missing is the first path that names no field, "" if all do.
func (c *comments) missing() string {
	if c == nil {
		return ""
	}
	if c.set && !c.seen {
		return c.path
	}
	var all []string
	for _, inner := range c.under {
		if path := inner.missing(); path != "" {
			all = append(all, path)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return slices.Min(all)
}
