package canvas

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
)

// addCanaries gives pods to every canary that a taken-over rule sends traffic
// to: the canvas had one Deployment per context, and a share without pods would
// be answered with 503.
func (t *taker) addCanaries() {
	for _, s := range t.model.Services {
		stable := t.files.find(groupApps, "Deployment", s.Name)
		if stable == nil || !t.canaryTakesTraffic(s) || t.hasCanary(s) {
			continue
		}
		name := s.Name + kubernetes.CanarySuffix
		n := clone(stable.node)
		set(n, str(name), "metadata", "name")
		for _, path := range [][]string{{"metadata", "labels"}, {"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
			set(n, str(deploy.TrackCanary), append(path, topping.TrackLabel)...)
		}
		if at(n, "spec", "replicas") != nil {
			set(n, integer(1), "spec", "replicas")
		}
		id := manifest.ID{Group: groupApps, Kind: "Deployment", Namespace: stable.ID.Namespace, Name: name}
		t.files.append(topping.TemplateFile, id, n)
		t.notes.list = append(t.notes.list, note{len(t.drawn) + 1<<20, "Deployment/" + name +
			": added with the stable track's image, because the canvas sends traffic to the canary; set its image to the version that you want to try"})
	}
}

// canaryTakesTraffic reports whether a rule of a context's VirtualServices
// sends anything to the canary.
func (t *taker) canaryTakesTraffic(s *deploy.Service) bool {
	for _, f := range t.files.list {
		for _, doc := range f.docs {
			if doc.node == nil || doc.ID.Group != groupIstio || doc.ID.Kind != "VirtualService" {
				continue
			}
			for _, rule := range items(doc.node, "spec", "http") {
				if routesToCanary(rule, s) || mirrorsToCanary(rule, s) {
					return true
				}
			}
		}
	}
	return false
}

func routesToCanary(rule *yaml.Node, s *deploy.Service) bool {
	for _, r := range items(rule, "route") {
		weight, given := number(r, "weight")
		if isCanary(s, at(r, "destination")) && (!given || weight > 0) {
			return true
		}
	}
	return false
}

// isCanary reports whether a destination is the canary of a service, whose host
// may be written short or in full.
func isCanary(s *deploy.Service, destination *yaml.Node) bool {
	host, _, _ := strings.Cut(text(destination, "host"), ".")
	return host == s.Name && text(destination, "subset") == deploy.TrackCanary
}

// mirrorsToCanary reports whether a rule copies requests to the canary.
func mirrorsToCanary(rule *yaml.Node, s *deploy.Service) bool {
	if isCanary(s, at(rule, "mirror")) {
		return true
	}
	for _, m := range items(rule, "mirrors") {
		if isCanary(s, at(m, "destination")) {
			return true
		}
	}
	return false
}

// hasCanary reports whether a Deployment of the files runs the canary's pods.
func (t *taker) hasCanary(s *deploy.Service) bool {
	for _, f := range t.files.list {
		for _, d := range f.docs {
			if d.node != nil && d.ID.Group == groupApps && d.ID.Kind == "Deployment" &&
				text(d.node, "spec", "template", "metadata", "labels", topping.AppLabel) == s.Name &&
				text(d.node, "spec", "template", "metadata", "labels", topping.TrackLabel) == deploy.TrackCanary {
				return true
			}
		}
	}
	return false
}
