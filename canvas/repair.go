package canvas

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// repairAll mends the damage that the original is known for, object by object,
// and leaves out what cannot be mended.
func (t *taker) repairAll() {
	for _, d := range t.drawn {
		for _, step := range []func(*drawing){t.retire, t.coerce, t.upgrade, t.repairKind, t.repairPods, t.validate} {
			if !d.done {
				step(d)
			}
		}
	}
	t.sweep()
}

// sweep forgets the drawings that are dealt with.
func (t *taker) sweep() {
	rest := t.drawn[:0]
	for _, d := range t.drawn {
		if !d.done {
			rest = append(rest, d)
		}
	}
	t.drawn = rest
}

// mixerKinds went with Istio 1.5, and with them their API group.
var mixerKinds = map[string]bool{"Rule": true, "Quota": true, "QuotaSpec": true, "QuotaSpecBinding": true, "MemQuota": true,
	"rule": true, "quota": true, "memquota": true, "handler": true, "instance": true}

// retire leaves out kinds that no cluster knows any more.
func (t *taker) retire(d *drawing) {
	switch {
	case d.group == "config.istio.io", mixerKinds[d.kind] && (d.group == "" || isIstio(d.group)):
		t.leaveOut(d, "Istio removed Mixer and its kinds in 1.5")
	case d.group == "authentication.istio.io" || d.group == "rbac.istio.io":
		t.leaveOut(d, "Istio removed the API group %s in 1.6", d.group)
	case at(d.node, "spec", "runLatest") != nil:
		t.leaveOut(d, "Knative removed runLatest in 2019; a Service of serving.knative.dev/v1 has spec.template")
	case d.kind == "PodSecurityPolicy":
		t.leaveOut(d, "Kubernetes removed it in 1.25; the setting security does its work")
	}
}

// coerce gives values the type that their field has: panels leave numbers as
// text, and people write label values without quotes.
func (t *taker) coerce(d *drawing) { coerceIn(d.node, "") }

// stringMaps are fields whose values are always text.
var stringMaps = map[string]bool{"labels": true, "annotations": true, "matchLabels": true, "data": true, "stringData": true,
	"nodeSelector": true, "parameters": true, "sourceLabels": true}

// numeric are the fields that the original's panels fill from text boxes.
var numeric = map[string]bool{"replicas": true, "minReplicas": true, "maxReplicas": true, "averageUtilization": true,
	"targetAverageUtilization": true, "targetCPUUtilizationPercentage": true, "containerPort": true, "port": true,
	"targetPort": true, "nodePort": true, "hostPort": true, "servicePort": true, "number": true, "weight": true,
	"initialDelaySeconds": true, "timeoutSeconds": true, "periodSeconds": true, "failureThreshold": true,
	"successThreshold": true, "backoffLimit": true, "completions": true, "parallelism": true,
	"revisionHistoryLimit": true, "minReadySeconds": true, "terminationGracePeriodSeconds": true,
	"activeDeadlineSeconds": true, "ttlSecondsAfterFinished": true, "successfulJobsHistoryLimit": true,
	"failedJobsHistoryLimit": true, "maxConnections": true, "http1MaxPendingRequests": true, "http2MaxRequests": true,
	"maxRequestsPerConnection": true, "maxRetries": true, "consecutiveErrors": true, "consecutive5xxErrors": true,
	"consecutiveGatewayErrors": true, "maxEjectionPercent": true, "minHealthPercent": true, "attempts": true,
	"httpStatus": true, "percent": true, "mirrorPercent": true}

func coerceIn(n *yaml.Node, parent string) {
	for key, value := range fields(n) {
		scalar := value.Kind == yaml.ScalarNode
		switch {
		case stringMaps[key] || key == "selector" && isFlat(value):
			toStrings(value, key != "annotations" && key != "data" && key != "stringData")
		case scalar && (numeric[key] || key == "value" && strings.HasSuffix(parent, "ercentage")):
			toNumber(n, key, value)
		case !scalar:
			coerceIn(value, key)
		}
	}
	for _, item := range items(n) {
		coerceIn(item, parent)
	}
}

// isFlat reports whether all values are scalars, as in a Service's selector.
func isFlat(n *yaml.Node) bool {
	for _, value := range fields(n) {
		if value.Kind != yaml.ScalarNode {
			return false
		}
	}
	return isMapping(n)
}

// toStrings makes text of numbers and booleans, and valid values of labels.
func toStrings(n *yaml.Node, labels bool) {
	for key, value := range fields(n) {
		if value.Kind != yaml.ScalarNode {
			continue
		}
		s := value.Value
		if labels {
			s = validLabel(s)
		}
		if s != value.Value || value.ShortTag() != "!!str" {
			set(n, str(s), key)
		}
	}
}

// toNumber makes a number of text; a text box left empty is no field.
func toNumber(n *yaml.Node, key string, value *yaml.Node) {
	if value.ShortTag() != "!!str" {
		return
	}
	if strings.TrimSpace(value.Value) == "" {
		remove(n, key)
	} else if i, ok := number(value); ok {
		set(n, integer(i), key)
	}
}
