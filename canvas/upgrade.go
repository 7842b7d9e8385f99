package canvas

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
)

// upgrade moves an object from an API version that Kubernetes removed to the
// one that stands for it, where the schema is the same or a rule converts it
// (https://kubernetes.io/docs/reference/using-api/deprecation-guide/), and
// Istio's objects to the version that the settings select.
func (t *taker) upgrade(d *drawing) {
	old := text(d.node, "apiVersion")
	now := currentVersion(d, t.model.Settings.Istio())
	if now == "" || now == old {
		return
	}
	d.setVersion(now)
	if d.kind == "HorizontalPodAutoscaler" {
		upgradeMetrics(d)
	}
	d.upgraded = old + " becomes " + now
}

// currentVersion is the API version to write; "" where the one drawn stands.
func currentVersion(d *drawing, istio deploy.Version) string {
	beta := strings.Contains(d.version, "beta") || strings.Contains(d.version, "alpha")
	switch {
	case isIstio(d.group):
		return istioVersion(d, istio)
	case d.group == groupCore && versions[d.kind] != "" && versions[d.kind] != "v1", d.group == "extensions":
		if d.kind == "NetworkPolicy" {
			return "networking.k8s.io/v1"
		}
		if v := versions[d.kind]; !isIstio(d.group) && !strings.Contains(v, ".istio.io/") {
			return v
		}
	case !beta:
		return ""
	case d.group == groupApps || d.group == "batch" || d.group == "policy" || d.group == groupRBAC ||
		d.group == "networking.k8s.io" || d.group == "storage.k8s.io" || d.group == "scheduling.k8s.io":
		return d.group + "/v1"
	case d.group == "autoscaling":
		return "autoscaling/v2"
	}
	return ""
}

// istioVersion follows Istio's releases: v1 of networking, security and
// telemetry came with 1.22.
func istioVersion(d *drawing, istio deploy.Version) string {
	if !hasShape(d.group, d.kind) {
		return ""
	}
	v1 := istio.AtLeast(1, 22)
	switch {
	case d.kind == "EnvoyFilter":
		return groupIstio + "/v1alpha3"
	case d.kind == "ProxyConfig":
		return groupIstio + "/v1beta1"
	case d.kind == "WasmPlugin":
		return "extensions.istio.io/v1alpha1"
	case v1:
		return d.group + "/v1"
	case d.kind == "Telemetry":
		return d.group + "/v1alpha1"
	}
	return d.group + "/v1beta1"
}

// upgradeMetrics rewrites metrics of autoscaling/v2beta1, where the target's
// value lay beside the metric's name.
func upgradeMetrics(d *drawing) {
	for _, m := range items(d.node, "spec", "metrics") {
		for _, source := range []string{"resource", "pods", "object", "external"} {
			if s := at(m, source); isMapping(s) && at(s, "target", "type") == nil {
				upgradeMetric(s, source)
			}
		}
	}
}

func upgradeMetric(s *yaml.Node, source string) {
	target := mapping()
	for _, f := range []struct{ old, typ, field string }{
		{"targetAverageUtilization", "Utilization", "averageUtilization"},
		{"targetAverageValue", "AverageValue", "averageValue"},
		{"averageValue", "AverageValue", "averageValue"},
		{"targetValue", "Value", "value"},
	} {
		if v := at(s, f.old); v != nil {
			remove(s, f.old)
			if len(target.Content) == 0 {
				target = pairs("type", str(f.typ), f.field, v)
			}
		}
	}
	if source == "object" && at(s, "target") != nil {
		set(s, at(s, "target"), "describedObject")
		remove(s, "target")
	}
	if name := at(s, "metricName"); name != nil {
		remove(s, "metricName")
		set(s, name, "metric", "name")
		if selector := at(s, "metricSelector"); selector != nil {
			remove(s, "metricSelector")
			set(s, selector, "metric", "selector")
		}
	}
	if len(target.Content) > 0 {
		set(s, target, "target")
	}
}
