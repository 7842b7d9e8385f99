package routes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// text writes a message on one line, the same for equal messages. (protojson
// and prototext vary their spaces on purpose.)
func text(m proto.Message) string {
	if m == nil || !m.ProtoReflect().IsValid() {
		return ""
	}
	var b strings.Builder
	writeMessage(&b, m.ProtoReflect())
	return b.String()
}

func writeMessage(b *strings.Builder, m protoreflect.Message) {
	switch known := m.Interface().(type) {
	case *durationpb.Duration:
		b.WriteString(known.AsDuration().String())
		return
	case *anypb.Any:
		inner, err := known.UnmarshalNew()
		if err != nil {
			fmt.Fprintf(b, "%s %x", known.GetTypeUrl(), known.GetValue())
			return
		}
		b.WriteString(string(inner.ProtoReflect().Descriptor().Name()) + " ")
		writeMessage(b, inner.ProtoReflect())
		return
	}
	fields := m.Descriptor().Fields()
	if isWrapper(m.Descriptor()) {
		writeValue(b, fields.Get(0), m.Get(fields.Get(0)))
		return
	}
	b.WriteByte('{')
	first := true
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(string(f.Name()) + ": ")
		writeField(b, f, m.Get(f))
	}
	b.WriteByte('}')
}

func isWrapper(d protoreflect.MessageDescriptor) bool {
	return d.ParentFile().Path() == "google/protobuf/wrappers.proto"
}

func writeField(b *strings.Builder, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case f.IsMap():
		var parts []string
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			var entry strings.Builder
			entry.WriteString(k.String() + ": ")
			writeValue(&entry, f.MapValue(), v)
			parts = append(parts, entry.String())
			return true
		})
		slices.Sort(parts)
		b.WriteString("{" + strings.Join(parts, ", ") + "}")
	case f.IsList():
		b.WriteByte('[')
		for i := range v.List().Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			writeValue(b, f, v.List().Get(i))
		}
		b.WriteByte(']')
	default:
		writeValue(b, f, v)
	}
}

func writeValue(b *strings.Builder, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		writeMessage(b, v.Message())
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			b.WriteString(string(e.Name()))
		} else {
			b.WriteString(strconv.Itoa(int(v.Enum())))
		}
	case protoreflect.StringKind:
		b.WriteString(strconv.Quote(v.String()))
	case protoreflect.BytesKind:
		b.WriteString(strconv.Quote(string(v.Bytes())))
	default:
		b.WriteString(v.String())
	}
}

// raw is equal for equal messages, and only then.
func raw(m proto.Message) string {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // text that is no UTF-8
		return text(m)
	}
	return string(data)
}
