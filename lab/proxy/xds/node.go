package xds

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// istioVersion is what the proxy says it is like, where ISTIO_META_ISTIO_VERSION
// does not say so.
const istioVersion = "1.31.0"

const (
	metaPrefix     = "ISTIO_META_"
	metaJSONPrefix = "ISTIO_METAJSON_"
)

// metaNames are the variables that NodeFrom looks up: every key that istiod or
// the telemetry reads of a node's metadata (istio.io/istio/pkg/model,
// BootstrapNodeMetadata). Others come in by PROXY_CONFIG's proxyMetadata, or by
// NodeFromEnviron.
var metaNames = strings.Fields(`ANNOTATIONS APP_CONTAINERS AUTO_REGISTER_GROUP BASE CLOUDRUN_ADDR CLUSTER_ID
	DISABLE_HBONE_SEND DNS_AUTO_ALLOCATE DNS_CAPTURE ENABLE_HBONE ENABLE_SELF_DISCOVERY GENERATOR HTTP10
	HTTP_PROXY_PORT IDLE_TIMEOUT INBOUND_LISTENER_EXACT_BALANCE INTERCEPTION_MODE ISTIO_PROXY_SHA ISTIO_REVISION
	ISTIO_VERSION LABELS MESH_ID NETWORK NODE_NAME OUTBOUND_LISTENER_EXACT_BALANCE OWNER POD_PORTS
	REQUESTED_NETWORK_VIEW ROUTER_MODE TLS_CLIENT_CERT_CHAIN TLS_CLIENT_KEY TLS_CLIENT_ROOT_CERT
	TLS_SERVER_CERT_CHAIN TLS_SERVER_KEY TLS_SERVER_ROOT_CERT UNPRIVILEGED_POD WORKLOAD_ENTRY WORKLOAD_NAME`)

// NodeFrom builds the node as which a pod's proxy asks istiod, from the
// environment that injection has written, as Istio's pilot-agent does
// (istio.io/istio/pkg/bootstrap, GetNodeMetaData). Labels and annotations are
// the spec's, which stand for the downward API's files.
func NodeFrom(env func(string) string, s *pod.Spec, router bool) (*corev3.Node, *ProxyConfig, error) {
	names := []string{"POD_NAME", "POD_NAMESPACE", "INSTANCE_IP", "SERVICE_ACCOUNT", "PROXY_CONFIG", "ISTIO_CPU_LIMIT",
		"EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "ENVOY_STATUS_PORT", "ENVOY_PROMETHEUS_PORT", "DNS_PROXY_ADDR"}
	for _, name := range metaNames {
		names = append(names, metaPrefix+name)
	}
	for _, name := range []string{"LABELS", "ANNOTATIONS"} {
		names = append(names, metaJSONPrefix+name)
	}
	var environ []string
	for _, name := range names {
		if value := env(name); value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	return NodeFromEnviron(environ, s, router)
}

// NodeFromEnviron is NodeFrom with a whole environment (os.Environ), so that
// ISTIO_META_ variables of any name become metadata.
func NodeFromEnviron(environ []string, s *pod.Spec, router bool) (*corev3.Node, *ProxyConfig, error) {
	env := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	config, err := proxyConfigFrom(env["PROXY_CONFIG"], s.Annotations)
	if err != nil {
		return nil, nil, err
	}
	config.limit(env["ISTIO_CPU_LIMIT"])
	p := &proxyNode{env: env, spec: s, config: config}
	meta, err := p.metadata()
	if err != nil {
		return nil, nil, err
	}
	role := "sidecar"
	if router {
		role = "router"
	}
	ip := p.or("INSTANCE_IP", s.IP.String())
	id := strings.Join([]string{role, ip, p.name() + "." + p.namespace(), p.domain()}, "~")
	return &corev3.Node{
		Id: id, Cluster: p.cluster(), Metadata: meta, Locality: p.locality(),
		UserAgentName: "meshstorm-lab", UserAgentVersionType: &corev3.Node_UserAgentVersion{UserAgentVersion: istioVersion},
	}, config, nil
}

// proxyNode is what a node is made of.
type proxyNode struct {
	env    map[string]string
	spec   *pod.Spec
	config *ProxyConfig
	labels map[string]string
	meta   map[string]any
}

func (p *proxyNode) or(name, fallback string) string {
	if value := p.env[name]; value != "" {
		return value
	}
	return fallback
}

func (p *proxyNode) name() string      { return p.or("POD_NAME", p.spec.Name) }
func (p *proxyNode) namespace() string { return p.or("POD_NAMESPACE", p.spec.Namespace) }

// domain is --domain of the container's arguments, as injection sets it.
func (p *proxyNode) domain() string {
	for i, arg := range p.spec.Args {
		if value, ok := strings.CutPrefix(arg, "--domain="); ok {
			return value
		}
		if arg == "--domain" && i+1 < len(p.spec.Args) {
			return p.spec.Args[i+1]
		}
	}
	return p.namespace() + ".svc.cluster.local"
}

func (p *proxyNode) metadata() (*structpb.Struct, error) {
	p.meta = map[string]any{}
	for name, value := range p.config.metadata() {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			p.meta[key] = value
		}
	}
	for name, value := range p.env {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			p.meta[key] = value
		}
	}
	if err := p.fromJSON(); err != nil {
		return nil, err
	}
	if err := p.podPorts(); err != nil {
		return nil, err
	}
	set := func(key, value string) {
		if value != "" {
			p.meta[key] = value
		}
	}
	if p.meta["ISTIO_VERSION"] == nil {
		p.meta["ISTIO_VERSION"] = istioVersion
	}
	if p.meta["METADATA_DISCOVERY"] == nil {
		p.meta["METADATA_DISCOVERY"] = "false"
	}
	set("NAME", p.name())
	set("NAMESPACE", p.namespace())
	set("SERVICE_ACCOUNT", p.or("SERVICE_ACCOUNT", p.spec.ServiceAccount))
	set("INSTANCE_IPS", p.or("INSTANCE_IP", p.spec.IP.String()))
	set("DNS_PROXY_ADDR", p.env["DNS_PROXY_ADDR"])
	if p.env["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] == "true" {
		p.meta["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] = "true"
	}
	for key, port := range map[string]float64{"ENVOY_STATUS_PORT": 15021, "ENVOY_PROMETHEUS_PORT": 15090} {
		p.meta[key] = port
		if text := p.env[key]; text != "" {
			if err := json.Unmarshal([]byte(text), &port); err != nil {
				return nil, fmt.Errorf("%s is %q, not a port", key, text)
			}
			p.meta[key] = port
		}
	}
	p.meta["PILOT_SAN"] = []any{p.config.serverName()}
	p.meta["PROXY_CONFIG"] = p.config.values
	p.identity()
	out, err := structpb.NewStruct(p.meta)
	if err != nil {
		return nil, fmt.Errorf("the node's metadata: %w", err)
	}
	return out, nil
}

// fromJSON takes over the ISTIO_METAJSON_ variables: their names say nothing,
// but that LABELS are labels too.
func (p *proxyNode) fromJSON() error {
	for _, name := range sortedKeys(p.env) {
		if !strings.HasPrefix(name, metaJSONPrefix) {
			continue
		}
		values := map[string]any{}
		if err := json.Unmarshal([]byte(p.env[name]), &values); err != nil {
			return fmt.Errorf("%s is not a JSON object: %w", name, err)
		}
		for key, value := range values {
			p.meta[key] = value
		}
		if name == metaJSONPrefix+"LABELS" {
			p.labels = map[string]string{}
			for key, value := range values {
				p.labels[key] = fmt.Sprint(value)
			}
			p.meta["STATIC_LABELS"] = anyMap(p.labels)
		}
	}
	return nil
}

// podPorts writes the ports as istiod reads them: a list as a text, without line
// breaks.
func (p *proxyNode) podPorts() error {
	text, ok := p.meta["POD_PORTS"].(string)
	if !ok {
		return nil
	}
	var ports []struct {
		Name          string `json:"name,omitempty"`
		ContainerPort int    `json:"containerPort"`
		Protocol      string `json:"protocol"`
	}
	if err := json.Unmarshal([]byte(text), &ports); err != nil {
		return fmt.Errorf("%sPOD_PORTS: %w", metaPrefix, err)
	}
	if len(ports) == 0 {
		delete(p.meta, "POD_PORTS")
		return nil
	}
	data, err := json.Marshal(ports)
	p.meta["POD_PORTS"] = string(data)
	return err
}

// identity sets labels and annotations.
func (p *proxyNode) identity() {
	labels := map[string]string{}
	for key, value := range p.labels {
		labels[key] = value
	}
	for key, value := range p.spec.Labels {
		if key != "pod-template-hash" {
			labels[key] = value
		}
	}
	p.labels = labels
	if where := p.localityLabel(); where != "" {
		labels["istio-locality"] = where
	}
	if len(labels) > 0 {
		p.meta["LABELS"] = anyMap(labels)
	}
	if len(p.spec.Annotations) > 0 {
		p.meta["ANNOTATIONS"] = anyMap(p.spec.Annotations)
	}
}

func (p *proxyNode) localityLabel() string {
	where := p.labels["topology.istio.io/locality"]
	if where == "" {
		where = p.labels["istio-locality"]
	}
	if strings.Contains(where, "/") {
		return where
	}
	return strings.ReplaceAll(where, ".", "/")
}

func (p *proxyNode) locality() *corev3.Locality {
	parts := append(strings.SplitN(p.localityLabel(), "/", 3), "", "", "")
	return &corev3.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
}

// cluster is the service that the node belongs to, "order.default"
// (pkg/bootstrap, getServiceCluster).
func (p *proxyNode) cluster() string {
	workload, _ := p.meta["WORKLOAD_NAME"].(string)
	namespace := p.namespace()
	canonical := first(p.labels, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
	if canonical == "" {
		canonical = workload
	}
	name, _ := p.config.values["serviceCluster"].(string)
	switch p.config.values["tracingServiceName"] {
	case "CANONICAL_NAME_ONLY":
		name = canonical
	case "CANONICAL_NAME_AND_NAMESPACE":
		if canonical == "" {
			canonical = "istio-proxy"
		}
		if namespace != "" {
			return canonical + "." + namespace
		}
		name = canonical
	case "APP_LABEL_AND_NAMESPACE":
		name = ""
	}
	if name != "" && name != "istio-proxy" {
		return name
	}
	app := first(p.labels, "app", "app.kubernetes.io/name", "service.istio.io/canonical-name")
	parts := slices.DeleteFunc([]string{firstOf(app, workload, "istio-proxy"), namespace}, func(s string) bool { return s == "" })
	return strings.Join(parts, ".")
}

func first(labels map[string]string, names ...string) string {
	for _, name := range names {
		if value, ok := labels[name]; ok {
			return value
		}
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
