// Package fields knows of every field of Envoy's listener, HTTP connection
// manager, cluster and endpoint messages, and of the extensions that Istio
// sends, whether the proxy evaluates it. Every part of the proxy brings its own
// list (its function Fields); the table puts them together, a test holds it to
// Envoy's protobuf descriptors, and Unsupported walks what istiod really sent.
package fields

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/route"
)

// Field is how one field of a message is dealt with; see route.Field. For the
// proxy, Text begins with "unsupported: " or, for what changes no traffic (names
// of statistics and the like), with "not shown: ".
//
// Message is the protobuf full name, or, for a message that istiod sends as a
// TypedStruct and that has no Go type, its type URL
// ("type.googleapis.com/io.istio.http.peer_metadata.Config"); the fields of such
// a message are named as in the struct, those that no list names are unsupported.
//
// Name is the field, Rest, or "field=VALUE" for one value of an enumeration or
// of a boolean of a field that is otherwise evaluated
// ("lb_policy=MAGLEV").
//
// Within is the full name of a field ("…TlsCertificate.private_key"): the entry
// counts only for a message that this field holds itself, and before entries
// without Within. So two parts can deal differently with a shared message such
// as envoy.config.core.v3.DataSource.
type Field = route.Field

// Rest stands for all fields of a message that no list names. An extension whose
// configuration has no fields (HttpInspector) is listed by it alone:
// Evaluated(message, testCase, Rest).
const Rest = "*"

const (
	unsupported = "unsupported: "
	notShown    = "not shown: "
)

// Evaluated lists fields of a message that one test shows ("TestX/name of the
// case").
func Evaluated(message, testCase string, names ...string) []Field {
	var out []Field
	for _, name := range names {
		out = append(out, Field{Message: message, Name: name, Case: testCase})
	}
	return out
}

// Unsupported lists fields of a message that the proxy does not evaluate, though
// they change what becomes of the traffic. The text says what is missing, with or
// without "unsupported: " before it; the field's name is added where it is shown.
// An empty text is the message and the field. What an unsupported field holds
// needs no entries.
func Unsupported(message, text string, names ...string) []Field {
	return told(unsupported, message, text, names)
}

// NotShown lists fields that the proxy does not evaluate and that change no
// traffic: names of statistics, hints for performance. Unsupported, the method,
// leaves them out.
func NotShown(message, text string, names ...string) []Field {
	return told(notShown, message, text, names)
}

// Within gives the lists' entries for the messages that one field holds; see
// Field.
func Within(field string, lists ...[]Field) []Field {
	out := slices.Concat(lists...)
	for i := range out {
		out[i].Within = field
	}
	return out
}

func told(prefix, message, text string, names []string) []Field {
	if !strings.HasPrefix(text, prefix) {
		text = prefix + text
	}
	var out []Field
	for _, name := range names {
		f := Field{Message: message, Name: name, Text: text}
		if text == prefix && name != Rest {
			f.Text += short(message) + "." + name
		}
		out = append(out, f)
	}
	return out
}

// short is a message's name without its package: "RouteAction.HashPolicy".
func short(message string) string {
	message = message[strings.LastIndexByte(message, '/')+1:]
	parts := strings.Split(message, ".")
	for i, part := range parts {
		if part != "" && part[0] >= 'A' && part[0] <= 'Z' {
			return strings.Join(parts[i:], ".")
		}
	}
	return message
}
