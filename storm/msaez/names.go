package msaez

import (
	"strings"
	"unicode"

	"github.com/meshstorm/meshstorm/storm"
)

// checkNames warns about stickers without a usable name of their own. The names
// of contexts are not looked at: they become names of objects, where package
// deploy says what is wrong with them.
func (r *reader) checkNames() {
	type place struct {
		context *storm.Context
		kind    storm.Kind
		name    string
	}
	seen := map[place]*entry{}
	for _, e := range r.elements {
		if e.unknown || e.Kind == storm.KindBoundedContext {
			continue
		}
		odd := strings.ContainsFunc(e.Name, unicode.IsControl)
		matters := counts(e.Kind) || e.Kind == storm.KindExternal || e.Kind == storm.KindActor
		switch {
		case !matters:
			continue
		case strings.TrimSpace(e.Name) == "":
			r.warn(&e.Element, "it has no name; it is kept, but nothing can be called after it")
			continue
		case odd:
			r.warn(&e.Element, "its name holds line breaks or other control characters; they separate words")
		case !strings.ContainsFunc(e.Name, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }):
			r.warn(&e.Element, "its name has no letter and no digit; it is kept, but nothing can be called after it")
		}
		if e.in == nil || e.Mirror != "" || !counts(e.Kind) {
			continue
		}
		at := place{e.in, e.Kind, e.Name}
		if first := seen[at]; first != nil {
			where := "outside every context"
			if e.in != r.model.Outside {
				where = "in context " + e.in.Label()
			}
			r.warn(&e.Element, "its name is also that of the sticker with id %s %s; both are kept", first.ID, where)
			continue
		}
		seen[at] = e
	}
}
