package msaez

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/meshstorm/meshstorm/storm"
)

// Slim is the model as compact JSON for what runs it: without pictures,
// drawing, the copies of stickers inside relations, the deployment canvas and
// the date. It is a version 3 model that Parse reads again; since the drawing
// is gone, every containment is written as the reference that it was decided
// to be.
func (d *Document) Slim() ([]byte, error) {
	w := &slimmer{r: &reader{data: d.data, model: &storm.Model{}}, m: d.Model}
	w.commands = make(map[string][]string, len(d.Model.Actors))
	for _, a := range d.Model.Actors {
		w.commands[a.ID] = a.Commands
	}
	w.out.WriteByte('{')
	w.member("version", json.RawMessage("3"))
	w.member("projectName", d.Model.Name)
	if d.top.kind.end > 0 {
		w.member("type", json.RawMessage(w.r.raw(d.top.kind)))
	}
	w.member("toppingPlatforms", append([]string{}, d.Model.Toppings...))
	w.member("scm", map[string]string{"org": d.Model.SCM.Org, "repo": d.Model.SCM.Repo, "tag": d.Model.SCM.Tag})
	w.collection("elements", d.elements, w.element)
	ends := make(map[string]*storm.Relation, len(d.Model.Relations))
	for _, rel := range d.Model.Relations {
		ends[rel.ID] = rel
	}
	w.collection("relations", d.relations, func(k kept) {
		own := []member{{"id", k.id}}
		if rel := ends[k.id]; rel != nil {
			own = append(own, member{"from", rel.From}, member{"to", rel.To})
		}
		w.object(k.at, own)
	})
	w.out.WriteByte('}')
	return w.out.Bytes(), w.err
}

// slimmer writes compact JSON. The first error stays.
type slimmer struct {
	r   *reader
	m   *storm.Model
	out bytes.Buffer
	err error

	commands map[string][]string // those of each actor
}

// member is a field that is written in place of what the file has; with nil the
// file's is only left out.
type member struct {
	name  string
	value any
}

type reference struct {
	ID string `json:"id"`
}

// next separates from what was written before.
func (w *slimmer) next() {
	if b := w.out.Bytes(); len(b) > 0 {
		switch b[len(b)-1] {
		case '{', '[', ':':
		default:
			w.out.WriteByte(',')
		}
	}
}

func (w *slimmer) key(name string) {
	w.next()
	if strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == utf8.RuneError }) {
		w.json(name)
	} else {
		w.out.WriteByte('"')
		w.out.WriteString(name)
		w.out.WriteByte('"')
	}
	w.out.WriteByte(':')
}

func (w *slimmer) member(name string, value any) {
	w.key(name)
	w.json(value)
}

func (w *slimmer) json(value any) {
	// An Encoder, unlike Marshal, can leave <, > and & as people wrote them.
	encoder := json.NewEncoder(&w.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		w.err = err
		return
	}
	w.out.Truncate(w.out.Len() - 1)
}

func (w *slimmer) collection(name string, list []kept, write func(kept)) {
	w.key(name)
	w.out.WriteByte('{')
	for _, k := range list {
		w.key(k.id)
		write(k)
	}
	w.out.WriteByte('}')
}

// element writes a sticker with its containment as references.
func (w *slimmer) element(k kept) {
	l, ok := w.m.Lookup(k.id)
	if !ok {
		w.object(k.at, []member{{"id", k.id}, {"boundedContext", nil}, {"aggregate", nil}, {"mirrorElement", nil}})
		return
	}
	own := []member{{"id", k.id}, {"_type", "org.uengine.modeling.model." + string(l.Kind)}}
	own = append(own, containment(l)...)
	switch {
	case l.Kind == storm.KindBoundedContext && l.Context != nil:
		own = append(own, contents(l.Context)...)
	case l.Kind == storm.KindPackage && l.Package != nil:
		own = append(own, packageContents(l.Package)...)
	case l.Kind == storm.KindActor:
		own = append(own, member{"innerAggregate", map[string]any{"command": references(w.commands[k.id])}})
	}
	w.object(k.at, own)
}

// contents are the lists in which a context names what lies in it.
func contents(c *storm.Context) []member {
	var aggregates, policies, views []string
	for _, x := range c.Aggregates {
		aggregates = append(aggregates, x.ID)
	}
	for _, x := range c.Policies {
		policies = append(policies, x.ID)
	}
	for _, x := range c.Views {
		views = append(views, x.ID)
	}
	return []member{{"aggregates", references(aggregates)}, {"policies", references(policies)}, {"views", references(views)}, {"commands", nil}, {"events", nil}}
}

func references(ids []string) []reference {
	list := make([]reference, len(ids))
	for i, id := range ids {
		list[i] = reference{id}
	}
	return list
}

// packageContents are the stickers of a package, in one list in the place of
// those by kind: the package runs elsewhere, and who calls it needs no more
// than to know them.
func packageContents(p *storm.Package) []member {
	type sticker struct {
		ID          string `json:"id"`
		Type        string `json:"_type"`
		Name        string `json:"name"`
		DisplayName string `json:"displayName,omitempty"`
		Description string `json:"description,omitempty"`
		Mirror      string `json:"mirrorElement,omitempty"`
	}
	list := []sticker{}
	for _, e := range p.Elements {
		list = append(list, sticker{e.ID, string(e.Kind), e.Name, e.DisplayName, e.Description, e.Mirror})
	}
	own := []member{{"elements", list}, {"boundedContexts", nil}}
	for _, byKind := range packaged {
		if byKind.name != "elements" {
			own = append(own, member{byKind.name, nil})
		}
	}
	return own
}

// containment are the references of a sticker to what holds it and what it
// stands for; nil where nothing does, so that no outdated reference comes to
// life again.
func containment(l storm.Located) []member {
	var context, aggregate, mirror any
	switch {
	case !counts(l.Kind):
	case l.Package != nil && l.Context == nil:
		context = reference{l.Package.ID}
	case l.Context != nil && l.Context.ID != "":
		context = reference{l.Context.ID}
	}
	if l.Aggregate != nil && l.Kind != storm.KindAggregate {
		aggregate = reference{l.Aggregate.ID}
	}
	if l.Mirror != "" {
		mirror = l.Mirror
	}
	return []member{{"boundedContext", context}, {"aggregate", aggregate}, {"mirrorElement", mirror}}
}

// object writes an object of the file: first what replaces its own fields,
// then the others, slimmed.
func (w *slimmer) object(at span, own []member) {
	replaced := make(map[string]bool, len(own))
	w.out.WriteByte('{')
	for _, m := range own {
		replaced[m.name] = true
		if m.value != nil {
			w.member(m.name, m.value)
		}
	}
	w.fields(at, func(key []byte) bool { return replaced[string(key)] })
	w.out.WriteByte('}')
}

func (w *slimmer) fields(at span, skip func(key []byte) bool) {
	w.r.pick(at, func(key []byte, at span) {
		if skip(key) || heavy(key) || w.picture(at) {
			return
		}
		w.key(string(key))
		w.value(at)
	})
}

// heavy names the fields that hold drawing and copies.
func heavy(key []byte) bool {
	switch string(key) {
	case "img", "elementView", "hexagonalView", "relationView", "sourceElement", "targetElement":
		return true
	}
	return false
}

func (w *slimmer) picture(at span) bool {
	return w.r.is(at, '"') && isDataURL(w.r.raw(at)[1:])
}

// isDataURL tells whether a text is a data: URL (RFC 2397) with a media type.
func isDataURL(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("data:"))
	if !ok {
		return false
	}
	media, _, ok := bytes.Cut(rest, []byte(","))
	return ok && bytes.IndexByte(media, '/') > 0 && bytes.IndexByte(media, ' ') < 0
}

func (w *slimmer) value(at span) {
	switch {
	case w.r.is(at, '{'):
		w.out.WriteByte('{')
		w.fields(at, func([]byte) bool { return false })
		w.out.WriteByte('}')
	case w.r.is(at, '['):
		w.out.WriteByte('[')
		s := w.r.inside(at)
		_ = s.array(func(int) *fault {
			item, f := s.value()
			if f == nil && !w.picture(item) {
				w.next()
				w.value(item)
			}
			return f
		})
		w.out.WriteByte(']')
	default:
		w.out.Write(w.r.raw(at))
	}
}
