package kubelet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/lab/pod"
)

const (
	terminationLog = "/dev/termination-log"
	accountMount   = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// spec is what the container's process is told.
func (w *worker) spec(p *corev1.Pod, c *corev1.Container, env map[string]string, message string) (*pod.Spec, error) {
	k, ip := w.k, w.addr()
	_, tag := splitImage(c.Image)
	s := &pod.Spec{
		Namespace: p.Namespace, Name: p.Name, UID: string(p.UID),
		Labels: p.Labels, Annotations: p.Annotations, ServiceAccount: p.Spec.ServiceAccountName,
		Container: c.Name, Image: c.Image, Tag: tag,
		Command: expandAll(c.Command, env), Args: expandAll(c.Args, env),
		IP: ip, Net: k.o.Net, Listen: k.o.Net.Bind(ip),
		Outbound: k.o.Node, Node: k.o.Node, DNS: k.o.DNS, Store: k.o.Store,
		Models: k.o.Models.Dir(p.Namespace), Data: w.k.dataDir(p),
	}
	for _, port := range c.Ports {
		s.Ports = append(s.Ports, pod.Port{Name: port.Name, Port: int(port.ContainerPort), Protocol: string(port.Protocol)})
	}
	in, unsupported := interception(p)
	if s.Intercepted = in; in != nil {
		s.Listen = k.o.Net.TwinOf(ip) // of the application, which the sidecar asks there
	}
	if in != nil && !isSidecar(c) {
		s.Outbound = netip.AddrPortFrom(k.o.Net.Bind(ip), 15001).String()
	}
	if len(unsupported) > 0 && isSidecar(c) {
		w.log.Warn("the lab does not do what these ask for", "pod", p.Namespace+"/"+p.Name, "settings", strings.Join(unsupported, " "))
	}
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		host, err := w.volumes.hostPath(m, env)
		if err != nil {
			return nil, err
		}
		s.Mounts = append(s.Mounts, pod.Mount{Path: m.MountPath, Host: host, ReadOnly: m.ReadOnly})
	}
	at := c.TerminationMessagePath
	if at == "" {
		at = terminationLog
	}
	s.Mounts = append(s.Mounts, pod.Mount{Path: at, Host: message})
	return s, nil
}

// dataDir is the folder of a StatefulSet's pod that outlives it: its first
// claim, or one of its own where it has none. Empty for all other pods.
func (k *Kubelet) dataDir(p *corev1.Pod) string {
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			return k.claimDir(p.Namespace, v.PersistentVolumeClaim.ClaimName)
		}
	}
	for _, o := range p.OwnerReferences {
		if o.Kind == "StatefulSet" {
			return filepath.Join(k.o.Dir, "data", p.Namespace, p.Name)
		}
	}
	return ""
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// kubeconfig writes one for the pod's service account: its mounted token, read
// again by the client when it is renewed.
func (w *worker) kubeconfig(path string, s *pod.Spec) error {
	tokenFile, ok := s.HostPath(accountMount + "/token")
	if !ok {
		return fmt.Errorf("container %s has no service account token mounted at %s", s.Container, accountMount)
	}
	config := clientcmdapi.Config{
		APIVersion: "v1", Kind: "Config", CurrentContext: "lab",
		Clusters: []clientcmdapi.NamedCluster{{Name: "lab", Cluster: clientcmdapi.Cluster{
			Server: w.k.o.APIServer, CertificateAuthorityData: w.k.o.CA}}},
		AuthInfos: []clientcmdapi.NamedAuthInfo{{Name: "pod", AuthInfo: clientcmdapi.AuthInfo{TokenFile: tokenFile}}},
		Contexts:  []clientcmdapi.NamedContext{{Name: "lab", Context: clientcmdapi.Context{Cluster: "lab", AuthInfo: "pod", Namespace: s.Namespace}}},
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
