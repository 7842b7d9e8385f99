// Package kubernetes is the topping for workloads: for every service a
// ServiceAccount, a Service, a Deployment of the stable track and, with more
// than one replica, a PodDisruptionBudget; a one-broker Kafka where the
// settings ask for it; and the model itself as ConfigMaps. It takes the intent
// and gives typed Kubernetes objects.
package kubernetes

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// Topping renders workloads. The zero value is ready.
type Topping struct{}

// Name is "kubernetes".
func (Topping) Name() string { return "kubernetes" }

// Title is what people see.
func (Topping) Title() string { return "Kubernetes" }

// Group is the heading the original lists it under.
func (Topping) Group() string { return "Deploy" }

// Files are template.yml and model.yml.
func (Topping) Files() []string { return []string{topping.TemplateFile, topping.ModelFile} }

// Render makes the workloads of all services, then the broker, then the model.
func (Topping) Render(m *deploy.Model) ([]manifest.Object, error) {
	objects := make([]manifest.Object, 0, 4*len(m.Services)+4)
	add := func(v any) { objects = append(objects, manifest.Object{File: topping.TemplateFile, Value: v}) }
	for _, s := range m.Services {
		add(serviceAccount(m, s))
		add(service(m, s))
		for _, track := range s.Tracks {
			if track.Name == deploy.TrackStable || track.Weight > 0 {
				add(deployment(m, s, track.Name))
			}
		}
		if s.Replicas > 1 {
			add(disruptionBudget(m, s))
		}
	}
	if m.Settings.Kafka.Mode == "dev" {
		for _, v := range broker(m) {
			add(v)
		}
	}
	parts, err := archive(m)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		objects = append(objects, manifest.Object{File: topping.ModelFile, Value: p})
	}
	return objects, nil
}

func serviceAccount(m *deploy.Model, s *deploy.Service) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: topping.ServiceMeta(m, s.Name, s),
	}
}

// portName decides the protocol for Istio: it must be http or start with it.
const portName = "http"

func service(m *deploy.Model, s *deploy.Service) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: topping.ServiceMeta(m, s.Name, s),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{topping.AppLabel: s.Name},
			Ports: []corev1.ServicePort{{
				Name: portName, Port: s.Port, TargetPort: intstr.FromString(portName),
			}},
		},
	}
}

// selector keeps app and track: the version may then change without touching
// an immutable field.
func selector(s *deploy.Service, track string) map[string]string {
	return map[string]string{topping.AppLabel: s.Name, topping.TrackLabel: track}
}

// CanarySuffix ends the name of the canary's Deployment.
const CanarySuffix = "-" + deploy.TrackCanary

// deployment makes the Deployment of one track. A canary exists only while it
// has a share of the traffic: a share without pods would be answered with 503.
func deployment(m *deploy.Model, s *deploy.Service, track string) *appsv1.Deployment {
	name, replicas := s.Name, s.Replicas
	if track == deploy.TrackCanary {
		name, replicas = s.Name+CanarySuffix, 1
	}
	meta := topping.ServiceMeta(m, name, s)
	meta.Labels[topping.TrackLabel] = track
	podLabels := selector(s, track)
	podLabels[topping.VersionLabel] = s.Version
	podMeta := metav1.ObjectMeta{Labels: podLabels}
	if m.Settings.Has("istio") {
		// Without it a service that calls others or its broker at start is up
		// before its proxy is.
		podMeta.Annotations = map[string]string{"proxy.istio.io/config": `{"holdApplicationUntilProxyStarts": true}`}
	}
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: selector(s, track)},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: podMeta, Spec: podSpec(m, s, track)},
		},
	}
	if s.Autoscaled && track == deploy.TrackStable {
		d.Spec.Replicas = nil // else every apply would undo the autoscaler
	}
	return d
}

func disruptionBudget(m *deploy.Model, s *deploy.Service) *policyv1.PodDisruptionBudget {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: topping.ServiceMeta(m, s.Name, s),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: &one,
			Selector:       &metav1.LabelSelector{MatchLabels: selector(s, deploy.TrackStable)},
		},
	}
}
