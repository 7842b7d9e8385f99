package capture

import (
	"reflect"
	"strings"
	"sync"
)

// podDefaults are what the API server writes into a pod's specification where
// it says nothing (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go). "*" is any
// item of a list.
var podDefaults = map[string][]any{
	"restartPolicy": {"Always"}, "dnsPolicy": {"ClusterFirst"}, "schedulerName": {"default-scheduler"},
	"terminationGracePeriodSeconds": {int64(30)}, "securityContext": {map[string]any{}}, "enableServiceLinks": {true},
	"volumes.*.configMap.defaultMode": {int64(420)}, "volumes.*.secret.defaultMode": {int64(420)},
	"volumes.*.projected.defaultMode": {int64(420)}, "volumes.*.downwardAPI.defaultMode": {int64(420)},
	"volumes.*.hostPath.type":                                               {""},
	"volumes.*.downwardAPI.items.*.fieldRef.apiVersion":                     {"v1"},
	"volumes.*.projected.sources.*.serviceAccountToken.expirationSeconds":   {int64(3600)},
	"volumes.*.projected.sources.*.downwardAPI.items.*.fieldRef.apiVersion": {"v1"},
}

var containerDefaults = map[string][]any{
	"terminationMessagePath": {"/dev/termination-log"}, "terminationMessagePolicy": {"File"}, "resources": {map[string]any{}},
	"ports.*.protocol": {"TCP"}, "env.*.valueFrom.fieldRef.apiVersion": {"v1"}, "env.*.valueFrom.resourceFieldRef.divisor": {"0"},
	"securityContext": {map[string]any{}}, "lifecycle.preStop.httpGet.scheme": {"HTTP"}, "lifecycle.postStart.httpGet.scheme": {"HTTP"},
	"volumeMounts.*.recursiveReadOnly": {"Disabled"},
}

var probeDefaults = map[string][]any{
	"timeoutSeconds": {int64(1)}, "periodSeconds": {int64(10)}, "successThreshold": {int64(1)}, "failureThreshold": {int64(3)},
	"initialDelaySeconds": {int64(0)}, "httpGet.scheme": {"HTTP"}, "grpc.service": {""},
}

// templates are where each kind has its pod template.
var templates = map[string]string{
	"apps/Deployment": "spec.template", "apps/StatefulSet": "spec.template", "apps/DaemonSet": "spec.template",
	"batch/Job": "spec.template", "batch/CronJob": "spec.jobTemplate.spec.template", "/ReplicationController": "spec.template",
}

func quarter() map[string]any { return map[string]any{"maxSurge": "25%", "maxUnavailable": "25%"} }

// kindDefaults are those of the kinds themselves.
var kindDefaults = map[string]map[string][]any{
	"apps/Deployment": {
		"spec.replicas": {int64(1)}, "spec.progressDeadlineSeconds": {int64(600)}, "spec.revisionHistoryLimit": {int64(10)},
		"spec.strategy":               {map[string]any{"type": "RollingUpdate", "rollingUpdate": quarter()}, map[string]any{"type": "RollingUpdate"}},
		"spec.strategy.rollingUpdate": {quarter()},
	},
	"apps/StatefulSet": {
		"spec.replicas": {int64(1)}, "spec.revisionHistoryLimit": {int64(10)}, "spec.podManagementPolicy": {"OrderedReady"},
		"spec.updateStrategy": {map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(0)}},
			map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(0), "maxUnavailable": int64(1)}}},
		"spec.persistentVolumeClaimRetentionPolicy": {map[string]any{"whenDeleted": "Retain", "whenScaled": "Retain"}},
		"spec.volumeClaimTemplates.*.status":        {map[string]any{"phase": "Pending"}}, "spec.volumeClaimTemplates.*.spec.volumeMode": {"Filesystem"},
		"spec.volumeClaimTemplates.*.kind": {"PersistentVolumeClaim"}, "spec.volumeClaimTemplates.*.apiVersion": {"v1"},
	},
	"apps/DaemonSet": {
		"spec.revisionHistoryLimit": {int64(10)},
		"spec.updateStrategy":       {map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": int64(0), "maxUnavailable": int64(1)}}},
	},
	"batch/Job": {
		"spec.backoffLimit": {int64(6)}, "spec.completionMode": {"NonIndexed"}, "spec.completions": {int64(1)}, "spec.parallelism": {int64(1)},
		"spec.suspend": {false}, "spec.manualSelector": {false}, "spec.podReplacementPolicy": {"TerminatingOrFailed"},
	},
	"batch/CronJob": {
		"spec.concurrencyPolicy": {"Allow"}, "spec.failedJobsHistoryLimit": {int64(1)}, "spec.successfulJobsHistoryLimit": {int64(3)}, "spec.suspend": {false},
		"spec.jobTemplate.metadata": {map[string]any{}},
	},
	"/Service": {
		"spec.type": {"ClusterIP"}, "spec.sessionAffinity": {"None"}, "spec.internalTrafficPolicy": {"Cluster"}, "spec.ipFamilyPolicy": {"SingleStack"},
		"spec.externalTrafficPolicy": {"Cluster"}, "spec.allocateLoadBalancerNodePorts": {true}, "spec.ports.*.protocol": {"TCP"},
		"spec.sessionAffinityConfig": {map[string]any{"clientIP": map[string]any{"timeoutSeconds": int64(10800)}}},
	},
	"/PersistentVolumeClaim": {"spec.volumeMode": {"Filesystem"}},
	"autoscaling/HorizontalPodAutoscaler": {"spec.minReplicas": {int64(1)}, "spec.metrics": {[]any{map[string]any{"type": "Resource",
		"resource": map[string]any{"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": int64(80)}}}}}},
	"networking.k8s.io/NetworkPolicy": {"spec.ingress.*.ports.*.protocol": {"TCP"}, "spec.egress.*.ports.*.protocol": {"TCP"}},
	"rbac.authorization.k8s.io/RoleBinding": {
		"subjects.*.apiGroup": {"rbac.authorization.k8s.io"},
	},
}

// defaults are the default values by kind and field; those of pods under each
// place where a kind has them.
var defaults = sync.OnceValue(func() map[string]map[string][]any {
	all := map[string]map[string][]any{}
	put := func(kind, at string, values map[string][]any) {
		if all[kind] == nil {
			all[kind] = map[string][]any{}
		}
		for path, v := range values {
			all[kind][strings.TrimPrefix(at+"."+path, ".")] = v
		}
	}
	for kind, values := range kindDefaults {
		put(kind, "", values)
	}
	for kind, at := range templates {
		put(kind, at+".spec", podDefaults)
		for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
			container := at + ".spec." + list + ".*"
			put(kind, container, containerDefaults)
			for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
				put(kind, container+"."+probe, probeDefaults)
			}
		}
	}
	return all
})

// isDefault tells whether a field's value is what the API server makes of
// nothing. in is the mapping that the field stands in.
func isDefault(kind, path string, value any, in map[string]any) bool {
	for _, d := range defaults()[kind][path] {
		if equal(d, value) {
			return true
		}
	}
	if at, ok := templates[kind]; ok && strings.HasPrefix(path, at+".spec.") {
		switch path[strings.LastIndexByte(path, '.')+1:] {
		case "imagePullPolicy":
			image, _ := in["image"].(string)
			return value == pullPolicy(image)
		case "serviceAccount": // the old name, which the server keeps alike
			return equal(value, in["serviceAccountName"]) || in["serviceAccountName"] == nil && value == "default"
		case "serviceAccountName":
			return value == "default"
		case "hostPort":
			return equal(value, int64(0))
		}
	}
	return kind == "/Service" && path == "spec.ports.*.targetPort" && equal(value, in["port"])
}

// pullPolicy is the default: an image that may change under its name is always
// pulled.
func pullPolicy(image string) string {
	name := image[strings.LastIndexByte(image, '/')+1:]
	_, tag, tagged := strings.Cut(name, ":")
	if !strings.Contains(name, "@") && (!tagged || tag == "latest") {
		return "Always"
	}
	return "IfNotPresent"
}

// serverAnnotations are written by controllers and by kubectl.
var serverAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/", "deprecated.daemonset.template.generation", "kubectl.kubernetes.io/restartedAt",
	"pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "control-plane.alpha.kubernetes.io/", "meshstorm.io/shift",
	"endpoints.kubernetes.io/", "batch.kubernetes.io/", "autoscaling.alpha.kubernetes.io/",
}

var serverMetadata = map[string]bool{
	"managedFields": true, "uid": true, "resourceVersion": true, "creationTimestamp": true, "generation": true, "selfLink": true,
	"deletionTimestamp": true, "deletionGracePeriodSeconds": true, "finalizers": true, "ownerReferences": true,
}

// isServers tells whether a field is the server's to write, whatever its value.
func isServers(kind, path, key string, value any) bool {
	switch {
	case path == "status":
		return true
	case path == "metadata."+key && serverMetadata[key], strings.HasSuffix(path, ".metadata.creationTimestamp"):
		return true
	case path == "metadata.annotations."+key, strings.HasSuffix(path, ".template.metadata.annotations."+key):
		for _, p := range serverAnnotations {
			if key == p || strings.HasSuffix(p, "/") && strings.HasPrefix(key, p) {
				return true
			}
		}
	}
	switch kind {
	case "/Service":
		headless := value == "None" || reflect.DeepEqual(value, []any{"None"})
		switch path {
		case "spec.clusterIP":
			return !headless
		case "spec.clusterIPs", "spec.healthCheckNodePort":
			return true
		case "spec.ipFamilies":
			list, _ := value.([]any)
			return len(list) < 2
		}
	case "/PersistentVolumeClaim":
		return path == "spec.volumeName"
	case "/ServiceAccount":
		return path == "secrets"
	case "batch/Job":
		return path == "spec.selector" || strings.HasSuffix(path, "metadata.labels."+key) && (strings.HasSuffix(key, "controller-uid") || strings.HasSuffix(key, "job-name"))
	}
	return false
}

// clean is a copy of an object without what only the server writes. defaulted
// says whether default values go too.
func (c cleaner) clean(kind string, content map[string]any) map[string]any {
	out, _ := c.value(kind, "", content).(map[string]any)
	delete(out, "status")
	return out
}

// cleaner says what is taken out besides what only the server writes.
type cleaner struct{ defaults, nodePorts bool }

func (c cleaner) value(kind, path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, field := range v {
			p := strings.TrimPrefix(path+"."+key, ".")
			if field == nil || isServers(kind, p, key, field) ||
				c.nodePorts && kind == "/Service" && p == "spec.ports.*.nodePort" ||
				c.defaults && key != "replicas" && isDefault(kind, p, field, v) { // how many run is what people look for
				continue
			}
			cleaned := c.value(kind, p, field)
			if emptied(cleaned) && !emptied(field) {
				continue
			}
			out[key] = cleaned
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, c.value(kind, path+".*", item))
		}
		return out
	}
	return v
}

func emptied(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
