package kubernetes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/deploy"
)

const (
	// preStopSeconds is how long a pod that is going away still answers, until
	// every proxy has heard that it left.
	preStopSeconds = 5
	// graceSeconds holds preStop, Spring's shutdown phase (30 s) and the proxy's
	// own drain (5 s).
	graceSeconds = preStopSeconds + 30 + 5

	startupPeriod, startupSeconds = 5, 120
)

func podSpec(m *deploy.Model, s *deploy.Service, track string) corev1.PodSpec {
	grace := int64(graceSeconds)
	return corev1.PodSpec{
		ServiceAccountName:            s.Name,
		TerminationGracePeriodSeconds: &grace,
		SecurityContext:               podSecurity(m.Settings.Security),
		Containers: []corev1.Container{{
			Name:            s.Name,
			Image:           s.Image,
			Ports:           []corev1.ContainerPort{{Name: portName, ContainerPort: s.Port}},
			Env:             env(m, s, track),
			Resources:       resources(s),
			StartupProbe:    probe(s, startupPeriod, startupSeconds/startupPeriod),
			ReadinessProbe:  probe(s, 5, 3),
			LivenessProbe:   probe(s, 10, 3),
			Lifecycle:       lifecycle(m.Settings.Kubernetes()),
			SecurityContext: containerSecurity(),
		}},
	}
}

// env is the broker's address, then the service's variables, then those of the
// track; a later value takes the place of an earlier one of the same name.
func env(m *deploy.Model, s *deploy.Service, track string) []corev1.EnvVar {
	k := m.Settings.Kafka
	var vars []corev1.EnvVar
	if s.Events && !slices.ContainsFunc(s.Env, func(e deploy.EnvVar) bool { return e.Name == k.Env }) {
		vars = append(vars, corev1.EnvVar{Name: k.Env, Value: k.Brokers})
	}
	for _, e := range s.Env {
		vars = append(vars, corev1.EnvVar{Name: e.Name, Value: e.Value})
	}
	if track != deploy.TrackCanary {
		return vars
	}
	for _, e := range s.CanaryEnv {
		v := corev1.EnvVar{Name: e.Name, Value: e.Value}
		if i := slices.IndexFunc(vars, func(o corev1.EnvVar) bool { return o.Name == e.Name }); i >= 0 {
			vars[i] = v
		} else {
			vars = append(vars, v)
		}
	}
	return vars
}

func resources(s *deploy.Service) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: quantities(s.Requests), Limits: quantities(s.Limits)}
}

// quantities trusts the settings' validation; a quantity that does not parse
// is left out rather than rendered wrong.
func quantities(l deploy.ResourceList) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{corev1.ResourceCPU: l.CPU, corev1.ResourceMemory: l.Memory} {
		if q, err := resource.ParseQuantity(text); text != "" && err == nil {
			list[name] = q
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

func probe(s *deploy.Service, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: s.Health, Port: intstr.FromString(portName)}},
		TimeoutSeconds:   2,
		PeriodSeconds:    period,
		FailureThreshold: failures,
	}
}

// lifecycle waits before SIGTERM. The sleep action is on by default since
// Kubernetes 1.30 (KEP-3960); before that the image's own sleep must do.
func lifecycle(k deploy.Version) *corev1.Lifecycle {
	if k.AtLeast(1, 30) {
		return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: preStopSeconds}}}
	}
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"sleep", fmt.Sprint(preStopSeconds)}}}}
}

func podSecurity(level string) *corev1.PodSecurityContext {
	p := &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	if level == "restricted" {
		yes := true
		p.RunAsNonRoot = &yes
	}
	return p
}

// containerSecurity is what the Pod Security Standards ask: baseline allows
// more, but the original's images need no capability and no escalation.
func containerSecurity() *corev1.SecurityContext {
	no := false
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
