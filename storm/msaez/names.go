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
	for _, e := range r.elements {
		matters := counts(e.Kind) || e.Kind == storm.KindExternal || e.Kind == storm.KindActor
		switch {
		case e.unknown || !matters:
		case strings.TrimSpace(e.Name) == "":
			r.warn(&e.Element, "it has no name; it is kept, but nothing can be called after it")
		case strings.ContainsFunc(e.Name, unicode.IsControl):
			r.warn(&e.Element, "its name holds line breaks or other control characters; they separate words")
		case !strings.ContainsFunc(e.Name, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }):
			r.warn(&e.Element, "its name has no letter and no digit; it is kept, but nothing can be called after it")
		}
	}
	for _, c := range r.model.Contexts {
		r.checkRepeats(c, "in context "+c.Label())
	}
	r.checkRepeats(r.model.Outside, "outside every context")
}

// checkRepeats warns about stickers of one kind and name in one context.
func (r *reader) checkRepeats(c *storm.Context, where string) {
	type sticker struct {
		kind storm.Kind
		name string
	}
	seen := map[sticker]string{}
	check := func(e *storm.Element) {
		if e.Mirror != "" || strings.TrimSpace(e.Name) == "" {
			return
		}
		at := sticker{e.Kind, e.Name}
		if first, ok := seen[at]; ok {
			r.warn(e, "its name is also that of the sticker with id %s %s; both are kept", first, where)
			return
		}
		seen[at] = e.ID
	}
	events := func(list []*storm.Event) {
		for _, x := range list {
			check(&x.Element)
		}
	}
	commands := func(list []*storm.Command) {
		for _, x := range list {
			check(&x.Element)
		}
	}
	for _, a := range c.Aggregates {
		check(&a.Element)
		commands(a.Commands)
		events(a.Events)
	}
	commands(c.Commands)
	events(c.Events)
	for _, x := range c.Policies {
		check(&x.Element)
	}
	for _, x := range c.Views {
		check(&x.Element)
	}
}
