package fields

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Table is what all parts of the proxy say about their fields.
type Table struct {
	messages map[place]map[string]Field
}

// place is a message, or the message where one field holds it.
type place struct{ message, within string }

// NewTable puts lists together. Its error names every field that is listed
// twice, every message and field that does not exist, and every entry that has
// neither a test case nor a text that begins as Field says.
func NewTable(lists ...[]Field) (*Table, error) {
	t := &Table{messages: map[place]map[string]Field{}}
	var faults []error
	var rests []Field
	for _, f := range slices.Concat(lists...) {
		if err := check(f); err != nil {
			faults = append(faults, err)
			continue
		}
		if err := t.add(f); err != nil {
			faults = append(faults, err)
		} else if f.Name == Rest {
			rests = append(rests, f)
		}
	}
	for _, f := range rests {
		t.expand(f)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return t, nil
}

func (t *Table) add(f Field) error {
	at := place{f.Message, f.Within}
	if t.messages[at] == nil {
		t.messages[at] = map[string]Field{}
	}
	if _, twice := t.messages[at][f.Name]; twice {
		return fmt.Errorf("%s is listed twice", fullName(f))
	}
	t.messages[at][f.Name] = f
	return nil
}

// expand replaces Rest by the fields that it stands for; it stays for messages
// without a Go type, of which nobody knows the fields.
func (t *Table) expand(f Field) {
	entries := t.messages[place{f.Message, f.Within}]
	d := descriptor(f.Message)
	if d == nil {
		return
	}
	delete(entries, Rest)
	for i := range d.Fields().Len() {
		name := string(d.Fields().Get(i).Name())
		if _, named := entries[name]; named {
			continue
		}
		g := f
		g.Name = name
		if g.Text == unsupported || g.Text == notShown {
			g.Text += short(f.Message) + "." + name
		}
		entries[name] = g
	}
}

func check(f Field) error {
	if (f.Case == "") == (f.Text == "") {
		return fmt.Errorf("%s needs either a test case or a text", fullName(f))
	}
	if f.Text != "" && !strings.HasPrefix(f.Text, unsupported) && !strings.HasPrefix(f.Text, notShown) {
		return fmt.Errorf("%s: the text begins neither with %q nor with %q: %s", fullName(f), unsupported, notShown, f.Text)
	}
	if strings.Contains(f.Message, "/") {
		return nil
	}
	d := descriptor(f.Message)
	if d == nil {
		return fmt.Errorf("%s: no such message is linked into the program", f.Message)
	}
	if f.Within != "" {
		at := strings.LastIndexByte(f.Within, '.')
		if outer := descriptor(f.Within[:max(at, 0)]); outer == nil || outer.Fields().ByName(protoreflect.Name(f.Within[at+1:])) == nil {
			return fmt.Errorf("%s is said to be within %s, which does not exist", fullName(f), f.Within)
		}
	}
	name, value, hasValue := strings.Cut(f.Name, "=")
	fd := d.Fields().ByName(protoreflect.Name(name))
	switch {
	case f.Name == Rest:
		return nil
	case fd == nil:
		return fmt.Errorf("%s: no such field", fullName(f))
	case !hasValue, fd.Kind() == protoreflect.BoolKind && (value == "true" || value == "false"):
		return nil
	case fd.Kind() == protoreflect.EnumKind && fd.Enum().Values().ByName(protoreflect.Name(value)) != nil:
		return nil
	}
	return fmt.Errorf("%s: no such value", fullName(f))
}

// at gives the entries for a message that the field via holds.
func (t *Table) at(message, via string) map[string]Field {
	if entries := t.messages[place{message, via}]; via != "" && entries != nil {
		return entries
	}
	return t.messages[place{message, ""}]
}

func descriptor(message string) protoreflect.MessageDescriptor {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(message))
	if err != nil {
		return nil
	}
	return mt.Descriptor()
}

func fullName(f Field) string {
	name := f.Message + "." + f.Name
	if f.Within != "" {
		name += " (within " + f.Within + ")"
	}
	return name
}
