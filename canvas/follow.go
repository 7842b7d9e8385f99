package canvas

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolve is the name that an object of the canvas has now.
func (t *taker) resolve(kind, name string) string {
	if now, ok := t.renamed[ref{kind, name}]; ok {
		return now
	}
	if kind == "Gateway" {
		if t.files.find(groupIstio, "Gateway", t.model.Settings.Gateway.Name) != nil {
			return t.model.Settings.Gateway.Name
		}
		return name
	}
	if slices.Contains(contextKinds, kind) {
		if s := t.names.find(name); s != nil && t.generatedFor(kind, s.Name) {
			return s.Name
		}
	}
	return name
}

func (t *taker) generatedFor(kind, name string) bool {
	return t.files.find(groupCore, kind, name) != nil || t.files.find(groupApps, kind, name) != nil
}

// kindByField says what kind of object a field's text names.
var kindByField = map[string]string{
	"claimName": "PersistentVolumeClaim", "secretName": "Secret", "serviceAccountName": "ServiceAccount",
	"storageClassName": "StorageClass", "volumeName": "PersistentVolume", "serviceName": "Service",
	"stableService": "Service", "canaryService": "Service", "activeService": "Service", "previewService": "Service",
}

// kindByParent says what kind a mapping with a name refers to.
var kindByParent = map[string]string{
	"configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
	"secretRef": "Secret", "secretKeyRef": "Secret", "imagePullSecrets": "Secret",
	"service": "Service", "virtualService": "VirtualService", "virtualServices": "VirtualService",
	"destinationRule": "DestinationRule",
}

// follow lets the references inside an object follow those that got another
// name: context objects their DNS name, others a valid one.
func (t *taker) follow(d *drawing) {
	for key, value := range fields(d.node) {
		if key != "metadata" {
			t.followIn(d, value, key)
		}
	}
	if template := at(d.node, podPath(d)...); podPath(d) != nil {
		t.followIn(d, at(template, "spec"), "spec")
	}
	t.followSelectors(d)
}

func (t *taker) followIn(d *drawing, n *yaml.Node, parent string) {
	kind := kindByParent[parent]
	switch parent {
	case "scaleTargetRef", "roleRef", "subjects", "workloadRef":
		kind = text(n, "kind")
	case "secret", "env", "data", "stringData", "metadata", "labels", "annotations":
		kind = ""
	}
	if name := text(n, "name"); kind != "" && name != "" {
		if now := t.resolve(kind, name); now != name {
			set(n, str(now), "name")
		}
	}
	for key, value := range fields(n) {
		if k := kindByField[key]; k != "" && value.Kind == yaml.ScalarNode {
			if now := t.resolve(k, value.Value); now != value.Value {
				set(n, str(now), key)
			}
		} else if value.Kind != yaml.ScalarNode && key != "metadata" && !stringMaps[key] {
			t.followIn(d, value, key)
		}
	}
	for _, item := range items(n) {
		t.followIn(d, item, parent)
	}
	if parent == "destinationRule" {
		for _, key := range []string{"canarySubsetName", "stableSubsetName"} {
			if v := text(n, key); v != "" {
				track, _, _ := strings.Cut(key, "Subset")
				set(n, str(track), key)
			}
		}
	}
}

// followSelectors lets selectors by app follow a context's name, for the
// context's pods carry the DNS name.
func (t *taker) followSelectors(d *drawing) {
	for _, path := range [][]string{{"spec", "selector"}, {"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}} {
		if podPath(d) != nil {
			return // a workload selects its own pods
		}
		app := text(at(d.node, path...), "app")
		if s := t.names.find(app); app != "" && s != nil && s.Name != app && t.generatedFor("Deployment", s.Name) {
			set(d.node, str(s.Name), append(path[:len(path):len(path)], "app")...)
			t.warn(d, "its selector app: %s becomes %s, as the context's pods are labelled", app, s.Name)
		}
	}
}
