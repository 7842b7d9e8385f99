package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"

	"istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config/analysis/diag"
)

var unknownField = regexp.MustCompile(`unknown field "([^"]+)" in ([\w.]+)`)

// unknownFields names all fields of an EnvoyFilter's patch that Envoy's message
// does not have. Istio names the one that it meets first in a map, which is
// another one each time.
func unknownFields(m diag.Message) (string, bool) {
	filter, ok := m.Resource.Message.(*v1alpha3.EnvoyFilter)
	if !ok {
		return "", false
	}
	text := strings.TrimSpace(fmt.Sprintf(m.Type.Template(), m.Parameters...))
	return unknownField.ReplaceAllStringFunc(text, func(found string) string {
		parts := unknownField.FindStringSubmatch(found)
		message, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(parts[2]))
		if err != nil {
			return found
		}
		for _, p := range filter.GetConfigPatches() {
			if names := strangers(p.GetPatch().GetValue(), parts[1], message.Descriptor()); len(names) > 0 {
				return fmt.Sprintf("unknown field %s in %s", strings.Join(names, ", "), parts[2])
			}
		}
		return found
	}), true
}

// strangers are the keys that a message does not have, sorted and quoted, of
// the first object in a value that has the given key among them.
func strangers(value *structpb.Struct, name string, message protoreflect.MessageDescriptor) []string {
	var all []string
	keys := make([]string, 0, len(value.GetFields()))
	for k := range value.GetFields() {
		keys = append(keys, k)
		if message.Fields().ByTextName(k) == nil && message.Fields().ByJSONName(k) == nil && k != "@type" {
			all = append(all, fmt.Sprintf("%q", k))
		}
	}
	if _, has := value.GetFields()[name]; has {
		slices.Sort(all)
		return all
	}
	slices.Sort(keys)
	for _, k := range keys {
		for _, v := range append(value.GetFields()[k].GetListValue().GetValues(), value.GetFields()[k]) {
			if found := strangers(v.GetStructValue(), name, message); len(found) > 0 {
				return found
			}
		}
	}
	return nil
}
