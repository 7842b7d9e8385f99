package kubernetes

import (
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping"
)

// kafkaPort names the broker's port: the prefix tells Istio that it is TCP.
const kafkaPort = "tcp-kafka"

// broker is a single Kafka node without disk, for development. A client dials
// what the broker advertises, so it advertises its Service.
func broker(m *deploy.Model) []any {
	first, _, _ := strings.Cut(m.Settings.Kafka.Brokers, ",")
	host, portText, _ := strings.Cut(strings.TrimSpace(first), ":")
	name, _, _ := strings.Cut(host, ".")
	port, err := strconv.ParseInt(portText, 10, 32)
	if err != nil {
		port = 9092
	}
	labels := map[string]string{topping.AppLabel: name}
	meta := func() metav1.ObjectMeta {
		o := topping.Meta(m, name, deploy.Source{})
		o.Labels[topping.AppLabel] = name
		return o
	}
	one, grace := int32(1), int64(30)
	return []any{
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: meta(),
			Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{
				Name: kafkaPort, Port: int32(port), TargetPort: intstr.FromString(kafkaPort)}}},
		},
		&appsv1.StatefulSet{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
			ObjectMeta: meta(),
			Spec: appsv1.StatefulSetSpec{
				Replicas: &one, ServiceName: name,
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: corev1.PodSpec{
						TerminationGracePeriodSeconds: &grace,
						SecurityContext:               podSecurity("baseline"),
						Containers: []corev1.Container{{
							Name:            "kafka",
							Image:           m.Settings.Kafka.Image,
							Ports:           []corev1.ContainerPort{{Name: kafkaPort, ContainerPort: int32(port)}},
							Env:             brokerEnv(host, port),
							Resources:       corev1.ResourceRequirements{Requests: quantities(deploy.ResourceList{CPU: "200m", Memory: "768Mi"})},
							ReadinessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(kafkaPort)}}, PeriodSeconds: 5},
							SecurityContext: containerSecurity(),
						}},
					},
				},
			},
		},
	}
}

func brokerEnv(host string, port int64) []corev1.EnvVar {
	p := strconv.FormatInt(port, 10)
	controller := strconv.FormatInt(port+1, 10)
	return []corev1.EnvVar{
		{Name: "KAFKA_NODE_ID", Value: "1"},
		{Name: "KAFKA_PROCESS_ROLES", Value: "broker,controller"},
		{Name: "KAFKA_LISTENERS", Value: "PLAINTEXT://:" + p + ",CONTROLLER://:" + controller},
		{Name: "KAFKA_ADVERTISED_LISTENERS", Value: "PLAINTEXT://" + host + ":" + p},
		{Name: "KAFKA_CONTROLLER_LISTENER_NAMES", Value: "CONTROLLER"},
		{Name: "KAFKA_CONTROLLER_QUORUM_VOTERS", Value: "1@localhost:" + controller},
		{Name: "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", Value: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"},
		{Name: "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", Value: "1"},
		{Name: "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", Value: "1"},
		{Name: "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", Value: "1"},
	}
}
