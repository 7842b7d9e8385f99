package kubelet

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Models are the applied models.
type Models interface {
	// Context tells whether app names a bounded context of a model that is
	// applied in the namespace.
	Context(namespace, app string) bool
	// Dir is the folder with the namespace's models; empty for none.
	Dir(namespace string) string
	// Changed gives a channel that is closed, or sends, when models change
	// next; it is asked again after each.
	Changed() <-chan struct{}
}

// Programs finds what runs in place of an image.
type Programs interface {
	// Find gives the program of a container. The error's text is what the pod
	// shows as ErrImagePull.
	Find(p *corev1.Pod, c *corev1.Container) (Program, error)
}

// Program is what a container runs.
type Program struct {
	Path string
	// Args follow the path. The container's own command and arguments are in
	// pod.Spec; PassArgs appends the arguments here too.
	Args     []string
	PassArgs bool
	Env      []string // NAME=VALUE, before the container's own
	// Kubeconfig has a kubeconfig of the pod's service account written and named
	// in KUBECONFIG.
	Kubeconfig bool
	// Completes says that nothing runs: the container ends at once with exit
	// code 0, as istio-init does where there is no iptables to set up.
	Completes bool
	// ID is shown as the image's ID.
	ID string
}

// DefaultPrograms is the rule of docs/lab.md: istiod, the proxy, stand-ins, Kafka
// and the client.
func DefaultPrograms(podBinary, labBinary string, models Models) Programs {
	return &programs{pod: podBinary, lab: labBinary, models: models}
}

type programs struct {
	pod, lab string
	models   Models
}

var kafkaImages = map[string]bool{"apache/kafka": true, "apache/kafka-native": true, "bitnami/kafka": true, "meshstorm/kafka": true}

var clientImages = map[string]bool{
	"curl": true, "curlimages/curl": true, "meshstorm/client": true,
	"fortio": true, "fortio/fortio": true, "siege": true,
}

func (p *programs) Find(po *corev1.Pod, c *corev1.Container) (Program, error) {
	repository, tag := splitImage(c.Image)
	if strings.HasSuffix(tag, "-missing") {
		return Program{}, fmt.Errorf("%s: not found: the lab treats every tag that ends in -missing as an image that nobody pushed", c.Image)
	}
	name := repository[strings.LastIndexByte(repository, '/')+1:]
	app := po.Labels["app"]
	switch {
	case name == "proxyv2" && runsIptables(c):
		return Program{Completes: true, ID: "meshstorm-lab/no-iptables"}, nil
	case name == "proxyv2":
		return p.ofPod("proxy"), nil
	case name == "pilot":
		return Program{Path: p.lab, Args: []string{"istiod"}, PassArgs: true, Kubeconfig: true, ID: "meshstorm-lab/istiod"}, nil
	case c.Name != "istio-proxy" && app != "" && p.models.Context(po.Namespace, app):
		return p.ofPod("standin"), nil
	case kafkaImages[withoutRegistry(repository)]:
		return p.ofPod("kafka"), nil
	case clientImages[withoutRegistry(repository)] || name == "siege":
		return p.ofPod("client"), nil
	}
	return Program{}, p.unknown(po, c.Image, app)
}

func (p *programs) ofPod(command string) Program {
	return Program{Path: p.pod, Args: []string{command}, ID: "meshstorm-pod/" + command}
}

func (p *programs) unknown(po *corev1.Pod, image, app string) error {
	why := "the pod has no label app"
	if app != "" {
		why = fmt.Sprintf("label app=%s names no bounded context of a model applied in namespace %s", app, po.Namespace)
	}
	return fmt.Errorf("%s: the lab pulls no images, and %s; it can run stand-ins of applied models (any image, label app=CONTEXT), "+
		"istio/pilot, istio/proxyv2, kafka (apache/kafka, bitnami/kafka, meshstorm/kafka) and clients (curlimages/curl, curl, fortio, siege, meshstorm/client)", image, why)
}

// splitImage gives the repository and the tag of an image's name, "latest" where
// it has none. A digest is no tag.
func splitImage(image string) (repository, tag string) {
	image, _, _ = strings.Cut(image, "@")
	slash := strings.LastIndexByte(image, '/')
	if colon := strings.LastIndexByte(image, ':'); colon > slash {
		return image[:colon], image[colon+1:]
	}
	return image, "latest"
}

// withoutRegistry cuts the host off a repository, by the rule of
// distribution/reference: a first part with a dot, a colon or named localhost is
// a host.
func withoutRegistry(repository string) string {
	first, rest, ok := strings.Cut(repository, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return strings.TrimPrefix(rest, "library/")
	}
	return strings.TrimPrefix(repository, "library/")
}

func runsIptables(c *corev1.Container) bool {
	all := append(append([]string(nil), c.Command...), c.Args...)
	for i, a := range all {
		if i == 0 && a == "istio-iptables" || i == 1 && a == "istio-iptables" || a == "--run-validation" {
			return true
		}
	}
	return false
}
