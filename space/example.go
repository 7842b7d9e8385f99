package space

// maxStretches is how many intervals of a set an example is looked for in.
const maxStretches = 256

// example gives a short member of the set that the field can have.
func example(s Strings, u *universe) (v string, absent, ok bool) {
	for _, p := range u.prefer {
		if s.Has(p) && u.holds(p) {
			return p, false, true
		}
	}
	if s.dfa != nil {
		if v, _, ok = readable(u.order, s.dfa, u.machine()); ok {
			return v, false, true
		}
		return "", u.optional && !s.noAbsent, u.optional && !s.noAbsent
	}
	best := -1
	for i, t := range s.stretches() {
		if i >= maxStretches && ok {
			break
		}
		if w, cost, found := u.exampleIn(t); found && (best < 0 || cost < best) {
			v, best, ok = w, cost, true
		}
	}
	if ok {
		return v, false, true
	}
	missing := u.optional && !s.noAbsent
	return "", missing, missing
}

func (u *universe) exampleIn(t stretch) (v string, cost int, ok bool) {
	alone := !t.endless && t.hi == t.lo+"\x00"
	// All strings of a prefix are longer than the prefix itself.
	if alone || !t.endless && lead(t.lo, t.hi) == t.lo {
		if u.holds(t.lo) {
			price := prices(u.order)
			for i := range len(t.lo) {
				cost += price[t.lo[i]]
			}
			return t.lo, cost, true
		}
		if alone {
			return "", 0, false
		}
	}
	return readable(u.order, newWalker(t), u.machine())
}
