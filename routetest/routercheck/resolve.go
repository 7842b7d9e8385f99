package routercheck

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// types finds the messages in Any values. Those that nobody here knows become
// empty messages of their name, so that the rest of a file can be used.
type types struct {
	empty map[protoreflect.FullName]protoreflect.MessageType
	notes []string
}

func newTypes() *types { return &types{empty: map[protoreflect.FullName]protoreflect.MessageType{}} }

func (t *types) leaveOut(name protoreflect.FullName, note string) {
	if t.empty[name] != nil {
		return
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("unknown/" + string(name)), Package: proto.String(string(name.Parent())), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String(string(name.Name()))}},
	}, nil)
	if err != nil {
		return // then protojson does not find it, and says so
	}
	t.empty[name] = dynamicpb.NewMessageType(file.Messages().Get(0))
	t.notes = append(t.notes, note)
}

// FindMessageByName is part of protojson's resolver.
func (t *types) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if mt := t.empty[name]; mt != nil {
		return mt, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// FindMessageByURL is part of protojson's resolver.
func (t *types) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return t.FindMessageByName(protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:]))
}

// FindExtensionByName is part of protojson's resolver.
func (t *types) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

// FindExtensionByNumber is part of protojson's resolver.
func (t *types) FindExtensionByNumber(message protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(message, number)
}
