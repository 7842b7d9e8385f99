package msaez

import "github.com/meshstorm/meshstorm/storm"

// packaged are the lists in which a packaged business capability keeps its
// model, and what each holds.
var packaged = []struct {
	field field
	name  string
	kind  storm.Kind
}{
	{fieldContexts, "boundedContextes", storm.KindBoundedContext},
	{fieldAggregates, "aggregates", storm.KindAggregate},
	{fieldCommands, "commands", storm.KindCommand},
	{fieldEvents, "events", storm.KindEvent},
	{fieldPolicies, "policies", storm.KindPolicy},
	{fieldViews, "views", storm.KindView},
	{fieldElements, "elements", ""},
}

// readPackages reads the models nested in packages.
func (r *reader) readPackages() {
	r.nested = map[string]bool{}
	for _, e := range r.elements {
		if e.Kind != storm.KindPackage {
			continue
		}
		p := &storm.Package{Element: e.Element}
		e.pack = p
		for _, list := range packaged {
			r.items(&e.Element, e.get(list.field), list.name, func(_ []byte, at span) {
				x := r.packagedElement(at, list.kind)
				if x != nil && !r.nested[x.ID] {
					r.nested[x.ID] = true
					p.Elements = append(p.Elements, x)
				}
			})
		}
		r.model.Packages = append(r.model.Packages, p)
	}
}

// packagedElement reads one sticker of a package, or a reference to one; nil
// where it has no id to be known by.
func (r *reader) packagedElement(at span, kind storm.Kind) *storm.Element {
	if !r.is(at, '{') {
		if known := r.ids[r.text(nil, at, "package entry")]; known != nil {
			return known.copied()
		}
		return nil
	}
	nested, f := r.entry(r.inside(at), "", int(at.start))
	if f != nil {
		return nil
	}
	x := nested.copied()
	x.ID = r.text(nil, nested.get(fieldID), "id")
	if x.ID == "" {
		x.ID = r.viewID(nested.get(fieldView), "")
	}
	if x.ID == "" {
		return nil
	}
	if known := r.ids[x.ID]; known != nil && nested.get(fieldName).empty() {
		return known.copied()
	}
	typeName := r.word(x, nested.get(fieldType), "_type")
	if x.Kind = kindOf(typeName); x.Kind == "" {
		if x.Kind = kind; kind == "" {
			x.Kind = storm.Kind(typeName)
		}
	}
	x.Mirror = r.ref(x, nested.get(fieldMirror), "mirrorElement").id
	x.Name = r.text(x, nested.get(fieldName), "name")
	x.DisplayName = r.text(x, nested.get(fieldDisplayName), "displayName")
	x.Description = r.text(x, nested.get(fieldDescription), "description")
	x.Box, _ = r.box(x, nested.get(fieldView))
	return x
}
