package kubelet

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// configMap reads from the watch cache, and from the API where the cache may be
// behind. Nil without an error: it is optional and not there.
func (k *Kubelet) configMap(ctx context.Context, namespace, name string, optional *bool) (*corev1.ConfigMap, error) {
	cm, err := k.configMaps.ConfigMaps(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		cm, err = k.o.Client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		if optional != nil && *optional {
			return nil, nil
		}
		return nil, fmt.Errorf("configmap %q not found", name)
	}
	return cm, err
}

// secret is configMap for Secrets.
func (k *Kubelet) secret(ctx context.Context, namespace, name string, optional *bool) (*corev1.Secret, error) {
	s, err := k.secrets.Secrets(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		s, err = k.o.Client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		if optional != nil && *optional {
			return nil, nil
		}
		return nil, fmt.Errorf("secret %q not found", name)
	}
	return s, err
}

// services of a namespace, and the API server's.
func (k *Kubelet) services(namespace string) []*corev1.Service {
	all, _ := k.serviceLister.Services(namespace).List(labels.Everything())
	if namespace != metav1.NamespaceDefault {
		if s, err := k.serviceLister.Services(metav1.NamespaceDefault).Get("kubernetes"); err == nil {
			all = append(all, s)
		}
	}
	return all
}
