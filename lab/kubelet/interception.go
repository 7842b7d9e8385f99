package kubelet

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/lab/pod"
)

const (
	interceptionMode = "sidecar.istio.io/interceptionMode"
	trafficPrefix    = "traffic.sidecar.istio.io/"
)

// sidecarOf is the container that Istio's injection added, native or not; nil
// for a pod without one. Gateways ("proxy router") intercept nothing.
func sidecarOf(p *corev1.Pod) *corev1.Container {
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if isSidecar(&list[i]) {
				return &list[i]
			}
		}
	}
	return nil
}

func isSidecar(c *corev1.Container) bool {
	repository, _ := splitImage(c.Image)
	at := slices.Index(c.Args, "proxy")
	return strings.HasSuffix("/"+repository, "/proxyv2") && at >= 0 && at+1 < len(c.Args) && c.Args[at+1] == "sidecar"
}

// interception reads what istio-init or istio-validation would have set up: from
// its arguments, and where Istio's CNI plugin is meant to do it, from the
// annotations, which say the same. Nil for a pod whose traffic stays its own.
// The second result names what is asked for and not done.
func interception(p *corev1.Pod) (*pod.Interception, []string) {
	if sidecarOf(p) == nil || p.Annotations[interceptionMode] == "NONE" {
		return nil, nil
	}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; runsIptables(c) {
			return intercept(iptablesFlags(c.Args))
		}
	}
	return nil, nil
}

// iptablesFlags reads istio-iptables' options; the long and the short names mean
// the same (istio.io, "pilot-agent istio-iptables").
func iptablesFlags(args []string) map[string]string {
	long := map[string]string{
		"--istio-inbound-ports": "-b", "--istio-local-exclude-ports": "-d",
		"--istio-service-cidr": "-i", "--istio-service-exclude-cidr": "-x",
		"--istio-local-outbound-ports-exclude": "-o", "--istio-outbound-ports": "-q",
		"--istio-exclude-interfaces": "-c", "--kube-virt-interfaces": "-k", "--istio-inbound-interception-mode": "-m",
	}
	flags := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		if short, ok := long[name]; ok {
			name = short
		}
		if len(name) != 2 || name[0] != '-' {
			continue
		}
		if !has && i+1 < len(args) {
			i++
			value = args[i]
		}
		flags[name] = value
	}
	return flags
}

func intercept(flags map[string]string) (*pod.Interception, []string) {
	if flags["-m"] == "NONE" {
		return nil, nil
	}
	var unsupported []string
	in := &pod.Interception{
		ExcludeInbound: ports(flags["-d"]), ExcludeOutbound: ports(flags["-o"]),
		ExcludeCIDRs: prefixes(flags["-x"]),
	}
	if b, ok := flags["-b"]; ok && b != "*" {
		in.IncludeInbound = ports(b)
		if len(in.IncludeInbound) == 0 {
			in.IncludeInbound = []int{0} // an empty list means no port, not all
		}
	}
	if i, ok := flags["-i"]; ok && i != "*" {
		in.IncludeCIDRs = prefixes(i)
		if len(in.IncludeCIDRs) == 0 {
			in.IncludeCIDRs = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}
		}
	}
	for flag, name := range map[string]string{"-q": "includeOutboundPorts", "-c": "excludeInterfaces", "-k": "kubevirtInterfaces"} {
		if flags[flag] != "" {
			unsupported = append(unsupported, trafficPrefix+name+"="+flags[flag])
		}
	}
	if flags["-m"] == "TPROXY" {
		unsupported = append(unsupported, interceptionMode+"=TPROXY")
	}
	slices.Sort(unsupported)
	return in, unsupported
}

func ports(list string) []int {
	var all []int
	for f := range strings.SplitSeq(list, ",") {
		if n, err := strconv.ParseUint(strings.TrimSpace(f), 10, 16); err == nil && !slices.Contains(all, int(n)) {
			all = append(all, int(n))
		}
	}
	return all
}

func prefixes(list string) []netip.Prefix {
	var all []netip.Prefix
	for f := range strings.SplitSeq(list, ",") {
		f = strings.TrimSpace(f)
		if p, err := netip.ParsePrefix(f); err == nil {
			all = append(all, p)
		} else if a, err := netip.ParseAddr(f); err == nil {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all
}
