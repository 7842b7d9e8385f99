package msaez

import "slices"

// Position is a place in the file, counted from 1.
type Position struct{ Line, Column int }

// Positions tells where stickers begin in the file, by their ids; ids that are
// not in the file are left out. It goes through the file once.
func (d *Document) Positions(ids []string) map[string]Position {
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	var wanted []kept
	for _, k := range slices.Concat(d.elements, d.relations) {
		if asked[k.id] {
			wanted = append(wanted, k)
		}
	}
	slices.SortFunc(wanted, func(a, b kept) int { return int(a.at.start) - int(b.at.start) })
	places := make(map[string]Position, len(wanted))
	line, column, from := 1, 1, 0
	for _, k := range wanted {
		l, c := position(d.data[from:], int(k.at.start)-from)
		if l == 1 {
			column += c - 1
		} else {
			line, column = line+l-1, c
		}
		from = int(k.at.start)
		places[k.id] = Position{line, column}
	}
	return places
}
