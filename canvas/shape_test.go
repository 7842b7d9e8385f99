package canvas_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	extensions "istio.io/api/extensions/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	networkingbeta "istio.io/api/networking/v1beta1"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// istioKinds are Istio's kinds with the messages of their spec.
var istioKinds = map[string]proto.Message{
	"networking.istio.io/DestinationRule":     &networking.DestinationRule{},
	"networking.istio.io/EnvoyFilter":         &networking.EnvoyFilter{},
	"networking.istio.io/Gateway":             &networking.Gateway{},
	"networking.istio.io/ProxyConfig":         &networkingbeta.ProxyConfig{},
	"networking.istio.io/ServiceEntry":        &networking.ServiceEntry{},
	"networking.istio.io/Sidecar":             &networking.Sidecar{},
	"networking.istio.io/VirtualService":      &networking.VirtualService{},
	"networking.istio.io/WorkloadEntry":       &networking.WorkloadEntry{},
	"networking.istio.io/WorkloadGroup":       &networking.WorkloadGroup{},
	"security.istio.io/AuthorizationPolicy":   &security.AuthorizationPolicy{},
	"security.istio.io/PeerAuthentication":    &security.PeerAuthentication{},
	"security.istio.io/RequestAuthentication": &security.RequestAuthentication{},
	"telemetry.istio.io/Telemetry":            &telemetry.Telemetry{},
	"extensions.istio.io/WasmPlugin":          &extensions.WasmPlugin{},
}

func TestShapesAreIstiosOwn(t *testing.T) {
	lines := map[string]string{}
	for kind, message := range istioKinds {
		name := string(message.ProtoReflect().Descriptor().FullName())
		lines[kind] = kind + " spec:" + name
		describe(message.ProtoReflect().Descriptor(), lines)
	}
	var b strings.Builder
	b.WriteString("# Fields of Istio's kinds, made from istio.io/api: go test ./canvas -run Shapes -update\n")
	for _, l := range slices.Sorted(maps.Values(lines)) {
		b.WriteString(l + "\n")
	}
	if *update {
		if err := os.WriteFile("istio.shapes", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("istio.shapes")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.String(), string(got)); d != "" {
		t.Errorf("istio.shapes is not what istio.io/api says; run with -update (-want +got):\n%s", d)
	}
}

func describe(d protoreflect.MessageDescriptor, lines map[string]string) {
	name := string(d.FullName())
	if _, ok := lines[name]; ok {
		return
	}
	lines[name] = ""
	words := []string{name}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		prefix := ""
		switch {
		case f.IsMap():
			prefix, f = "{}", f.MapValue()
			words = append(words, d.Fields().Get(i).JSONName()+":"+prefix+typeOf(f, lines))
			continue
		case f.IsList():
			prefix = "[]"
		}
		words = append(words, f.JSONName()+":"+prefix+typeOf(f, lines))
	}
	lines[name] = strings.Join(words, " ")
}

func typeOf(f protoreflect.FieldDescriptor, lines map[string]string) string {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return "bool"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return "string"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "float"
	case protoreflect.EnumKind:
		var names []string
		for i := range f.Enum().Values().Len() {
			names = append(names, string(f.Enum().Values().Get(i).Name()))
		}
		return strings.Join(names, "|")
	case protoreflect.MessageKind:
		switch name := string(f.Message().FullName()); name {
		case "google.protobuf.Duration":
			return "duration"
		case "google.protobuf.Timestamp":
			return "time"
		case "google.protobuf.BoolValue":
			return "bool"
		case "google.protobuf.StringValue":
			return "string"
		case "google.protobuf.DoubleValue", "google.protobuf.FloatValue":
			return "float"
		case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
			return "any"
		case "google.protobuf.Int32Value", "google.protobuf.UInt32Value", "google.protobuf.Int64Value", "google.protobuf.UInt64Value":
			return "int"
		default:
			describe(f.Message(), lines)
			return name
		}
	default:
		return "int"
	}
}
