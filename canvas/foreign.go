package canvas

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// clusterScoped are the kinds of the palette, and their neighbours, that live
// in no namespace.
var clusterScoped = map[string]bool{"Namespace": true, "PersistentVolume": true, "StorageClass": true, "ClusterRole": true,
	"ClusterRoleBinding": true, "CustomResourceDefinition": true, "PriorityClass": true, "IngressClass": true, "RuntimeClass": true,
	"Node": true, "CSIDriver": true, "APIService": true, "ValidatingWebhookConfiguration": true, "MutatingWebhookConfiguration": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true, "VolumeAttributesClass": true,
	"ClusterWorkflowTemplate": true, "GatewayClass": true, "ClusterIssuer": true}

// keepRest keeps what meshstorm does not generate.
func (t *taker) keepRest() {
	for _, d := range t.drawn {
		if d.kind == "CustomResourceDefinition" && text(d.node, "spec", "scope") == "Cluster" {
			t.scoped = append(t.scoped, text(d.node, "spec", "names", "kind"))
		}
	}
	for _, d := range t.drawn {
		t.follow(d)
		t.joinTrack(d)
		switch {
		case d.is(groupIstio, "VirtualService"):
			t.keepRoutes(d)
		case d.is(groupIstio, "DestinationRule"):
			setList(at(d.node, "spec"), items(d.node, "spec", "subsets"), "subsets")
		}
		if why := incomplete(d); why != "" {
			t.leaveOut(d, "%s", why)
			continue
		}
		t.keep(d)
	}
}

// keep appends the object to its file.
func (t *taker) keep(d *drawing) {
	meta := at(d.node, "metadata")
	namespace := ""
	if clusterScoped[d.kind] || slices.Contains(t.scoped, d.kind) {
		remove(meta, "namespace")
	} else if namespace = text(meta, "namespace"); namespace == "" {
		namespace = t.model.Settings.Namespace
		remove(meta, "namespace")
		i := indexOf(meta, "name") + 2
		meta.Content = slices.Insert(meta.Content, i, str("namespace"), str(namespace))
	}
	id := manifest.ID{Group: d.group, Kind: d.kind, Namespace: namespace, Name: d.name}
	if t.files.byID[id] != nil {
		t.leaveOut(d, "there is a %s %s already", d.kind, d.name)
		return
	}
	path := topping.TemplateFile
	if isIstio(d.group) {
		path = topping.IstioFile
	}
	if s := t.names.find(text(d.node, "spec", "template", "metadata", "labels", topping.AppLabel)); s != nil && d.kind == "Rollout" {
		t.warn(d, "its pods carry the app label of %s, so that the Service sends them requests beside those of the Deployment; keep one of the two", s.Name)
	}
	t.files.append(path, id, d.node)
	t.layout.place(d.kind, d.name, d, true)
	if d.upgraded != "" {
		t.warn(d, "%s", d.upgraded)
	}
	t.warn(d, "kept in %s", path)
	d.done = true
}

// joinTrack puts a second Deployment of a context into the canary track:
// without the label neither subset would select its pods.
func (t *taker) joinTrack(d *drawing) {
	if !d.is(groupApps, "Deployment") {
		return
	}
	s := t.byLabel(d)
	if s == nil || t.files.find(groupApps, "Deployment", s.Name) == nil || s.Name == d.name {
		return
	}
	labels := map[string]string{topping.AppLabel: s.Name, topping.TrackLabel: deploy.TrackCanary}
	for _, key := range []string{topping.AppLabel, topping.TrackLabel} {
		set(d.node, str(labels[key]), "metadata", "labels", key)
		set(d.node, str(labels[key]), "spec", "selector", "matchLabels", key)
		set(d.node, str(labels[key]), "spec", "template", "metadata", "labels", key)
	}
	t.warn(d, "is a second Deployment of %s; its pods get the labels of the canary track", s.Name)
}

// keepRoutes points a surviving VirtualService to what is there now.
func (t *taker) keepRoutes(d *drawing) {
	t.mapGateways(at(d.node, "spec", "gateways"))
	pruneTexts(d.node, "spec", "hosts")
	if empty(d.node, "spec", "hosts") {
		set(d.node, sequence(str("*")), "spec", "hosts")
	}
	t.mapHosts(d)
	names := map[string]bool{}
	for _, rule := range items(d.node, "spec", "http") {
		if name := text(rule, "name"); names[name] {
			remove(rule, "name")
		} else if name != "" {
			names[name] = true
		}
		var matches []*yaml.Node
		for _, m := range items(rule, "match") {
			t.mapGateways(at(m, "gateways"))
			if len(m.Content) > 0 {
				matches = append(matches, m)
			}
		}
		setList(rule, matches, "match")
		for _, route := range items(rule, "route") {
			t.pointToTrack(at(route, "destination"))
		}
		t.pointToTrack(at(rule, "mirror"))
		for _, m := range items(rule, "mirrors") {
			t.pointToTrack(at(m, "destination"))
		}
	}
	t.freeRoutesName(d)
}

// mapHosts writes a context's host in full: a short one means another Service
// in another namespace.
func (t *taker) mapHosts(d *drawing) {
	list := at(d.node, "spec", "hosts")
	for i, h := range items(list) {
		if s := t.names.host(text(h)); s != nil {
			list.Content[i] = str(s.Name + "." + t.model.Settings.Namespace + ".svc.cluster.local")
		}
	}
}

// freeRoutesName renames what bears the name of a generated VirtualService.
func (t *taker) freeRoutesName(d *drawing) {
	base := d.name
	for i := 1; t.files.find(d.group, d.kind, d.name) != nil; i++ {
		d.name = fmt.Sprintf("%s-canvas-%d", base, i)
	}
	if d.name != base {
		set(d.node, str(d.name), "metadata", "name")
		t.warn(d, "its name is taken by a generated object; it becomes %s", d.name)
	}
}

// incomplete says what a kept object lacks that the API server asks for; such
// are the palette's placeholders that nobody filled in.
func incomplete(d *drawing) string {
	if path := podPath(d); path != nil && d.kind != "Rollout" {
		list := items(at(d.node, path...), "spec", "containers")
		if len(list) == 0 {
			return "it has no container"
		}
		for _, c := range list {
			if text(c, "image") == "" {
				return "its container " + text(c, "name") + " has no image"
			}
		}
	}
	switch {
	case d.is("batch", "CronJob") && text(d.node, "spec", "schedule") == "":
		return "it has no schedule"
	case d.is(groupCore, "Service"):
		headless := text(d.node, "spec", "clusterIP") == "None" || text(d.node, "spec", "type") == "ExternalName"
		if !headless && len(items(d.node, "spec", "ports")) == 0 {
			return "it has no port"
		}
	case d.is(groupIstio, "DestinationRule") && text(d.node, "spec", "host") == "":
		return "it has no host"
	case d.is(groupIstio, "Gateway") && empty(d.node, "spec", "servers"):
		return "it has no server"
	}
	return ""
}
