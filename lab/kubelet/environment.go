package kubelet

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// environment resolves a container's variables as the kubelet does: Services
// first, then envFrom, then env in order, where $(NAME) stands for a variable
// before it. An error names what is missing: CreateContainerConfigError.
func (w *worker) environment(ctx context.Context, p *corev1.Pod, c *corev1.Container) (map[string]string, error) {
	env := map[string]string{}
	services := w.k.serviceVariables(p)
	for _, from := range c.EnvFrom {
		values, err := w.k.envFrom(ctx, p.Namespace, &from)
		if err != nil {
			return nil, err
		}
		for name, value := range values {
			env[from.Prefix+name] = value
		}
	}
	lookup := func(name string) (string, bool) {
		if v, ok := env[name]; ok {
			return v, true
		}
		v, ok := services[name]
		return v, ok
	}
	for _, v := range c.Env {
		value := expand(v.Value, lookup)
		if v.ValueFrom != nil {
			var (
				set bool
				err error
			)
			if value, set, err = w.valueFrom(ctx, p, c, v.ValueFrom); err != nil {
				return nil, err
			} else if !set {
				continue
			}
		}
		env[v.Name] = value
	}
	maps.Copy(services, env)
	return services, nil
}

func (k *Kubelet) envFrom(ctx context.Context, namespace string, from *corev1.EnvFromSource) (map[string]string, error) {
	values := map[string]string{}
	switch {
	case from.ConfigMapRef != nil:
		cm, err := k.configMap(ctx, namespace, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		if err != nil || cm == nil {
			return nil, err
		}
		maps.Copy(values, cm.Data)
	case from.SecretRef != nil:
		s, err := k.secret(ctx, namespace, from.SecretRef.Name, from.SecretRef.Optional)
		if err != nil || s == nil {
			return nil, err
		}
		for name, v := range s.Data {
			values[name] = string(v)
		}
	}
	return values, nil
}

// valueFrom gives the value and whether there is one: an optional key may be
// missing.
func (w *worker) valueFrom(ctx context.Context, p *corev1.Pod, c *corev1.Container, from *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case from.FieldRef != nil:
		v, err := w.field(p, from.FieldRef.FieldPath)
		return v, true, err
	case from.ResourceFieldRef != nil:
		v, err := w.k.resourceField(p, c, from.ResourceFieldRef)
		return v, true, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		cm, err := w.k.configMap(ctx, p.Namespace, ref.Name, ref.Optional)
		if err != nil || cm == nil {
			return "", false, err
		}
		if v, ok := cm.Data[ref.Key]; ok {
			return v, true, nil
		}
		return "", false, missingKey("ConfigMap", p.Namespace, ref.Name, ref.Key, ref.Optional)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		s, err := w.k.secret(ctx, p.Namespace, ref.Name, ref.Optional)
		if err != nil || s == nil {
			return "", false, err
		}
		if v, ok := s.Data[ref.Key]; ok {
			return string(v), true, nil
		}
		return "", false, missingKey("Secret", p.Namespace, ref.Name, ref.Key, ref.Optional)
	}
	return "", false, fmt.Errorf("the lab knows valueFrom of fields, resources, ConfigMaps and Secrets only")
}

func missingKey(kind, namespace, name, key string, optional *bool) error {
	if optional != nil && *optional {
		return nil
	}
	return fmt.Errorf("couldn't find key %s in %s %s/%s", key, kind, namespace, name)
}

// field is the downward API's value of a path.
func (w *worker) field(p *corev1.Pod, path string) (string, error) {
	ip, node := w.addr(), w.k.nodeIP
	switch path {
	case "metadata.name":
		return p.Name, nil
	case "metadata.namespace":
		return p.Namespace, nil
	case "metadata.uid":
		return string(p.UID), nil
	case "metadata.labels":
		return formatMap(p.Labels), nil
	case "metadata.annotations":
		return formatMap(p.Annotations), nil
	case "spec.nodeName":
		return p.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return p.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return ip.String(), nil
	case "status.hostIP", "status.hostIPs":
		return node, nil
	}
	for prefix, m := range map[string]map[string]string{"metadata.labels": p.Labels, "metadata.annotations": p.Annotations} {
		if key, ok := strings.CutPrefix(path, prefix+"['"); ok {
			return m[strings.TrimSuffix(key, "']")], nil
		}
	}
	return "", fmt.Errorf("unsupported fieldPath: %s", path)
}

// formatMap writes KEY="VALUE" lines, sorted, as the downward API prescribes.
func formatMap(m map[string]string) string {
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s=%q", key, m[key])
	}
	return b.String()
}

func (k *Kubelet) resourceField(p *corev1.Pod, c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" && ref.ContainerName != c.Name {
		if c = containerSpec(p, ref.ContainerName); c == nil {
			return "", fmt.Errorf("container %s not found", ref.ContainerName)
		}
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var q resource.Quantity
	switch kind {
	case "limits":
		q = c.Resources.Limits[corev1.ResourceName(name)]
		if q.IsZero() {
			q = k.capacity()[corev1.ResourceName(name)] // no limit: all of the node
		}
	case "requests":
		q = c.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("unsupported container resource: %s", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == "cpu" {
		return strconv.FormatInt(ceil(q.MilliValue(), divisor.MilliValue()), 10), nil
	}
	return strconv.FormatInt(ceil(q.Value(), divisor.Value()), 10), nil
}

func ceil(n, by int64) int64 {
	if by == 0 {
		return n
	}
	return int64(math.Ceil(float64(n) / float64(by)))
}

// serviceVariables are NAME_SERVICE_HOST and so on of the namespace's Services
// (Kubernetes, "Environment variables" of "Service"); those of the API server
// always.
func (k *Kubelet) serviceVariables(p *corev1.Pod) map[string]string {
	env := map[string]string{}
	for _, s := range k.services(p.Namespace) {
		if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone || len(s.Spec.Ports) == 0 {
			continue
		}
		api := s.Namespace == "default" && s.Name == "kubernetes"
		links := p.Spec.EnableServiceLinks == nil || *p.Spec.EnableServiceLinks
		if !api && (!links || s.Namespace != p.Namespace) {
			continue
		}
		addServiceVariables(env, s)
	}
	return env
}

func addServiceVariables(env map[string]string, s *corev1.Service) {
	variable := func(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
	name, ip := variable(s.Name), s.Spec.ClusterIP
	env[name+"_SERVICE_HOST"] = ip
	env[name+"_SERVICE_PORT"] = strconv.Itoa(int(s.Spec.Ports[0].Port))
	for i, port := range s.Spec.Ports {
		n := strconv.Itoa(int(port.Port))
		proto := string(port.Protocol)
		if proto == "" {
			proto = "TCP"
		}
		if port.Name != "" {
			env[name+"_SERVICE_PORT_"+variable(port.Name)] = n
		}
		url := strings.ToLower(proto) + "://" + net.JoinHostPort(ip, n)
		if i == 0 {
			env[name+"_PORT"] = url
		}
		prefix := name + "_PORT_" + n + "_" + proto
		env[prefix] = url
		env[prefix+"_PROTO"] = strings.ToLower(proto)
		env[prefix+"_PORT"] = n
		env[prefix+"_ADDR"] = ip
	}
}

// expand replaces $(NAME) by a variable's value; $$ is a dollar sign, and a name
// that is not known stays as it is (EnvVar's doc in the API).
func expand(s string, lookup func(string) (string, bool)) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString(s[i:])
				return b.String()
			}
			name := s[i+2 : i+end]
			if v, ok := lookup(name); ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

func expandAll(list []string, env map[string]string) []string {
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = expand(s, lookup)
	}
	return out
}

func containerSpec(p *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}
