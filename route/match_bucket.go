package route

// smallBucket is the number of routes up to which a bucket is not split.
const smallBucket = 8

// bucket lists routes with the same path condition, in order. A large one is
// split by the value of the one header that tells most of them apart, such as
// a tenant's or the method. The empty bucket is nil.
type bucket struct {
	routes []int32
	header headerName
	values map[string][]int32 // nil where the bucket is not split
}

func (b *bucket) add(id int32) *bucket {
	if b == nil {
		return &bucket{routes: []int32{id}}
	}
	b.routes = append(b.routes, id)
	return b
}

// collect appends the lists whose routes may take the request.
func (b *bucket) collect(v *view, lists [][]int32) [][]int32 {
	if b == nil {
		return lists
	}
	if len(b.routes) > 0 {
		lists = append(lists, b.routes)
	}
	if b.values == nil {
		return lists
	}
	if value, ok := v.header(b.header); ok {
		if l := b.values[value]; len(l) > 0 {
			lists = append(lists, l)
		}
	}
	return lists
}

// split moves the routes that ask for one value of the chosen header.
func (b *bucket) split(routes []*Route) {
	if b == nil || len(b.routes) <= smallBucket {
		return
	}
	distinct := map[headerName]map[string]bool{}
	for _, id := range b.routes {
		for i := range routes[id].headers {
			name, value, ok := routes[id].headers[i].only()
			if !ok {
				continue
			}
			if distinct[name] == nil {
				distinct[name] = map[string]bool{}
			}
			distinct[name][value] = true
		}
	}
	most := 1
	for name, values := range distinct {
		// By name where the numbers are equal, so that compiling is deterministic.
		if len(values) > most || len(values) == most && most > 1 && name.text < b.header.text {
			most, b.header = len(values), name
		}
	}
	if most == 1 {
		return
	}
	b.values = make(map[string][]int32, most)
	var rest []int32
	for _, id := range b.routes {
		if value, ok := routes[id].asksFor(b.header); ok {
			b.values[value] = append(b.values[value], id)
		} else {
			rest = append(rest, id)
		}
	}
	b.routes = rest
}

// asksFor gives the one value of a header without which the route fails.
func (c *conditions) asksFor(name headerName) (string, bool) {
	for i := range c.headers {
		if have, value, ok := c.headers[i].only(); ok && have == name {
			return value, true
		}
	}
	return "", false
}

// only gives the one value that the matcher holds for.
func (m *headerMatcher) only() (headerName, string, bool) {
	exact := !m.presence && !m.ranged && m.value.kind == stringExact && !m.value.fold
	return m.name, m.value.text, exact && !m.invert && !m.missingEmpty
}
