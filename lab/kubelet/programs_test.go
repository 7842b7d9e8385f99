package kubelet_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/lab/kubelet"
)

func TestDefaultPrograms(t *testing.T) {
	m := &models{names: []string{"default/order"}, changed: make(chan struct{})}
	programs := kubelet.DefaultPrograms("/pod", "/lab", m)
	for _, c := range []struct {
		name, image, app, container string
		args                        []string
		want                        string // PATH ARGS, "completes", or what the error says
	}{
		{"istiod", "docker.io/istio/pilot:1.31.0", "istiod", "discovery", nil, "/lab istiod"},
		{"the sidecar of a context", "docker.io/istio/proxyv2:1.31.0", "order", "istio-proxy", []string{"proxy", "sidecar"}, "/pod proxy"},
		{"a gateway", "docker.io/istio/proxyv2:1.31.0", "istio-ingressgateway", "istio-proxy", []string{"proxy", "router"}, "/pod proxy"},
		{"istio-init", "docker.io/istio/proxyv2:1.31.0", "order", "istio-init", []string{"istio-iptables", "-p"}, "completes"},
		{"istio-validation", "docker.io/istio/proxyv2:1.31.0", "order", "istio-validation", []string{"istio-iptables", "--run-validation"}, "completes"},
		{"a context, whatever its image", "ghcr.io:443/acme/anything@sha256:00", "order", "order", nil, "/pod standin"},
		{"kafka", "bitnami/kafka:3.9", "", "kafka", nil, "/pod kafka"},
		{"kafka with its registry", "docker.io/apache/kafka", "my-kafka", "kafka", nil, "/pod kafka"},
		{"somebody else's kafka", "acme/kafka", "", "kafka", nil, "the lab pulls no images"},
		{"curl", "curlimages/curl:8", "sleep", "curl", nil, "/pod client"},
		{"the lab's client", "meshstorm/client", "", "client", nil, "/pod client"},
		{"a missing tag of a context", "acme/order:v2-missing", "order", "order", nil, "acme/order:v2-missing: not found"},
		{"an unknown image", "nginx:1", "web", "web", nil, "label app=web names no bounded context"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{"app": c.app}}}
			got, err := programs.Find(p, &corev1.Container{Name: c.container, Image: c.image, Args: c.args})
			text := strings.TrimSpace(got.Path + " " + strings.Join(got.Args, " "))
			if err != nil {
				text = err.Error()
			} else if got.Completes {
				text = "completes"
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
}
