package xds

import (
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// need is a resource without which another one does not work.
type need struct {
	key
	// timeout is how long to wait for it; 0 for the client's.
	timeout time.Duration
	// optional needs are asked for and not waited for.
	optional bool
	// types are those that a filter's configuration may have; nil for any.
	types []string
}

// references is what a resource names.
type references struct {
	needs []need
	// uses are the clusters that traffic goes to.
	uses []string
}

// referencesOf finds what m names: a cluster its endpoints, a listener its
// routes and filters, both their secrets, a route configuration its clusters.
func referencesOf(m proto.Message) references {
	r := &references{}
	if c, ok := m.(*clusterv3.Cluster); ok && c.GetType() == clusterv3.Cluster_EDS {
		name := c.GetEdsClusterConfig().GetServiceName()
		if name == "" {
			name = c.GetName()
		}
		r.need(endpoints, name, c.GetEdsClusterConfig().GetEdsConfig())
	}
	r.walk(m.ProtoReflect())
	slices.Sort(r.uses)
	r.uses = slices.Compact(r.uses)
	return *r
}

// need notes a resource once, and gives it for more to be said. What comes from
// a file or another server is named by package fields, and not there.
func (r *references) need(k kind, name string, source *corev3.ConfigSource) *need {
	switch source.GetConfigSourceSpecifier().(type) {
	case *corev3.ConfigSource_Path, *corev3.ConfigSource_PathConfigSource, *corev3.ConfigSource_ApiConfigSource:
		return &need{}
	}
	for i, n := range r.needs {
		if n.kind == k && n.name == name {
			return &r.needs[i]
		}
	}
	r.needs = append(r.needs, need{key: key{k, name}, timeout: source.GetInitialFetchTimeout().AsDuration()})
	return &r.needs[len(r.needs)-1]
}

// walk goes through a message and the configurations of its extensions.
func (r *references) walk(m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *anypb.Any:
		// What cannot be read here is named by package fields.
		if inner, err := m.UnmarshalNew(); err == nil {
			r.walk(inner.ProtoReflect())
		}
		return
	case *hcmv3.HttpConnectionManager:
		if rds := m.GetRds(); rds != nil {
			r.need(routes, rds.GetRouteConfigName(), rds.GetConfigSource())
		}
	case *tlsv3.SdsSecretConfig:
		if remote(m) {
			r.need(secrets, m.GetName(), m.GetSdsConfig())
		}
	case *tcpv3.TcpProxy:
		r.use(m.GetCluster())
	case *tcpv3.TcpProxy_WeightedCluster_ClusterWeight:
		r.use(m.GetName())
	case *routev3.RouteAction:
		r.use(m.GetCluster())
	case *routev3.WeightedCluster_ClusterWeight:
		r.use(m.GetName())
	case *routev3.RouteAction_RequestMirrorPolicy:
		r.use(m.GetCluster())
	}
	r.discovery(m)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { r.walk(v.Message()); return true })
			}
		case fd.Message() == nil || strings.HasPrefix(string(fd.Message().FullName()), "google.protobuf.") && fd.Message().Name() != "Any":
		case fd.IsList():
			for i := range v.List().Len() {
				r.walk(v.List().Get(i).Message())
			}
		default:
			r.walk(v.Message())
		}
		return true
	})
}

func (r *references) use(cluster string) {
	if cluster != "" {
		r.uses = append(r.uses, cluster)
	}
}

// discovery finds a filter whose configuration comes by itself (ECDS).
func (r *references) discovery(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	config, name := fields.ByName("config_discovery"), fields.ByName("name")
	if config == nil || name == nil || !m.Has(config) {
		return
	}
	source, ok := m.Get(config).Message().Interface().(*corev3.ExtensionConfigSource)
	if !ok {
		return
	}
	n := r.need(filters, m.Get(name).String(), source.GetConfigSource())
	n.types = source.GetTypeUrls()
	n.optional = source.GetApplyDefaultConfigWithoutWarming() && source.GetDefaultConfig() != nil
}

// remote tells whether istiod has a secret. Those of Istio's agent ("default",
// "ROOTCA", and the files that it reads) come from the workload's certificate,
// over the agent's own socket: the lab has no such certificates yet, and this is
// where their source will be asked.
func remote(s *tlsv3.SdsSecretConfig) bool {
	return s.GetSdsConfig().GetAds() != nil && s.GetName() != "default" && s.GetName() != "ROOTCA"
}
