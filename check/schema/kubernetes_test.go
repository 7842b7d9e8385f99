package schema_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/check/schema"
)

// values are constants as a schema has them.
func values[T ~string](constants ...T) []string {
	var all []string
	for _, c := range constants {
		all = append(all, string(c))
	}
	return all
}

func TestKubernetesOwnKindsHaveTheValuesOfTheirConstants(t *testing.T) {
	const pod = "spec.template.spec."
	tests := []struct {
		apiVersion, kind, path string
		want                   []string
	}{
		{"apps/v1", "Deployment", pod + "containers.imagePullPolicy", values(corev1.PullAlways, corev1.PullNever, corev1.PullIfNotPresent)},
		{"apps/v1", "Deployment", pod + "restartPolicy", values(corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)},
		{"apps/v1", "Deployment", pod + "containers.ports.protocol", values(corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)},
		{"apps/v1", "Deployment", pod + "dnsPolicy",
			values(corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)},
		{"apps/v1", "Deployment", pod + "containers.livenessProbe.httpGet.scheme", values(corev1.URISchemeHTTP, corev1.URISchemeHTTPS)},
		{"apps/v1", "Deployment", "spec.strategy.type", values(appsv1.RecreateDeploymentStrategyType, appsv1.RollingUpdateDeploymentStrategyType)},
		{"apps/v1", "Deployment", "spec.selector.matchExpressions.operator",
			values(metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)},
		{"apps/v1", "StatefulSet", "spec.podManagementPolicy", values(appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement)},
		{"v1", "Service", "spec.type",
			values(corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName)},
		{"v1", "Service", "spec.sessionAffinity", values(corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone)},
		{"v1", "Service", "spec.ipFamilyPolicy",
			values(corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)},
		{"v1", "PersistentVolumeClaim", "spec.accessModes",
			values(corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod)},
		{"networking.k8s.io/v1", "Ingress", "spec.rules.http.paths.pathType",
			values(networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific)},
		{"networking.k8s.io/v1", "NetworkPolicy", "spec.policyTypes", values(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)},
		{"autoscaling/v2", "HorizontalPodAutoscaler", "spec.metrics.type", values(autoscalingv2.ObjectMetricSourceType, autoscalingv2.PodsMetricSourceType,
			autoscalingv2.ResourceMetricSourceType, autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType)},
		{"batch/v1", "CronJob", "spec.concurrencyPolicy", values(batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent)},
	}
	for _, test := range tests {
		n := find(t, test.apiVersion, test.kind, test.path)
		if n.Items != nil {
			n = n.Items
		}
		if !slices.Equal(slices.Sorted(slices.Values(n.Enum)), slices.Sorted(slices.Values(test.want))) {
			t.Errorf("%s %s has %q, Kubernetes knows %q", test.kind, test.path, n.Enum, test.want)
		}
	}
	for _, open := range []string{"type", "data"} { // anybody may invent a type of Secrets
		if n := find(t, "v1", "Secret", open); n.Enum != nil {
			t.Errorf("a Secret's %s can be anything, not only %q", open, n.Enum)
		}
	}
}

// find follows a path through a schema, through lists of its own accord.
func find(t *testing.T, apiVersion, kind, path string) *node {
	t.Helper()
	data, ok := schema.Document(gvk(apiVersion, kind))
	if !ok {
		t.Fatalf("no schema of %s", kind)
	}
	n := &node{}
	if err := json.Unmarshal(data, n); err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		if n.Items != nil {
			n = n.Items
		}
		if n = n.Properties[name]; n == nil {
			t.Fatalf("%s has no %s", kind, path)
		}
	}
	return n
}

// published is an OpenAPI document of an API server, as client-go tests with.
type published struct {
	Components struct{ Schemas map[string]*reference }
}

type reference struct {
	Ref        string                                  `json:"$ref"`
	AllOf      []*reference                            `json:"allOf"`
	Properties map[string]*reference                   `json:"properties"`
	Required   []string                                `json:"required"`
	Items      *reference                              `json:"items"`
	Kinds      []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
}

// since are the fields that Kubernetes itself decided otherwise about since
// client-go's document was published.
var since = []string{"hostAliases[].ip", "Set.spec", "Deployment.spec", "CronJob.spec", "StatefulSet.spec.serviceName", "TokenRequest.spec", "TokenRequest.spec.audiences",
	"podFailurePolicy.rules[].onPodConditions", "onPodConditions[].status"}

func TestKubernetesOwnKindsNeedWhatAnAPIServerSays(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/client-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range []string{"api__v1", "apis__apps__v1", "apis__batch__v1"} {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "openapi/openapitest/testdata", file+"_openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		var p published
		if err := json.Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Components.Schemas {
			if len(s.Kinds) != 1 || s.Properties["spec"] == nil {
				continue
			}
			k := s.Kinds[0]
			if data, ok := schema.Document(gvk(strings.TrimPrefix(k.Group+"/"+k.Version, "/"), k.Kind)); ok {
				ours := &node{}
				if err := json.Unmarshal(data, ours); err != nil {
					t.Fatal(err)
				}
				compared += p.compare(t, k.Kind, ours, s)
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d fields were compared", compared)
	}
}

// compare looks at the fields that both have, and counts them.
func (p published) compare(t *testing.T, path string, ours *node, theirs *reference) int {
	for theirs.Ref != "" || len(theirs.AllOf) > 0 {
		if len(theirs.AllOf) > 0 {
			theirs = theirs.AllOf[0]
		} else {
			theirs = p.Components.Schemas[theirs.Ref[strings.LastIndex(theirs.Ref, "/")+1:]]
		}
	}
	n := 1
	if ours.Items != nil && theirs.Items != nil {
		n += p.compare(t, path+"[]", ours.Items, theirs.Items)
	}
	for name, child := range theirs.Properties {
		mine := ours.Properties[name]
		if mine == nil {
			continue
		}
		here := path + "." + name
		changed := slices.ContainsFunc(since, func(end string) bool { return strings.HasSuffix(here, end) })
		if need := slices.Contains(ours.Required, name); need != slices.Contains(theirs.Required, name) && !changed {
			t.Errorf("%s: needed %v, an API server says %v", here, need, !need)
		}
		n += p.compare(t, here, mine, child)
	}
	return n
}
