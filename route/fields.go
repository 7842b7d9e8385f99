package route

//go:generate go run ../internal/gen/routes

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Field says how one field of Envoy's configuration is dealt with: it is either
// evaluated or not.
type Field struct {
	Message string // the message's full name
	Name    string
	// Case is the test that shows how the field is evaluated, as "TestX/name of
	// the case"; "" where it is not evaluated.
	Case string
	// Text is what an answer says where the field is set and not evaluated: it
	// begins with "unsupported: ", or with "not shown: " where the field does
	// not change what becomes of the request.
	Text string
	// Within is the field by which alone the message can be reached, where that
	// field is not evaluated.
	Within string
}

// Fields lists every field of every message that a RouteConfiguration can hold,
// message by message. A test holds the list to Envoy's protobuf descriptors.
func Fields() []Field { return slices.Clone(allFields()) }

// messageFields is a message of the table.
type messageFields struct {
	message string
	within  string // the unsupported field that the message belongs to
	fields  []fieldSupport
}

type fieldSupport struct {
	name string
	// evaluated is the test case, and text what the answer says otherwise.
	evaluated, text string
}

var allFields = sync.OnceValue(func() []Field {
	var out []Field
	texts := map[string]string{}
	for _, m := range fieldTable() {
		for _, f := range m.fields {
			out = append(out, Field{Message: m.message, Name: f.name, Case: f.evaluated, Text: f.text})
			texts[m.message+"."+f.name] = f.text
		}
		if m.within != "" {
			out = append(out, within(m, texts[m.within])...)
		}
	}
	return out
})

func fieldTable() []messageFields {
	return slices.Concat(configFields(), matchFields(), actionFields(), filterFields(), withinFields())
}

// within lists a message that is reached by an unsupported field only: whoever
// sets one of its fields has set that one.
func within(m messageFields, text string) []Field {
	d, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(m.message))
	if err != nil {
		return nil // found by the test
	}
	var out []Field
	fields := d.Descriptor().Fields()
	for i := range fields.Len() {
		out = append(out, Field{Message: m.message, Name: string(fields.Get(i).Name()), Text: text, Within: m.within})
	}
	return out
}
