package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The broker's names: each namespace with a model has a Service of this name
// that leads to the one pod.
const (
	kafkaService = "my-kafka"
	kafkaPod     = "my-kafka-0"
	kafkaPort    = 9092
)

// managed marks what KeepKafka made, and may change and remove.
var managed = map[string]string{"app.kubernetes.io/managed-by": "meshstorm-lab"}

// KeepKafka keeps a Service my-kafka in each namespace with a model, pointing
// at the broker's pod, until ctx ends. A Service of that name that somebody
// else made is left alone.
func (s *Store) KeepKafka(ctx context.Context, brokerNamespace string) error {
	tick := time.NewTicker(500 * time.Millisecond) // the broker's address changes when its pod is replaced
	defer tick.Stop()
	made := map[string]string{} // namespace -> address
	for {
		changed := s.Changed()
		ip := ""
		if pod, err := s.client.CoreV1().Pods(brokerNamespace).Get(ctx, kafkaPod, metav1.GetOptions{}); err == nil {
			ip = pod.Status.PodIP
		}
		namespaces := s.Namespaces()
		for _, namespace := range namespaces {
			if namespace == brokerNamespace || made[namespace] == ip || ip == "" {
				continue
			}
			if err := ensureKafka(ctx, s.client, namespace, ip); err != nil {
				s.log.Warn("no Service my-kafka", "namespace", namespace, "error", err)
				continue
			}
			made[namespace] = ip
		}
		for namespace := range made {
			if !slices.Contains(namespaces, namespace) {
				removeKafka(ctx, s.client, namespace)
				delete(made, namespace)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

func ensureKafka(ctx context.Context, client kubernetes.Interface, namespace, ip string) error {
	service, err := client.CoreV1().Services(namespace).Get(ctx, kafkaService, metav1.GetOptions{})
	switch {
	case err == nil && service.Labels["app.kubernetes.io/managed-by"] != managed["app.kubernetes.io/managed-by"]:
		return nil // the workspace's own broker
	case apierrors.IsNotFound(err):
		_, err = client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: kafkaService, Labels: managed},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "tcp-kafka", Port: kafkaPort, Protocol: corev1.ProtocolTCP}}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("make Service %s: %w", kafkaService, err)
	}
	name, port, protocol, ready := "tcp-kafka", int32(kafkaPort), corev1.ProtocolTCP, true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: kafkaService, Labels: map[string]string{
			discoveryv1.LabelServiceName: kafkaService, discoveryv1.LabelManagedBy: "meshstorm-lab",
		}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
	slices := client.DiscoveryV1().EndpointSlices(namespace)
	live, err := slices.Get(ctx, kafkaService, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	slice.ResourceVersion = live.ResourceVersion
	_, err = slices.Update(ctx, slice, metav1.UpdateOptions{})
	return err
}

func removeKafka(ctx context.Context, client kubernetes.Interface, namespace string) {
	service, err := client.CoreV1().Services(namespace).Get(ctx, kafkaService, metav1.GetOptions{})
	if err != nil || service.Labels["app.kubernetes.io/managed-by"] != managed["app.kubernetes.io/managed-by"] {
		return
	}
	_ = client.CoreV1().Services(namespace).Delete(ctx, kafkaService, metav1.DeleteOptions{})
	_ = client.DiscoveryV1().EndpointSlices(namespace).Delete(ctx, kafkaService, metav1.DeleteOptions{})
}
