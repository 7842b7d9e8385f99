package manifest

// followMoves lets objects keep their edits when the generator puts them into
// another namespace: an object of base that next has only under another
// namespace is that object, and so is a person's copy of it. Without this a
// changed namespace would look like every object removed and a new one added.
func (f *fileMerge) followMoves() {
	moved := map[ID]ID{}
	arrived := f.next.missingFrom(f.base)
	for place, from := range f.base.missingFrom(f.next) {
		if to, ok := arrived[place]; ok && from != several && to != several {
			moved[from] = to
		}
	}
	for from, to := range moved {
		if f.mine.find(key{id: to}) != nil {
			delete(moved, from) // a person has an object there already
		}
	}
	if len(moved) > 0 {
		f.base.rekey(moved)
		f.mine.rekey(moved)
	}
}

// several stands for objects that differ in nothing but namespace.
var several = ID{Kind: "?"}

// missingFrom lists the objects that the other version lacks, by their identity
// without namespace.
func (v *version) missingFrom(other *version) map[ID]ID {
	missing := map[ID]ID{}
	for k := range v.byKey {
		if k.nth > 0 || other.find(k) != nil {
			continue
		}
		place := ID{Group: k.id.Group, Kind: k.id.Kind, Name: k.id.Name}
		if _, twice := missing[place]; twice {
			missing[place] = several
			continue
		}
		missing[place] = k.id
	}
	return missing
}

// rekey gives objects the identity under which the generator has them now.
func (v *version) rekey(moved map[ID]ID) {
	for i, k := range v.keys {
		to, ok := moved[k.id]
		if !ok || v.pieces[i].empty {
			continue
		}
		delete(v.byKey, k)
		k.id = to
		v.keys[i], v.byKey[k] = k, i
	}
}
