package server

import (
	"errors"
	"fmt"
	"os"

	udpatypev1 "github.com/cncf/xds/go/udpa/type/v1"
	xdstypev3 "github.com/cncf/xds/go/xds/type/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	directresponsev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/direct_response/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	sniclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_cluster/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	statsv3 "istio.io/api/envoy/extensions/stats"
)

// typeName is the message that an Any holds, inside a TypedStruct too.
func typeName(any *anypb.Any) string {
	name := string(any.MessageName())
	inner := ""
	switch name {
	case "udpa.type.v1.TypedStruct":
		m := &udpatypev1.TypedStruct{}
		if any.UnmarshalTo(m) == nil {
			inner = m.GetTypeUrl()
		}
	case "xds.type.v3.TypedStruct":
		m := &xdstypev3.TypedStruct{}
		if any.UnmarshalTo(m) == nil {
			inner = m.GetTypeUrl()
		}
	}
	if inner != "" {
		return string((&anypb.Any{TypeUrl: inner}).MessageName())
	}
	return name
}

// addFilter compiles one network filter. A filter that the proxy does not know
// closes the chain's connections: what it would have refused must not pass.
func (c *chain) addFilter(f *listenerv3.Filter, ecds map[string]*corev3.TypedExtensionConfig) error {
	any := f.GetTypedConfig()
	if d := f.GetConfigDiscovery(); d != nil {
		ext := ecds[f.GetName()]
		c.ecds[f.GetName()] = ext
		if any = ext.GetTypedConfig(); any == nil {
			any = d.GetDefaultConfig()
		}
	}
	if any == nil {
		c.refuseWith(fmt.Sprintf("network filter %s has no configuration", f.GetName()))
		return nil
	}
	switch typeName(any) {
	case "envoy.tcp.metadataexchange.config.MetadataExchange":
		return nil // it speaks only over mTLS, by the ALPN istio-peer-exchange
	case "io.istio.network.forward_downstream_sni.Config", "istio.envoy.config.filter.network.forward_downstream_sni.v2alpha1.FilterConfig",
		"io.istio.tcp.forward_downstream_sni.v1.Config":
		return nil // the ClientHello is passed through as it is
	}
	m, err := any.UnmarshalNew()
	if err != nil || typeName(any) != string(any.MessageName()) {
		c.refuseWith(fmt.Sprintf("network filter %s (%s) is not supported", f.GetName(), typeName(any)))
		return nil //nolint:nilerr // the chain refuses its connections, and says why
	}
	return c.addKnown(f.GetName(), m, ecds)
}

func (c *chain) addKnown(name string, m proto.Message, ecds map[string]*corev3.TypedExtensionConfig) (err error) {
	switch m := m.(type) {
	case *statsv3.PluginConfig:
		stats, err := c.s.o.Telemetry.Stats(m)
		if err != nil {
			return err
		}
		c.stats = append(c.stats, stats)
	case *connectionlimitv3.ConnectionLimit:
		if m.GetMaxConnections().GetValue() == 0 {
			return errors.New("max_connections must be at least 1")
		}
		if e := m.GetRuntimeEnabled(); e != nil && !e.GetDefaultValue().GetValue() {
			return nil
		}
		c.limits = append(c.limits, &connectionLimit{max: m.GetMaxConnections().GetValue(), delay: m.GetDelay().AsDuration()})
	case *sniclusterv3.SniCluster:
		c.byServer = true
	case *directresponsev3.Config:
		c.hasDirect = true
		c.direct, err = c.s.secrets.data(m.GetResponse())
	case *tcpproxyv3.TcpProxy:
		if c.tcp, err = c.newTCPProxy(m); err == nil {
			c.access = c.tcp.access
		}
	case *hcmv3.HttpConnectionManager:
		if c.manager, err = c.newManager(m, ecds); err == nil {
			c.access = c.manager.access
		}
	default:
		c.refuseWith(fmt.Sprintf("network filter %s (%s) is not supported", name, m.ProtoReflect().Descriptor().FullName()))
	}
	return err
}

func (c *chain) refuseWith(text string) {
	if c.refusal == "" {
		c.refusal = text
	}
}

// data reads a data source; files are the container's, as mounts show them.
func (s *secrets) data(d *corev3.DataSource) ([]byte, error) {
	switch v := d.GetSpecifier().(type) {
	case *corev3.DataSource_InlineBytes:
		return v.InlineBytes, nil
	case *corev3.DataSource_InlineString:
		return []byte(v.InlineString), nil
	case *corev3.DataSource_Filename:
		return s.file(v.Filename)
	case *corev3.DataSource_EnvironmentVariable:
		return []byte(os.Getenv(v.EnvironmentVariable)), nil
	}
	return nil, nil
}

func (s *secrets) file(name string) ([]byte, error) {
	host := name
	if s.spec != nil {
		mapped, ok := s.spec.HostPath(name)
		if !ok {
			return nil, fmt.Errorf("%s is not in any volume of the container", name)
		}
		host = mapped
	}
	return os.ReadFile(host)
}
