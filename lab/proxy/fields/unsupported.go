package fields

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
)

// Unsupported walks what is set in m, typed_config included, and says what the
// proxy does not evaluate although it changes what becomes of the traffic:
// "unsupported: TEXT: Message.field (listener virtualInbound)", or
// "unsupported: http filter envoy.filters.http.lua (listener virtualInbound)"
// where a whole extension is not known. The texts are sorted and unique.
func (t *Table) Unsupported(m proto.Message) []string { return t.tell(m, unsupported) }

// NotShown is Unsupported for what changes no traffic.
func (t *Table) NotShown(m proto.Message) []string { return t.tell(m, notShown) }

func (t *Table) tell(m proto.Message, prefix string) []string {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	v := &visitor{table: t, prefix: prefix, where: where(m.ProtoReflect()), found: map[string]bool{}}
	v.message(m.ProtoReflect(), "", "")
	return slices.Sorted(maps.Keys(v.found))
}

type visitor struct {
	table         *Table
	prefix, where string
	found         map[string]bool
}

// add notes what an entry says about a field.
func (v *visitor) add(f Field, field string) {
	text := f.Text
	if !strings.Contains(text, field) {
		text += ": " + short(f.Message) + "." + field
	}
	v.say(text)
}

func (v *visitor) say(text string) {
	if !strings.HasPrefix(text, v.prefix) {
		return
	}
	if v.where != "" {
		text += " (" + v.where + ")"
	}
	v.found[text] = true
}

// message walks m, which the field via holds; extension says what is configured
// where m is the Any in an extension's typed_config.
func (v *visitor) message(m protoreflect.Message, via, extension string) {
	name := string(m.Descriptor().FullName())
	switch name {
	case "google.protobuf.Any":
		v.any(m, via, extension)
		return
	case "udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct":
		v.typedStruct(m, via, extension)
		return
	}
	entries := v.table.at(name, via)
	if entries == nil {
		// A message without fields says all by being there, in a field that is
		// evaluated; as a configuration it must be listed.
		if !ends(name) && (via == "" || m.Descriptor().Fields().Len() > 0) {
			v.unknown(name, extension)
		}
		return
	}
	extension = extensionName(m)
	if config := m.Descriptor().Fields().ByName("typed_config"); extension != "" && config != nil && bare(m, config) {
		v.say(unsupported + extension + " without a configuration")
	}
	m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		v.field(entries, fd, value, extension)
		return true
	})
	v.newer(m, name)
}

func (v *visitor) field(entries map[string]Field, fd protoreflect.FieldDescriptor, value protoreflect.Value, extension string) {
	name := string(fd.Name())
	entry, ok := entries[name]
	if !ok {
		v.say(unsupported + short(string(fd.ContainingMessage().FullName())) + "." + name)
		return
	}
	if entry.Text != "" {
		v.add(entry, name)
		return
	}
	via := string(fd.FullName())
	switch {
	case fd.IsMap():
		value.Map().Range(func(key protoreflect.MapKey, inner protoreflect.Value) bool {
			if fd.MapValue().Message() != nil {
				v.message(inner.Message(), via, strings.ReplaceAll(name, "_", " ")+" "+key.String())
			}
			return true
		})
	case fd.IsList():
		for i := range value.List().Len() {
			v.value(entries, fd, value.List().Get(i), extension)
		}
	default:
		v.value(entries, fd, value, extension)
	}
}

// value walks one value of a field that is evaluated.
func (v *visitor) value(entries map[string]Field, fd protoreflect.FieldDescriptor, value protoreflect.Value, extension string) {
	text := ""
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if fd.Message().FullName() != "google.protobuf.Any" {
			extension = ""
		}
		v.message(value.Message(), string(fd.FullName()), extension)
		return
	case protoreflect.EnumKind:
		text = fmt.Sprint(value.Enum())
		if d := fd.Enum().Values().ByNumber(value.Enum()); d != nil {
			text = string(d.Name())
		} else {
			v.say(fmt.Sprintf("%s%s.%s=%s", unsupported, short(string(fd.ContainingMessage().FullName())), fd.Name(), text))
		}
	case protoreflect.BoolKind:
		text = fmt.Sprint(value.Bool())
	}
	name := string(fd.Name()) + "=" + text
	if entry, ok := entries[name]; ok && entry.Text != "" {
		v.add(entry, name)
	}
}

func (v *visitor) any(m protoreflect.Message, via, extension string) {
	fields := m.Descriptor().Fields()
	url := m.Get(fields.ByName("type_url")).String()
	mt, err := protoregistry.GlobalTypes.FindMessageByURL(url)
	if err != nil {
		v.unknown(url, extension)
		return
	}
	inner := mt.New()
	if err := proto.Unmarshal(m.Get(fields.ByName("value")).Bytes(), inner.Interface()); err != nil {
		v.say(unsupported + "a value that is not of its type " + url)
		return
	}
	v.configuration(inner, via, extension)
}

// configuration walks what an Any or a TypedStruct holds.
func (v *visitor) configuration(m protoreflect.Message, via, extension string) {
	name := string(m.Descriptor().FullName())
	if m.Descriptor().Fields().Len() == 0 && v.table.at(name, via) == nil && !ends(name) {
		v.unknown(name, extension)
		return
	}
	v.message(m, via, extension)
}

// typedStruct walks a message that is sent as JSON: by its Go type where there is
// one, else by the names that the table has for its type URL.
func (v *visitor) typedStruct(m protoreflect.Message, via, extension string) {
	fields := m.Descriptor().Fields()
	url := m.Get(fields.ByName("type_url")).String()
	value, _ := m.Get(fields.ByName("value")).Message().Interface().(*structpb.Struct)
	if mt, err := protoregistry.GlobalTypes.FindMessageByURL(url); err == nil {
		inner := mt.New()
		data, err := json.Marshal(value.AsMap())
		if err == nil {
			err = protojson.Unmarshal(data, inner.Interface())
		}
		if err != nil {
			v.say(unsupported + "a value that is not of its type " + url)
			return
		}
		v.configuration(inner, via, extension)
		return
	}
	entries := v.table.at(url, via)
	if entries == nil {
		v.unknown(url, extension)
		return
	}
	for name := range value.GetFields() {
		entry, ok := entries[name]
		if !ok {
			entry, ok = entries[Rest]
		}
		if !ok {
			v.say(unsupported + short(url) + "." + name)
		} else if entry.Text != "" {
			v.add(entry, name)
		}
	}
}

// unknown reports a message of which the table has nothing. Envoy's own
// extensions are told by their names, which say what they are; others also by
// their type.
func (v *visitor) unknown(message, extension string) {
	switch {
	case extension == "":
		v.say(unsupported + message)
	case strings.Contains(extension, " envoy."):
		v.say(unsupported + extension)
	default:
		v.say(unsupported + extension + ", " + message[strings.LastIndexByte(message, '/')+1:])
	}
}

// newer reports fields that a newer control plane has sent.
func (v *visitor) newer(m protoreflect.Message, name string) {
	for raw := m.GetUnknown(); len(raw) > 0; {
		number, _, n := protowire.ConsumeField(raw)
		if n < 0 {
			return
		}
		v.say(fmt.Sprintf("%sfield %d of %s, unknown to this version of Envoy's API", unsupported, number, name))
		raw = raw[n:]
	}
}
