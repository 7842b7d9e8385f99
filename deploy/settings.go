package deploy

import (
	"slices"
)

// SettingsFile is the name of the settings file at a workspace's root.
const SettingsFile = "meshstorm.yaml"

// Settings is meshstorm.yaml: what a model cannot say. Every key has a
// default, so that an empty file is valid.
type Settings struct {
	// Workspace names the workspace in labels and in the model's ConfigMaps: a DNS-1123 label. The default is made from the folder's name.
	Workspace string `json:"workspace,omitempty"`
	// Namespace is where all objects go. Default: default.
	Namespace string `json:"namespace,omitempty"`
	// Toppings are the renderers to run, in order. Default: kubernetes, istio.
	Toppings []string `json:"toppings,omitempty"`
	// Names gives a bounded context (by the name or id on its sticker) the DNS-1123 name that its objects use.
	Names map[string]string `json:"names,omitempty"`
	// IstioVersion selects the API versions and fields that this version has, as MAJOR.MINOR. Default: 1.31.
	IstioVersion string `json:"istioVersion,omitempty"`
	// IstioProfile is the installation profile that check assumes: it decides whether an ingress or egress gateway is there, and with what mesh config. Default: demo.
	IstioProfile string `json:"istioProfile,omitempty"`
	// KubernetesVersion selects the fields that this version has, as MAJOR.MINOR. Default: 1.37.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Routing is "rest" (default): routes are the REST resources the model has; or "msaez": the shape of the original's topping, exact plural of the context with rewrite to /.
	Routing string `json:"routing,omitempty" jsonschema:"enum=rest,enum=msaez"`
	// Security is "baseline" (default) or "restricted", as the Pod Security Standards name them.
	Security string `json:"security,omitempty" jsonschema:"enum=baseline,enum=restricted"`
	// Image says how a service's image is called.
	Image ImageSettings `json:"image,omitzero"`
	// Gateway is the entrance from outside.
	Gateway GatewaySettings `json:"gateway,omitzero"`
	// Kafka is the broker: "external", "dev", or a mapping with mode, env and brokers.
	Kafka KafkaSettings `json:"kafka,omitzero"`
	// Services holds what is special about single services, by DNS-1123 name or by the name on the sticker.
	Services map[string]ServiceSettings `json:"services,omitempty"`
	// Ignore lists findings of check that are accepted, each with a reason.
	Ignore []Ignore `json:"ignore,omitempty"`

	origins map[string]string // setting's path → where its value came from
	only    []string          // the toppings of this run; nil for all
}

// ImageSettings is the pattern of image references.
type ImageSettings struct {
	// Registry is host and path before the image's name. Default: ghcr.io/ORG/REPO from the model, else registry.example.com, which check reports.
	Registry string `json:"registry,omitempty"`
	// Tag is the image's tag. Default: the model's tag, else v1.
	Tag string `json:"tag,omitempty"`
	// Pattern is put together from {registry}, {name} and {tag}. Default: {registry}/{name}:{tag}.
	Pattern string `json:"pattern,omitempty"`
}

// GatewaySettings is the Gateway object.
type GatewaySettings struct {
	// Name of the Gateway object. Default: main-gw.
	Name string `json:"name,omitempty"`
	// Selector picks the gateway's pods. Default: istio=ingressgateway.
	Selector map[string]string `json:"selector,omitempty"`
	// Hosts that the gateway serves. Default: * (all).
	Hosts []string `json:"hosts,omitempty"`
	// TLS adds port 443.
	TLS *TLSSettings `json:"tls,omitempty"`
}

// TLSSettings is the gateway's certificate.
type TLSSettings struct {
	// CredentialName is the Secret in the gateway's own namespace with tls.crt and tls.key.
	CredentialName string `json:"credentialName"`
	// Redirect answers plain HTTP with 301 to HTTPS. Default: true.
	Redirect *bool `json:"redirect,omitempty"`
}

// KafkaSettings is the broker that publishers and consumers use.
type KafkaSettings struct {
	// Mode is "external" (default): somebody runs the broker; or "dev": a one-broker StatefulSet is written too.
	Mode string `json:"mode,omitempty" jsonschema:"enum=external,enum=dev"`
	// Env is the variable that carries the brokers. Default: SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS.
	Env string `json:"env,omitempty"`
	// Brokers is the address list. Default: my-kafka:9092.
	Brokers string `json:"brokers,omitempty"`
	// Image of the dev broker. Default: docker.io/apache/kafka:4.1.0.
	Image string `json:"image,omitempty"`
}

// ServiceSettings is what is special about one service.
type ServiceSettings struct {
	// Replicas of the stable track. Default: 1.
	Replicas *int32 `json:"replicas,omitempty" jsonschema:"minimum=0"`
	// Image is a whole image reference that stands instead of the pattern.
	Image string `json:"image,omitempty"`
	// Weights are the shares of traffic of the tracks stable and canary; 0 to 100, adding up to 100. Default: 100 and 0.
	Weights map[string]int32 `json:"weights,omitempty"`
	// Resources are requests and limits. Default: requests of 100m CPU and 512Mi memory.
	Resources ResourceSettings `json:"resources,omitzero"`
	// Exposed makes the service reachable through the gateway. Default: true where it has REST resources.
	Exposed *bool `json:"exposed,omitempty"`
	// Paths corrects the REST paths found in the model.
	Paths PathSettings `json:"paths,omitzero"`
	// PathPrefix is put before the paths at the gateway, such as /shop, and taken away again before the service sees the request.
	PathPrefix string `json:"pathPrefix,omitempty"`
	// Health is the path that the probes ask. Default: /actuator/health.
	Health string `json:"health,omitempty"`
	// Env adds environment variables to the container.
	Env map[string]string `json:"env,omitempty"`
	// Canary is what only the pods of the canary get.
	Canary CanarySettings `json:"canary,omitzero"`
}

// CanarySettings is what sets the canary's pods apart from the stable ones.
type CanarySettings struct {
	// Env sets environment variables of the canary's container, before those of env with the same name. It is meant for the variable that keeps the application from consuming events, which no weight does; the lab's services honour MESHSTORM_EVENTS=paused.
	Env map[string]string `json:"env,omitempty"`
}

// ResourceSettings are a container's requests and limits.
type ResourceSettings struct {
	// Requests reserves CPU and memory.
	Requests ResourceList `json:"requests,omitzero"`
	// Limits caps CPU and memory.
	Limits ResourceList `json:"limits,omitzero"`
}

// PathSettings adds, drops or replaces REST paths.
type PathSettings struct {
	// Add names further paths that the service serves.
	Add []string `json:"add,omitempty"`
	// Drop names paths that are not routed.
	Drop []string `json:"drop,omitempty"`
	// Replace stands instead of everything that the model says.
	Replace []string `json:"replace,omitempty"`
}

// Ignore accepts findings of one code.
type Ignore struct {
	// Code of the finding, such as IST0118.
	Code string `json:"code"`
	// Object is Kind/name or Kind/namespace/name, where * stands for any, or the model element a finding names (BoundedContext/order); empty means everything.
	Object string `json:"object,omitempty"`
	// Reason says why; without one nothing is ignored.
	Reason string `json:"reason"`
}

// DefaultSettings returns the settings of an empty file in a workspace of the
// given name.
func DefaultSettings(workspace string) *Settings {
	s := &Settings{Workspace: workspace}
	s.setDefaults()
	return s
}

// PlaceholderRegistry stands where neither the settings nor the model name a
// registry. RFC 2606 keeps the name free, so nothing is ever pulled from it.
const PlaceholderRegistry = "registry.example.com"

func (s *Settings) setDefaults() {
	setDefault(&s.Namespace, "default")
	setDefault(&s.IstioVersion, "1.31")
	setDefault(&s.IstioProfile, "demo")
	setDefault(&s.KubernetesVersion, "1.37")
	setDefault(&s.Routing, "rest")
	setDefault(&s.Security, "baseline")
	setDefault(&s.Image.Pattern, "{registry}/{name}:{tag}")
	setDefault(&s.Gateway.Name, "main-gw")
	setDefault(&s.Kafka.Mode, "external")
	setDefault(&s.Kafka.Env, "SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS")
	setDefault(&s.Kafka.Brokers, "my-kafka:9092")
	setDefault(&s.Kafka.Image, "docker.io/apache/kafka:4.1.0")
	if s.Toppings == nil {
		s.Toppings = []string{"kubernetes", "istio"}
	}
	if len(s.Gateway.Selector) == 0 {
		s.Gateway.Selector = map[string]string{"istio": "ingressgateway"}
	}
	if len(s.Gateway.Hosts) == 0 {
		s.Gateway.Hosts = []string{"*"}
	}
	if s.origins == nil {
		s.origins = map[string]string{}
	}
}

func setDefault(p *string, v string) {
	if *p == "" {
		*p = v
	}
}

// Origin tells where the value of a setting came from: a file and line, a
// MESHSTORM_* variable, a flag, or "default". The path is as in the file, with
// dots: "image.registry", "services.order.replicas".
func (s *Settings) Origin(path string) string {
	if o, ok := s.origins[path]; ok {
		return o
	}
	return "default"
}

// SetToppings limits this run to some toppings, as a flag does. What the others
// wrote stays: only the file's own toppings say what is wanted at all.
func (s *Settings) SetToppings(names []string, origin string) {
	s.only = names
	s.origins["toppings"] = origin
}

// Runs reports whether a topping renders in this run.
func (s *Settings) Runs(topping string) bool {
	if s.only != nil {
		return slices.Contains(s.only, topping)
	}
	return slices.Contains(s.Toppings, topping)
}

// Has reports whether a topping is switched on, in this run or in the file.
func (s *Settings) Has(topping string) bool {
	return slices.Contains(s.Toppings, topping) || slices.Contains(s.only, topping)
}
