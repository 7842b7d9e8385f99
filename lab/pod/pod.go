// Package pod is what a pod's process is told and how it lives. The kubelet
// writes a Spec as JSON, names the file in MESHSTORM_POD and starts the program;
// the program reads it with Load. Container paths are mapped to folders on the
// host, since there are no mount namespaces.
package pod

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// Variable names the environment variable with the path of the Spec.
const Variable = "MESHSTORM_POD"

// Spec is all that a container's process knows about its pod.
type Spec struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Annotations steer stand-ins: lab.meshstorm.io/latency, /error-rate, /startup.
	Annotations    map[string]string `json:"annotations,omitempty"`
	ServiceAccount string            `json:"serviceAccount,omitempty"`

	Container string   `json:"container"`
	Image     string   `json:"image"`
	Tag       string   `json:"tag"`               // of the image; "latest" where it has none
	Command   []string `json:"command,omitempty"` // as in the container, variables expanded
	Args      []string `json:"args,omitempty"`
	Ports     []Port   `json:"ports,omitempty"` // of this container
	Mounts    []Mount  `json:"mounts,omitempty"`

	IP  netip.Addr   `json:"ip"` // in the API, 10.244.a.b
	Net loopback.Net `json:"net"`
	// Listen is where this container's ports are bound: the pod's own loopback
	// address, or its twin where a sidecar intercepts what comes in. Ports that
	// interception excludes are on the pod's own address (ListenOn).
	Listen netip.Addr `json:"listen"`
	// Outbound takes the pod's connections with PROXY v2: its sidecar, or Node.
	Outbound string `json:"outbound"`
	Node     string `json:"node"` // the node's network, which knows ClusterIPs
	DNS      string `json:"dns"`
	// Intercepted is nil for a pod without a sidecar.
	Intercepted *Interception `json:"intercepted,omitempty"`

	Models string `json:"models,omitempty"` // folder with the namespace's models, WORKSPACE.json each
	Store  string `json:"store,omitempty"`  // unix socket of the stand-ins' database
	Data   string `json:"data,omitempty"`   // folder that outlives the pod, for a StatefulSet's volume
}

// Port is a container port.
type Port struct {
	Name     string `json:"name,omitempty"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol,omitempty"` // TCP unless set
}

// Mount is a folder (or file, for subPath) of the host that the container sees
// at Path.
type Mount struct {
	Path     string `json:"path"`
	Host     string `json:"host"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Interception is what istio-init would have set up with iptables: the
// sidecar owns the pod's ports but these.
type Interception struct {
	ExcludeInbound  []int          `json:"excludeInbound,omitempty"`
	IncludeInbound  []int          `json:"includeInbound,omitempty"` // empty for all
	ExcludeOutbound []int          `json:"excludeOutbound,omitempty"`
	ExcludeCIDRs    []netip.Prefix `json:"excludeCIDRs,omitempty"`
	IncludeCIDRs    []netip.Prefix `json:"includeCIDRs,omitempty"` // empty for all
}

// Load reads the Spec that the environment names.
func Load() (*Spec, error) {
	name := os.Getenv(Variable)
	if name == "" {
		return nil, fmt.Errorf("%s is not set: this program is started by the lab's kubelet", Variable)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the pod's spec: %w", err)
	}
	s := &Spec{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("read the pod's spec %s: %w", name, err)
	}
	return s, nil
}

// HostPath maps a path of the container to the host, by the longest mount that
// holds it. It gives false where no mount does.
func (s *Spec) HostPath(p string) (string, bool) {
	p = path.Clean(p)
	best, host := -1, ""
	for _, m := range s.Mounts {
		at := path.Clean(m.Path)
		rest, ok := strings.CutPrefix(p, at)
		if !ok || rest != "" && rest[0] != '/' && at != "/" || len(at) <= best {
			continue
		}
		best, host = len(at), filepath.Join(m.Host, filepath.FromSlash(rest))
	}
	return host, best >= 0
}

// ListenOn is the address on which the container binds a port.
func (s *Spec) ListenOn(port int) string {
	addr := s.Listen
	if s.Intercepted != nil && !s.Intercepted.Inbound(port) {
		addr = s.Net.Bind(s.IP)
	}
	return netip.AddrPortFrom(addr, uint16(port)).String()
}

// Dialer makes the container's outbound connections.
func (s *Spec) Dialer() *loopback.Dialer {
	return &loopback.Dialer{
		Net: s.Net, Self: s.IP, Via: s.Outbound, DNS: s.DNS, Namespace: s.Namespace,
		Direct: func(dst netip.AddrPort) (string, bool) {
			return s.Node, s.Intercepted != nil && !s.Intercepted.Outbound(dst)
		},
	}
}

// Inbound tells whether the sidecar owns a port of the pod.
func (i *Interception) Inbound(port int) bool {
	if has(i.ExcludeInbound, port) {
		return false
	}
	return len(i.IncludeInbound) == 0 || has(i.IncludeInbound, port)
}

// Outbound tells whether the sidecar takes a connection to dst.
func (i *Interception) Outbound(dst netip.AddrPort) bool {
	if has(i.ExcludeOutbound, int(dst.Port())) || within(i.ExcludeCIDRs, dst.Addr()) {
		return false
	}
	return len(i.IncludeCIDRs) == 0 || within(i.IncludeCIDRs, dst.Addr())
}

func has(list []int, n int) bool {
	for _, other := range list {
		if other == n {
			return true
		}
	}
	return false
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Address is a port on the pod's own loopback address, for what the sidecar or
// the node asks of it.
func (s *Spec) Address(port int) string {
	return s.Net.Bind(s.IP).String() + ":" + strconv.Itoa(port)
}
