package xds

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ProxyConfig is what Istio's proxy configuration says to the program itself
// (istio.io docs, "ProxyConfig" of the mesh config). Everything that it says is
// in the node's metadata for istiod.
type ProxyConfig struct {
	DiscoveryAddress string // istiod, "istiod.istio-system.svc:15012"
	Concurrency      int    // worker threads; 0 for as many as there are CPUs
	// HoldUntilStarts: the application starts when the proxy is ready
	// (holdApplicationUntilProxyStarts).
	HoldUntilStarts bool
	StatusPort      int           // 15020; of the agent: probes of the application, merged metrics
	AdminPort       int           // 15000
	Drain           time.Duration // 45 s; how long connections drain when a listener changes
	// TerminationDrain is how long they drain when the pod ends, 5 s
	// (terminationDrainDuration).
	TerminationDrain time.Duration
	// MutualTLS: the control plane's authentication policy is MUTUAL_TLS, the
	// default; NONE is plain text.
	MutualTLS bool

	values map[string]any // as in PROXY_CONFIG of the node's metadata
}

// defaults are those of istio.io/istio/pkg/config/mesh, DefaultProxyConfig.
func defaults() map[string]any {
	return map[string]any{
		"configPath": "./etc/istio/proxy", "binaryPath": "/usr/local/bin/envoy", "serviceCluster": "istio-proxy",
		"drainDuration": "45s", "terminationDrainDuration": "5s", "proxyAdminPort": 15000.0,
		"controlPlaneAuthPolicy": "MUTUAL_TLS", "discoveryAddress": "istiod.istio-system.svc:15012",
		"statNameLength": 189.0, "statusPort": 15020.0,
	}
}

// proxyConfigFrom lays PROXY_CONFIG and the pod's annotations over the defaults:
// a later value replaces a former one, but proxyMetadata is merged.
func proxyConfigFrom(text string, annotations map[string]string) (*ProxyConfig, error) {
	values := defaults()
	for _, layer := range []struct{ name, text string }{
		{"PROXY_CONFIG", text}, {"the annotation proxy.istio.io/config", annotations["proxy.istio.io/config"]},
	} {
		if err := overlay(values, layer.text); err != nil {
			return nil, fmt.Errorf("%s: %w", layer.name, err)
		}
	}
	if address := annotations["sidecar.istio.io/discoveryAddress"]; address != "" {
		values["discoveryAddress"] = address
	}
	if text := annotations["status.sidecar.istio.io/port"]; text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("the annotation status.sidecar.istio.io/port is %q, not a port", text)
		}
		values["statusPort"] = float64(port)
	}
	return typed(values)
}

// overlay takes YAML, of which JSON is a part.
func overlay(values map[string]any, text string) error {
	var raw map[string]any
	if err := yaml.Unmarshal([]byte(text), &raw); err != nil {
		return fmt.Errorf("not a proxy configuration: %w", err)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		return fmt.Errorf("not a proxy configuration: %w", err)
	}
	var layer map[string]any
	if err := json.Unmarshal(data, &layer); err != nil {
		return fmt.Errorf("not a proxy configuration: %w", err)
	}
	for name, value := range layer {
		name = camel(name)
		switch name {
		case "serviceCluster":
			delete(values, "tracingServiceName")
		case "tracingServiceName":
			delete(values, "serviceCluster")
		case "proxyMetadata", "proxyHeaders":
			if have, ok := values[name].(map[string]any); ok {
				if more, ok := value.(map[string]any); ok {
					merged := maps.Clone(have)
					maps.Copy(merged, more)
					value = merged
				}
			}
		}
		values[name] = value
	}
	return nil
}

func typed(values map[string]any) (*ProxyConfig, error) {
	c := &ProxyConfig{values: values}
	var err error
	if c.Drain, err = duration(values, "drainDuration"); err != nil {
		return nil, err
	}
	if c.TerminationDrain, err = duration(values, "terminationDrainDuration"); err != nil {
		return nil, err
	}
	if c.StatusPort, err = number(values, "statusPort"); err != nil {
		return nil, err
	}
	if c.AdminPort, err = number(values, "proxyAdminPort"); err != nil {
		return nil, err
	}
	if c.Concurrency, err = number(values, "concurrency"); err != nil {
		return nil, err
	}
	c.DiscoveryAddress, _ = values["discoveryAddress"].(string)
	if c.DiscoveryAddress == "" {
		return nil, fmt.Errorf("proxy configuration: discoveryAddress is %v, not an address", values["discoveryAddress"])
	}
	c.HoldUntilStarts, _ = values["holdApplicationUntilProxyStarts"].(bool)
	c.MutualTLS = values["controlPlaneAuthPolicy"] == "MUTUAL_TLS"
	return c, nil
}

func duration(values map[string]any, name string) (time.Duration, error) {
	text, ok := values[name].(string)
	d, err := time.ParseDuration(text)
	if !ok || err != nil {
		return 0, fmt.Errorf("proxy configuration: %s is %v, not a duration such as 5s", name, values[name])
	}
	return d, nil
}

func number(values map[string]any, name string) (int, error) {
	switch v := values[name].(type) {
	case nil:
		return 0, nil
	case float64:
		return int(v), nil
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("proxy configuration: %s is %v, not a number", name, values[name])
}

// limit sets the concurrency to the container's CPU limit, where nobody set it.
func (c *ProxyConfig) limit(cpus string) {
	if n, err := strconv.Atoi(cpus); err == nil && n > 0 && c.values["concurrency"] == nil {
		c.Concurrency = n
		c.values["concurrency"] = float64(n)
	}
}

// metadata gives proxyMetadata.
func (c *ProxyConfig) metadata() map[string]string {
	out := map[string]string{}
	values, _ := c.values["proxyMetadata"].(map[string]any)
	for name, value := range values {
		out[name] = fmt.Sprint(value)
	}
	return out
}

// serverName is the name in istiod's certificate.
func (c *ProxyConfig) serverName() string {
	host, _, _ := strings.Cut(c.DiscoveryAddress, ":")
	if host == "localhost" {
		return "istiod.istio-system.svc"
	}
	return host
}

// camel writes a protobuf field's name as JSON has it; protobuf takes both.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		if part != "" {
			parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "")
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func anyMap(m map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range m {
		out[key] = value
	}
	return out
}
