package canvas

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// classAnnotation is what spec.ingressClassName stands for since Kubernetes 1.18.
const classAnnotation = "kubernetes.io/ingress.class"

// repairIngress makes networking.k8s.io/v1 of all that has been an Ingress.
func (t *taker) repairIngress(d *drawing) {
	spec := at(d.node, "spec")
	if class := text(d.node, "metadata", "annotations", classAnnotation); class != "" {
		remove(d.node, "metadata", "annotations", classAnnotation)
		if empty(d.node, "metadata", "annotations") {
			remove(d.node, "metadata", "annotations")
		}
		if isMapping(spec) && text(spec, "ingressClassName") == "" {
			remove(spec, "ingressClassName")
			spec.Content = append([]*yaml.Node{str("ingressClassName"), str(class)}, spec.Content...)
		}
		t.warn(d, "the annotation %s becomes spec.ingressClassName: %s", classAnnotation, class)
	}
	if old := at(spec, "backend"); old != nil {
		remove(spec, "backend")
		set(spec, old, "defaultBackend")
	}
	if b := at(spec, "defaultBackend"); b != nil && !t.repairBackend(b) {
		remove(spec, "defaultBackend")
		t.warn(d, "a default backend without a Service is removed")
	}
	var rules []*yaml.Node
	for _, rule := range items(spec, "rules") {
		if t.repairIngressRule(d, rule) {
			rules = append(rules, rule)
		}
	}
	remove(spec, "rules")
	switch {
	case len(rules) > 0:
		set(spec, sequence(rules...), "rules")
	case at(spec, "defaultBackend") == nil:
		t.leaveOut(d, "no rule of it leads to a Service")
	}
}

func (t *taker) repairIngressRule(d *drawing, rule *yaml.Node) bool {
	if host := at(rule, "host"); host != nil && text(host) == "" {
		remove(rule, "host")
		t.warn(d, `host: "" is removed; a rule without a host is for all hosts`)
	}
	var paths []*yaml.Node
	for _, p := range items(rule, "http", "paths") {
		if !t.repairBackend(at(p, "backend")) {
			t.warn(d, "path %q is removed: its backend names no Service", text(p, "path"))
			continue
		}
		if text(p, "path") == "" {
			set(p, str("/"), "path")
		}
		if text(p, "pathType") == "" {
			set(p, str("ImplementationSpecific"), "pathType")
		}
		paths = append(paths, p)
	}
	if len(paths) > 0 {
		set(rule, sequence(paths...), "http", "paths")
	}
	return len(paths) > 0
}

// repairBackend moves the schema of v1beta1 to v1's and reports whether the
// backend leads anywhere.
func (t *taker) repairBackend(b *yaml.Node) bool {
	if !isMapping(b) {
		return false
	}
	if name := at(b, "serviceName"); name != nil {
		remove(b, "serviceName")
		set(b, name, "service", "name")
	}
	if port := at(b, "servicePort"); port != nil {
		remove(b, "servicePort")
		key := "name"
		if _, ok := number(port); ok {
			key = "number"
		}
		set(b, port, "service", "port", key)
	}
	if at(b, "resource") != nil {
		return true
	}
	name := text(b, "service", "name")
	if name == "" {
		return false
	}
	if empty(b, "service", "port") {
		s := t.names.find(name)
		if s == nil {
			return false
		}
		set(b, integer(int(s.Port)), "service", "port", "number")
	}
	return true
}

// repairServiceEntry converts spec.host and spec.port, which the original's
// panel writes and Istio does not have.
func (t *taker) repairServiceEntry(d *drawing) {
	spec := at(d.node, "spec")
	pruneTexts(spec, "hosts")
	host, port := text(spec, "host"), at(spec, "port")
	if host != "" && empty(spec, "hosts") {
		set(spec, sequence(str(host)), "hosts")
	}
	if isMapping(port) && empty(spec, "ports") {
		set(spec, sequence(clone(port)), "ports")
	}
	converted := remove(spec, "host")
	converted = remove(spec, "port") || converted
	for _, p := range items(spec, "ports") {
		if _, ok := number(p, "number"); !ok {
			t.leaveOut(d, "a port of it has no number")
			return
		}
		if text(p, "protocol") == "" {
			set(p, str("TCP"), "protocol")
		}
		if text(p, "name") == "" {
			set(p, str(strings.ToLower(text(p, "protocol"))), "name")
		}
	}
	switch {
	case empty(spec, "hosts"):
		t.leaveOut(d, "it names no host")
	case empty(spec, "ports") && empty(spec, "workloadSelector"):
		t.leaveOut(d, "it names no port")
	case converted:
		t.warn(d, "spec.host and spec.port become the lists hosts and ports that Istio reads")
	}
}

// repairGateway fills what the panel leaves empty.
func (t *taker) repairGateway(d *drawing) {
	for _, s := range items(d.node, "spec", "servers") {
		pruneTexts(s, "hosts")
		if !isMapping(s) {
			continue
		}
		if empty(s, "hosts") {
			set(s, sequence(str("*")), "hosts")
		}
		if p := at(s, "port"); isMapping(p) {
			if text(p, "protocol") == "" {
				set(p, str("HTTP"), "protocol")
			}
			if text(p, "name") == "" {
				set(p, str(strings.ToLower(text(p, "protocol"))), "name")
			}
		}
	}
}

// bareNumber is a duration that lost its unit.
var bareNumber = regexp.MustCompile(`^\d+(\.\d+)?$`)

// repairDestinationRule mends the traffic policies.
func (t *taker) repairDestinationRule(d *drawing) {
	policies := []*yaml.Node{at(d.node, "spec", "trafficPolicy")}
	for _, s := range items(d.node, "spec", "subsets") {
		policies = append(policies, at(s, "trafficPolicy"))
	}
	for _, p := range slices.Clone(policies) {
		policies = append(policies, items(p, "portLevelSettings")...)
	}
	for _, p := range policies {
		t.repairPolicy(d, p)
	}
}

func (t *taker) repairPolicy(d *drawing, policy *yaml.Node) {
	o := at(policy, "outlierDetection")
	if v := at(o, "consecutiveErrors"); v != nil {
		remove(o, "consecutiveErrors")
		if at(o, "consecutive5xxErrors") == nil {
			set(o, v, "consecutive5xxErrors")
		}
		t.warn(d, "outlierDetection.consecutiveErrors is gone from Istio; it becomes consecutive5xxErrors")
	}
	for _, key := range []string{"interval", "baseEjectionTime"} {
		pruneBlank(o, key)
		if v := text(o, key); bareNumber.MatchString(v) {
			set(o, str(v+"s"), key)
			t.warn(d, "outlierDetection.%s: %s has no unit; it becomes %ss", key, v, v)
		}
	}
	for _, path := range [][]string{{"connectionPool", "http"}, {"connectionPool", "tcp"}, {"connectionPool"}, {"outlierDetection"}, {"tls"}, {"loadBalancer"}} {
		if isMapping(at(policy, path...)) && empty(policy, path...) {
			remove(policy, path...)
		}
	}
}

// repairVirtualService puts misplaced conditions where Istio reads them.
func (t *taker) repairVirtualService(d *drawing) {
	for _, rule := range items(d.node, "spec", "http") {
		for _, m := range items(rule, "match") {
			for _, key := range []string{"prefix", "exact", "regex"} {
				if v := at(m, key); v != nil {
					remove(m, key)
					if text(v) != "" && at(m, "uri") == nil {
						set(m, v, "uri", key)
						t.warn(d, "%s: %s stood beside uri; it becomes uri.%s", key, text(v), key)
					}
				}
			}
			pruneBlank(m, "name")
		}
		if v := at(rule, "mirrorPercent"); v != nil {
			remove(rule, "mirrorPercent")
			set(rule, v, "mirrorPercentage", "value")
		}
		for _, path := range [][]string{{"timeout"}, {"retries", "perTryTimeout"}, {"fault", "delay", "fixedDelay"}} {
			pruneBlank(rule, path...)
			if v := text(rule, path...); bareNumber.MatchString(v) {
				set(rule, str(v+"s"), path...)
				t.warn(d, "%s: %s has no unit; it becomes %ss", strings.Join(path, "."), v, v)
			}
		}
	}
}
