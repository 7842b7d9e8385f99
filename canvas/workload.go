package canvas

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping"
)

// editor carries what differs from the original's own default from a drawing
// to the generated object it stands for.
type editor struct {
	*taker
	d    *drawing
	doc  *document
	took bool
}

// take sets a value and tells people.
func (e *editor) take(what string, value *yaml.Node, path ...string) {
	if same(at(e.doc.node, path...), value) {
		return
	}
	e.doc.edit(clone(value), path...)
	e.tell("%s", what)
}

func (e *editor) tell(format string, args ...any) {
	e.took = true
	e.warn(e.d, "taken over: "+format, args...)
}

// close folds the drawing and, where nothing else was said, says where to.
func (e *editor) close() {
	if !e.took && e.d.original != e.doc.ID.Name {
		e.warn(e.d, "folded into %s/%s; nothing in it differs from the original's default", e.doc.ID.Kind, e.doc.ID.Name)
	} else if e.d.original != e.doc.ID.Name {
		e.warn(e.d, "folded into %s/%s", e.doc.ID.Kind, e.doc.ID.Name)
	}
	e.fold(e.d, e.doc)
}

// foldWorkloads folds what is of a bounded context.
func (t *taker) foldWorkloads() {
	scaled := t.autoscaled()
	for _, kind := range contextKinds { // Deployments first: a Service looks at their ports
		for _, d := range t.drawn {
			if d.kind == kind && d.service != nil && !d.done {
				t.foldWorkload(d, scaled[d.service])
			}
		}
	}
	t.sweep()
}

func (t *taker) foldWorkload(d *drawing, scaled bool) {
	t.follow(d)
	e := &editor{taker: t, d: d, doc: t.generated(d)}
	e.metadata("metadata")
	switch d.kind {
	case "Deployment":
		e.deployment(scaled)
	case "Service":
		e.service()
	case "ServiceAccount":
		e.fields(nil, "imagePullSecrets", "secrets", "automountServiceAccountToken")
	case "PodDisruptionBudget":
		e.budget()
	}
	e.close()
}

// autoscaled are the contexts whose replicas an autoscaler decides.
func (t *taker) autoscaled() map[*deploy.Service]bool {
	scaled := map[*deploy.Service]bool{}
	for _, d := range t.drawn {
		if d.kind == "HorizontalPodAutoscaler" && text(d.node, "spec", "scaleTargetRef", "kind") == "Deployment" {
			name := t.resolve("Deployment", text(d.node, "spec", "scaleTargetRef", "name"))
			if s := t.model.Service(name); s != nil {
				scaled[s] = true
			}
		}
	}
	return scaled
}

// identity are the labels that meshstorm's selectors and subsets rest on.
var identity = map[string]bool{topping.AppLabel: true, topping.VersionLabel: true, topping.TrackLabel: true}

// metadata takes further labels and annotations.
func (e *editor) metadata(path ...string) {
	for _, key := range []string{"labels", "annotations"} {
		for name, value := range fields(at(e.d.node, path...), key) {
			if key == "labels" && identity[name] || strings.HasPrefix(name, "meshstorm.io/") || value.Kind != yaml.ScalarNode {
				continue
			}
			e.take(strings.TrimSuffix(key, "s")+" "+name+": "+value.Value, value, append(path[:len(path):len(path)], key, name)...)
		}
	}
	if namespace := text(e.d.node, "metadata", "namespace"); len(path) == 1 && namespace != "" && namespace != e.model.Settings.Namespace {
		e.warn(e.d, "namespace %s is not taken over: the setting namespace decides (%s)", namespace, e.model.Settings.Namespace)
	}
}

// fields takes whole fields where they are given.
func (e *editor) fields(path []string, keys ...string) {
	for _, key := range keys {
		if v := at(at(e.d.node, path...), key); !blank(v) {
			e.take(strings.Join(append(path[:len(path):len(path)], key), "."), v, append(path[:len(path):len(path)], key)...)
		}
	}
}

// blank reports whether a value says nothing. false and 0 say something.
func blank(n *yaml.Node) bool { return empty(n) }

// clusterDefaults are what an API server fills in, and so no edit in a drawing
// that was imported from a cluster.
var clusterDefaults = map[string]string{
	"progressDeadlineSeconds": "600", "revisionHistoryLimit": "10", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
	"schedulerName": "default-scheduler", "terminationGracePeriodSeconds": "30", "terminationMessagePath": "/dev/termination-log",
	"terminationMessagePolicy": "File", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "paused": "false",
	"minReadySeconds": "0", "hostNetwork": "false", "hostPID": "false", "hostIPC": "false", "stdin": "false", "tty": "false",
	"enableServiceLinks": "true", "publishNotReadyAddresses": "false",
}

// rest takes all fields but those named, which others deal with.
func (e *editor) rest(from *yaml.Node, to []string, label string, but ...string) {
next:
	for key, value := range fields(from) {
		for _, b := range but {
			if key == b {
				continue next
			}
		}
		if blank(value) || value.Kind == yaml.ScalarNode && clusterDefaults[key] == value.Value {
			continue
		}
		e.take(label+key, value, append(to[:len(to):len(to)], key)...)
	}
}

func (e *editor) deployment(autoscaled bool) {
	spec := at(e.d.node, "spec")
	if n, ok := number(spec, "replicas"); ok && n != 1 && n >= 0 {
		if autoscaled {
			e.warn(e.d, "replicas: %d is not taken over: a HorizontalPodAutoscaler decides", n)
		} else {
			e.take("replicas: "+integer(n).Value, integer(n), "spec", "replicas")
		}
	}
	if rolling := at(spec, "strategy", "rollingUpdate"); text(rolling, "maxSurge") == "25%" && text(rolling, "maxUnavailable") == "25%" {
		remove(spec, "strategy") // what every API server fills in
	}
	e.rest(spec, []string{"spec"}, "spec.", "replicas", "selector", "template")
	e.metadata("spec", "template", "metadata")
	if v := text(spec, "template", "metadata", "labels", topping.VersionLabel); v != "" {
		e.take("label version: "+v+" of the pods", str(validLabel(v)), "spec", "template", "metadata", "labels", topping.VersionLabel)
	}
	if at(spec, "selector", "matchLabels", topping.VersionLabel) != nil {
		e.warn(e.d, "its selector's label version is not taken over: the next version would need another Deployment; track and app select here")
	}
	e.pod(at(spec, "template", "spec"))
}

func (e *editor) budget() {
	for _, key := range []string{"minAvailable", "maxUnavailable"} {
		v := at(e.d.node, "spec", key)
		if v == nil || same(v, at(e.doc.node, "spec", key)) {
			continue
		}
		remove(e.doc.node, "spec", "minAvailable") // the API server takes one of the two
		remove(e.doc.node, "spec", "maxUnavailable")
		e.take(key+": "+text(v), v, "spec", key)
		return
	}
}
