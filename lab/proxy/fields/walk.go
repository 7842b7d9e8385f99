package fields

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// MessageField is one field of a message.
type MessageField struct {
	Message string // full name
	Name    string
	Holds   string // the full name of the message in it (a map's values); "" for none
}

// Walk lists every field of every message that can be reached from the roots,
// sorted, and once. A google.protobuf.Any ends the walk, so the extensions' own
// messages are roots of their own. Messages of google.protobuf, xds and udpa end
// it too, and so does RouteConfiguration, for which package route answers.
func Walk(roots ...protoreflect.MessageDescriptor) []MessageField {
	var out []MessageField
	traverse(roots, func(d protoreflect.MessageDescriptor, _ string, fd protoreflect.FieldDescriptor) bool {
		out = append(out, MessageField{Message: string(d.FullName()), Name: string(fd.Name()), Holds: holds(fd)})
		return true
	}, func(message, _ string) string { return message }, func(string) bool { return false })
	slices.SortFunc(out, func(a, b MessageField) int {
		return cmp.Or(cmp.Compare(a.Message, b.Message), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Missing names every field that can be reached from the roots, as Walk does,
// and that the table says nothing about, sorted; and roots without fields that
// are not listed with Rest. What an unsupported field holds
// is not walked: whoever sets something in there has set that field.
func (t *Table) Missing(roots ...protoreflect.MessageDescriptor) []string {
	missing := map[string]bool{}
	t.reach(roots, func(name string, ok bool) {
		if !ok {
			missing[name] = true
		}
	})
	for _, d := range roots {
		if name := string(d.FullName()); d.Fields().Len() == 0 && !t.lists(name) {
			missing[name+"."+Rest] = true
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// Unreached names every entry of the table that no walk from the roots needs,
// sorted. Entries of messages without a Go type are not among them, nor those
// within an unsupported field.
func (t *Table) Unreached(roots ...protoreflect.MessageDescriptor) []string {
	reached := map[string]bool{}
	t.reach(roots, func(name string, _ bool) { reached[name] = true })
	var out []string
	for _, entries := range t.messages {
		for _, f := range entries {
			name, _, _ := strings.Cut(f.Name, "=")
			if !strings.Contains(f.Message, "/") && !t.pruned(f.Within) && !reached[f.Message+"."+name] {
				out = append(out, fullName(f))
			}
		}
	}
	slices.Sort(out)
	return out
}

func (t *Table) pruned(field string) bool {
	at := strings.LastIndexByte(field, '.')
	return at > 0 && t.at(field[:at], "")[field[at+1:]].Text != ""
}

func (t *Table) reach(roots []protoreflect.MessageDescriptor, found func(name string, ok bool)) {
	traverse(roots, func(d protoreflect.MessageDescriptor, via string, fd protoreflect.FieldDescriptor) bool {
		entry, ok := t.at(string(d.FullName()), via)[string(fd.Name())]
		found(string(fd.FullName()), ok)
		return entry.Text == ""
	}, func(message, via string) string {
		if t.messages[place{message, via}] == nil {
			return message
		}
		return message + " " + via
	}, t.lists)
}

// lists tells whether a message that would end a walk has entries of its own.
func (t *Table) lists(message string) bool { return t.messages[place{message, ""}] != nil }

// traverse visits every field that can be reached, through those for which visit
// is true; identity says which visits of a message are the same.
func traverse(roots []protoreflect.MessageDescriptor, visit func(d protoreflect.MessageDescriptor, via string, fd protoreflect.FieldDescriptor) bool,
	identity func(message, via string) string, beyond func(message string) bool) {
	seen := map[string]bool{}
	var walk func(d protoreflect.MessageDescriptor, via string)
	walk = func(d protoreflect.MessageDescriptor, via string) {
		id := identity(string(d.FullName()), via)
		if seen[id] {
			return
		}
		seen[id] = true
		for i := range d.Fields().Len() {
			fd := d.Fields().Get(i)
			inner := held(fd)
			if visit(d, via, fd) && inner != nil && (!ends(string(inner.FullName())) || beyond(string(inner.FullName()))) {
				walk(inner, string(fd.FullName()))
			}
		}
	}
	for _, d := range roots {
		walk(d, "")
	}
}

// ends tells of messages into which no walk goes unless the table has entries
// for them: the well-known types, and what is package route's.
func ends(message string) bool {
	return message == "envoy.config.route.v3.RouteConfiguration" ||
		strings.HasPrefix(message, "google.protobuf.") || strings.HasPrefix(message, "xds.") || strings.HasPrefix(message, "udpa.")
}

// held is the message in a field, or in the values of a map; nil for none.
func held(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if fd.IsMap() {
		return fd.MapValue().Message()
	}
	return fd.Message()
}

func holds(fd protoreflect.FieldDescriptor) string {
	if d := held(fd); d != nil {
		return string(d.FullName())
	}
	return ""
}
