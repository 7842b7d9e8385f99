package check

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// podSpecsOf gives the pod specs of an object by their paths.
func podSpecsOf(object any) map[string]*corev1.PodSpec {
	switch o := object.(type) {
	case *corev1.Pod:
		return map[string]*corev1.PodSpec{"spec": &o.Spec}
	case *appsv1.Deployment:
		return map[string]*corev1.PodSpec{"spec.template.spec": &o.Spec.Template.Spec}
	case *appsv1.StatefulSet:
		return map[string]*corev1.PodSpec{"spec.template.spec": &o.Spec.Template.Spec}
	case *appsv1.DaemonSet:
		return map[string]*corev1.PodSpec{"spec.template.spec": &o.Spec.Template.Spec}
	case *appsv1.ReplicaSet:
		return map[string]*corev1.PodSpec{"spec.template.spec": &o.Spec.Template.Spec}
	case *batchv1.Job:
		return map[string]*corev1.PodSpec{"spec.template.spec": &o.Spec.Template.Spec}
	case *batchv1.CronJob:
		return map[string]*corev1.PodSpec{"spec.jobTemplate.spec.template.spec": &o.Spec.JobTemplate.Spec.Template.Spec}
	}
	return nil
}

// claims are the volumes that a StatefulSet adds to its pods.
func claims(object any) []string {
	set, ok := object.(*appsv1.StatefulSet)
	if !ok {
		return nil
	}
	var names []string
	for _, c := range set.Spec.VolumeClaimTemplates {
		names = append(names, c.Name)
	}
	return names
}

func (v *validator) pod(path string, spec *corev1.PodSpec, volumes []string) {
	if len(spec.Containers) == 0 {
		v.refuse(path+".containers", "it has no container", "add a container with a name and an image")
	}
	for i, volume := range spec.Volumes {
		if slices.Contains(volumes, volume.Name) && slices.ContainsFunc(spec.Volumes[:i], func(o corev1.Volume) bool { return o.Name == volume.Name }) {
			v.refuse(fmt.Sprintf("%s.volumes[%d].name", path, i), fmt.Sprintf("volume %q is there twice", volume.Name), "rename or remove one")
		}
		volumes = append(volumes, volume.Name)
	}
	names := map[string]bool{}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", spec.InitContainers}, {"containers", spec.Containers}} {
		for i := range list.containers {
			c := &list.containers[i]
			at := fmt.Sprintf("%s.%s[%d]", path, list.name, i)
			v.containerName(at, c.Name, names)
			v.container(at, c, volumes)
		}
	}
	v.repeatedHostPorts(path, spec)
}

func (v *validator) containerName(at, name string, names map[string]bool) {
	if faults := validation.IsDNS1123Label(name); len(faults) > 0 {
		v.refuse(at+".name", fmt.Sprintf("container name %q: %s", name, brief(faults[0])), "use lower-case letters, digits and dashes")
	} else if names[name] {
		v.refuse(at+".name", fmt.Sprintf("container %q is there twice", name), "rename or remove one")
	}
	names[name] = true
}

func (v *validator) container(at string, c *corev1.Container, volumes []string) {
	ports := map[string]bool{}
	for i, p := range c.Ports {
		v.containerPort(fmt.Sprintf("%s.ports[%d]", at, i), p, ports)
	}
	mounts := map[string]bool{}
	for i, m := range c.VolumeMounts {
		field := fmt.Sprintf("%s.volumeMounts[%d]", at, i)
		if !slices.Contains(volumes, m.Name) {
			v.refuse(field+".name", fmt.Sprintf("there is no volume %q to mount", m.Name), "add the volume to the pod, or correct the name")
		}
		if m.MountPath == "" {
			v.refuse(field+".mountPath", "mountPath is missing", "write where in the container the volume goes")
		} else if mounts[m.MountPath] {
			v.refuse(field+".mountPath", fmt.Sprintf("something is mounted at %s already", m.MountPath), "choose another path, or remove one mount")
		}
		mounts[m.MountPath] = true
	}
	for i, e := range c.Env {
		if e.Name == "" {
			v.refuse(fmt.Sprintf("%s.env[%d].name", at, i), "an environment variable has no name", "write its name")
		}
		if e.Value != "" && e.ValueFrom != nil {
			v.refuse(fmt.Sprintf("%s.env[%d].valueFrom", at, i), "an environment variable has both value and valueFrom", "keep one of the two")
		}
	}
	v.resources(at, c.Resources)
	v.probe(at+".startupProbe", c.StartupProbe, c)
	v.probe(at+".readinessProbe", c.ReadinessProbe, c)
	v.probe(at+".livenessProbe", c.LivenessProbe, c)
	switch c.ImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		v.refuse(at+".imagePullPolicy", fmt.Sprintf("imagePullPolicy %q", c.ImagePullPolicy), "use Always, IfNotPresent or Never")
	}
}

func (v *validator) containerPort(field string, p corev1.ContainerPort, names map[string]bool) {
	if faults := validation.IsValidPortNum(int(p.ContainerPort)); len(faults) > 0 {
		v.refuse(field+".containerPort", fmt.Sprintf("containerPort %d: %s", p.ContainerPort, brief(faults[0])), "use a port from 1 to 65535")
	}
	if p.Name == "" {
		return
	}
	if faults := validation.IsValidPortName(p.Name); len(faults) > 0 {
		v.refuse(field+".name", fmt.Sprintf("port name %q: %s", p.Name, brief(faults[0])), "use at most 15 lower-case letters, digits and dashes")
	} else if names[p.Name] {
		v.refuse(field+".name", fmt.Sprintf("port %q is there twice", p.Name), "rename or remove one")
	}
	names[p.Name] = true
}

func (v *validator) resources(at string, r corev1.ResourceRequirements) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		request, asked := r.Requests[name]
		limit, limited := r.Limits[name]
		if asked && limited && request.Cmp(limit) > 0 {
			v.refuse(fmt.Sprintf("%s.resources.requests[%s]", at, name),
				fmt.Sprintf("it requests %s of %s, more than its limit %s", request.String(), name, limit.String()), "raise the limit, or lower the request")
		}
		if request.Sign() < 0 || limit.Sign() < 0 {
			v.refuse(at+".resources", fmt.Sprintf("a negative amount of %s", name), "write a positive quantity")
		}
	}
}

// probe also looks for a named port that the container does not have: the API
// server takes it, and the probe fails for ever.
func (v *validator) probe(field string, p *corev1.Probe, c *corev1.Container) {
	if p == nil {
		return
	}
	handlers := 0
	for _, set := range []bool{p.HTTPGet != nil, p.TCPSocket != nil, p.Exec != nil, p.GRPC != nil} {
		if set {
			handlers++
		}
	}
	if handlers != 1 {
		v.refuse(field, fmt.Sprintf("a probe takes one of httpGet, tcpSocket, exec and grpc, and this has %d", handlers), "keep exactly one")
		return
	}
	if p.HTTPGet != nil {
		v.probePort(field+".httpGet.port", p.HTTPGet.Port, c)
	}
	if p.TCPSocket != nil {
		v.probePort(field+".tcpSocket.port", p.TCPSocket.Port, c)
	}
	if p.SuccessThreshold > 1 && !strings.HasSuffix(field, "readinessProbe") {
		v.refuse(field+".successThreshold", "successThreshold has to be 1 here", "remove successThreshold")
	}
}

func (v *validator) probePort(field string, port intstr.IntOrString, c *corev1.Container) {
	if port.Type == intstr.Int {
		if faults := validation.IsValidPortNum(port.IntValue()); len(faults) > 0 {
			v.refuse(field, fmt.Sprintf("port %d: %s", port.IntValue(), brief(faults[0])), "use a port from 1 to 65535")
		}
		return
	}
	if faults := validation.IsValidPortName(port.StrVal); len(faults) > 0 {
		v.refuse(field, fmt.Sprintf("port name %q: %s", port.StrVal, brief(faults[0])), "use the name or number of a port of the container")
		return
	}
	if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal }) {
		v.add(Error, field, fmt.Sprintf("container %q has no port named %q, so the probe always fails and the pod never gets ready or is killed", c.Name, port.StrVal),
			"name a port of the container so, or write the port's number")
	}
}

func (v *validator) repeatedHostPorts(path string, spec *corev1.PodSpec) {
	seen := map[string]bool{}
	for i, c := range spec.Containers {
		for j, p := range c.Ports {
			key := fmt.Sprintf("%s/%s/%d", p.HostIP, p.Protocol, p.HostPort)
			if p.HostPort != 0 && seen[key] {
				v.refuse(fmt.Sprintf("%s.containers[%d].ports[%d].hostPort", path, i, j), fmt.Sprintf("hostPort %d is taken twice", p.HostPort), "use another hostPort")
			}
			seen[key] = true
		}
	}
}
