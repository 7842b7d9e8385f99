package routercheck

import (
	"sync"

	// The messages that the tool's own refer to.
	_ "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// Message types that fields refer to.
const (
	headerValue   = ".envoy.config.core.v3.HeaderValue"
	headerMatcher = ".envoy.config.route.v3.HeaderMatcher"
	stringValue   = ".google.protobuf.StringValue"
	pkg           = "envoy.RouterCheckToolSchema"
)

// field is one line of a message: its type is a message's name, or one of
// string, bool and uint64.
type field struct {
	name     string
	number   int32
	kind     string
	repeated bool
}

// messages are those of the tool's validation.proto, for which there is no Go
// package, with the fields of its older releases. Only names count: the files
// are text.
var messages = map[string][]field{
	"Validation": {{"tests", 1, "." + pkg + ".ValidationItem", true}},
	"ValidationItem": {
		{"test_name", 1, "string", false},
		{"input", 2, "." + pkg + ".ValidationInput", false},
		{"validate", 3, "." + pkg + ".ValidationAssert", false},
	},
	"ValidationInput": {
		{"authority", 1, "string", false},
		{"path", 2, "string", false},
		{"method", 4, "string", false},
		{"random_value", 5, "uint64", false},
		{"ssl", 6, "bool", false},
		{"internal", 7, "bool", false},
		{"additional_request_headers", 10, headerValue, true},
		{"additional_response_headers", 11, headerValue, true},
		{"runtime", 12, "string", false},
		{"additional_headers", 100, headerValue, true},
	},
	"ValidationAssert": {
		{"cluster_name", 1, stringValue, false},
		{"virtual_cluster_name", 2, stringValue, false},
		{"virtual_host_name", 3, stringValue, false},
		{"host_rewrite", 4, stringValue, false},
		{"path_rewrite", 5, stringValue, false},
		{"path_redirect", 6, stringValue, false},
		{"request_header_fields", 7, headerValue, true},
		{"response_header_fields", 8, headerValue, true},
		{"request_header_matches", 9, headerMatcher, true},
		{"response_header_matches", 10, headerMatcher, true},
		{"header_fields", 100, headerValue, true},
		{"custom_header_fields", 101, headerValue, true},
	},
}

// schema is the descriptor of the Validation message, made on first use.
var schema = sync.OnceValues(func() (protoreflect.FileDescriptor, error) {
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("test/tools/router_check/validation.proto"), Package: proto.String(pkg), Syntax: proto.String("proto3"),
		Dependency: []string{
			"envoy/config/core/v3/base.proto", "envoy/config/route/v3/route_components.proto", "google/protobuf/wrappers.proto",
		},
	}
	for _, name := range []string{"Validation", "ValidationItem", "ValidationInput", "ValidationAssert"} {
		m := &descriptorpb.DescriptorProto{Name: proto.String(name)}
		for _, f := range messages[name] {
			m.Field = append(m.Field, f.descriptor())
		}
		file.MessageType = append(file.MessageType, m)
	}
	return protodesc.NewFile(file, protoregistry.GlobalFiles)
})

func (f field) descriptor() *descriptorpb.FieldDescriptorProto {
	d := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(f.name), Number: proto.Int32(f.number), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if f.repeated {
		d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	switch f.kind {
	case "string":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	case "bool":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum()
	case "uint64":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum()
	default:
		d.Type, d.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(f.kind)
	}
	return d
}

// message is the descriptor of one of the tool's messages.
func message(name string) (protoreflect.MessageDescriptor, error) {
	file, err := schema()
	if err != nil {
		return nil, err
	}
	return file.Messages().ByName(protoreflect.Name(name)), nil
}
