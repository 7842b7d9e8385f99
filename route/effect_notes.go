package route

import (
	"fmt"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// elsewhere are fields that noteFields does not go into: they belong to other
// requests, are told by the decision, or hold only where nothing more specific
// does. Who evaluates them notes their content.
var elsewhere = map[protoreflect.FullName]bool{
	"envoy.config.route.v3.RouteConfiguration.virtual_hosts":           true,
	"envoy.config.route.v3.RouteConfiguration.request_mirror_policies": true,
	"envoy.config.route.v3.VirtualHost.routes":                         true,
	"envoy.config.route.v3.VirtualHost.matcher":                        true,
	"envoy.config.route.v3.VirtualHost.virtual_clusters":               true,
	"envoy.config.route.v3.VirtualHost.cors":                           true,
	"envoy.config.route.v3.VirtualHost.retry_policy":                   true,
	"envoy.config.route.v3.VirtualHost.hedge_policy":                   true,
	"envoy.config.route.v3.VirtualHost.request_mirror_policies":        true,
	"envoy.config.route.v3.Route.match":                                true,
	"envoy.config.route.v3.RouteAction.cors":                           true,
	"envoy.config.route.v3.WeightedCluster.clusters":                   true,
	// These have texts of their own.
	"envoy.config.route.v3.WeightedCluster.use_hash_policy": true,
	"envoy.config.route.v3.RouteAction.auto_host_rewrite":   true,
	"envoy.config.route.v3.RouteAction.path_rewrite_policy": true,
}

const notShownPrefix = "not shown: "

func notShown(field, why string) string {
	return fmt.Sprintf("%s%s (%s)", notShownPrefix, field, why)
}

// texts are what the answer says of each field that is not evaluated.
var texts = sync.OnceValue(func() map[protoreflect.FullName]string {
	out := map[protoreflect.FullName]string{}
	for _, f := range allFields() {
		if f.Text != "" {
			out[protoreflect.FullName(f.Message+"."+f.Name)] = f.Text
		}
	}
	return out
})

// noteFields tells of every field that is set and that the table of fields
// calls unsupported.
func noteFields(m protoreflect.Message, say func(string)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) || elsewhere[f.FullName()] {
			continue
		}
		if text := texts()[f.FullName()]; text != "" {
			say(text + extensions(m.Get(f), f))
			continue
		}
		if f.Message() == nil {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList():
			list := m.Get(f).List()
			for i := range list.Len() {
				noteFields(list.Get(i).Message(), say)
			}
		default:
			noteFields(m.Get(f).Message(), say)
		}
	}
}

// extensions names the extensions that a field holds.
func extensions(v protoreflect.Value, f protoreflect.FieldDescriptor) string {
	if f.Message() == nil || f.IsMap() {
		return ""
	}
	var all []protoreflect.Message
	if f.IsList() {
		for i := range v.List().Len() {
			all = append(all, v.List().Get(i).Message())
		}
	} else {
		all = []protoreflect.Message{v.Message()}
	}
	text := ""
	for _, m := range all {
		switch e := m.Interface().(type) {
		case *corev3.TypedExtensionConfig:
			text += ", " + extensionName(e)
		case *anypb.Any:
			text += ", " + e.GetTypeUrl()
		}
	}
	if text == "" {
		return ""
	}
	return " (" + text[2:] + ")"
}
