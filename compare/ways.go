package compare

import "github.com/meshstorm/meshstorm/space"

// way is a door on both sides, nil where a side has none, for some hosts.
type way struct {
	a, b  *door
	hosts space.Strings
}

func (w way) door() *door {
	if w.a != nil {
		return w.a
	}
	return w.b
}

// ways pairs doors by the hosts that they have in common.
func ways(a, b []door) []way {
	var all []way
	leftB := make([]space.Strings, len(b))
	at := map[string]int{}
	for j, d := range b {
		leftB[j] = d.hosts
		at[d.key(false)] = j
	}
	for i := range a {
		// By far the most usual: the same door on both sides.
		if j, ok := at[a[i].key(false)]; ok && leftB[j].Within(a[i].hosts) && a[i].hosts.Within(leftB[j]) {
			all = append(all, way{&a[i], &b[j], a[i].hosts})
			leftB[j] = space.None()
			continue
		}
		left := a[i].hosts
		for j := range b {
			if a[i].scheme != b[j].scheme || a[i].port != b[j].port {
				continue
			}
			if both := left.And(leftB[j]); !both.IsEmpty() {
				all = append(all, way{&a[i], &b[j], both})
				left, leftB[j] = left.Minus(both), leftB[j].Minus(both)
			}
		}
		if !left.IsEmpty() {
			all = append(all, way{a: &a[i], hosts: left})
		}
	}
	for j := range b {
		if !leftB[j].IsEmpty() {
			all = append(all, way{b: &b[j], hosts: leftB[j]})
		}
	}
	return all
}

// sidecarWays pairs the doors of a sidecar that have the same route
// configuration. A service whose port has a listener of its own on one side
// only is at the door for any address on the other.
func sidecarWays(a, b []door) []way {
	at := map[string]int{}
	for j := range b {
		at[b[j].key(true)] = j
	}
	var all []way
	pairedB := make([]bool, len(b))
	var onlyA, onlyB []*door
	for i := range a {
		if j, ok := at[a[i].key(true)]; ok {
			all = append(all, way{&a[i], &b[j], a[i].hosts})
			pairedB[j] = true
		} else {
			onlyA = append(onlyA, &a[i])
		}
	}
	for j := range b {
		if !pairedB[j] {
			onlyB = append(onlyB, &b[j])
		}
	}
	for i, w := range all {
		if w.a.own.IsEmpty() {
			all[i].hosts = elsewhere(w.hosts, w.a, onlyA, onlyB)
		}
	}
	for _, d := range onlyA {
		if d.own.IsEmpty() {
			all = append(all, way{a: d, hosts: elsewhere(d.hosts, d, onlyA, onlyB)})
		} else {
			all = append(all, way{a: d, b: anyAddress(b, d), hosts: d.own})
		}
	}
	for _, d := range onlyB {
		if d.own.IsEmpty() {
			all = append(all, way{b: d, hosts: elsewhere(d.hosts, d, onlyA, onlyB)})
		} else {
			all = append(all, way{a: anyAddress(a, d), b: d, hosts: d.own})
		}
	}
	return all
}

// elsewhere leaves out the hosts that have a listener of their own on the port
// of a door for any address, where the other side has no such listener.
func elsewhere(hosts space.Strings, d *door, lists ...[]*door) space.Strings {
	for _, list := range lists {
		for _, o := range list {
			if o.port == d.port && !o.own.IsEmpty() {
				hosts = hosts.Minus(o.own)
			}
		}
	}
	return hosts
}

// anyAddress is the door on another one's port that takes any address.
func anyAddress(doors []door, d *door) *door {
	for i := range doors {
		if o := &doors[i]; o.port == d.port && o.scheme == d.scheme && o.own.IsEmpty() {
			return o
		}
	}
	return nil
}
