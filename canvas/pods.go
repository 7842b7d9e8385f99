package canvas

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// podPath is where a kind keeps its pod template; nil for kinds without pods.
func podPath(d *drawing) []string {
	switch {
	case d.is(groupCore, "Pod"):
		return []string{}
	case d.group == groupApps, d.is("batch", "Job"), d.is("argoproj.io", "Rollout"):
		return []string{"spec", "template"}
	case d.is("batch", "CronJob"):
		return []string{"spec", "jobTemplate", "spec", "template"}
	}
	return nil
}

// repairPods mends a pod template.
func (t *taker) repairPods(d *drawing) {
	path := podPath(d)
	if path == nil {
		return
	}
	template := at(d.node, path...)
	spec := at(template, "spec")
	if !isMapping(spec) {
		return
	}
	if d.group == groupApps {
		repairSelector(d, template)
	}
	cleanTemplate(template)
	t.repairVolumes(d, spec)
	used := map[string]bool{}
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range items(spec, list) {
			if isMapping(c) {
				t.repairContainer(d, spec, c, used)
			}
		}
		if isSequence(at(spec, list)) && empty(spec, list) {
			remove(spec, list)
		}
	}
	t.dropUnusedVolumes(spec)
}

// cleanTemplate removes the canvas's annotations from the pods, too.
func cleanTemplate(template *yaml.Node) {
	remove(template, "metadata", "creationTimestamp")
	for name := range fields(template, "metadata", "annotations") {
		if strings.HasPrefix(name, canvasPrefix) {
			remove(template, "metadata", "annotations", name)
		}
	}
	for _, key := range []string{"annotations", "namespace"} {
		if empty(template, "metadata", key) {
			remove(template, "metadata", key)
		}
	}
}

// repairSelector gives a workload the selector that apps/v1 asks for, and its
// pods the labels that the selector asks for.
func repairSelector(d *drawing, template *yaml.Node) {
	labels := at(template, "metadata", "labels")
	if empty(labels) {
		labels = pairs("app", str(validLabel(d.name)))
		set(template, labels, "metadata", "labels")
	}
	if empty(d.node, "spec", "selector") {
		set(d.node, clone(labels), "spec", "selector", "matchLabels")
	}
	for key, value := range fields(d.node, "spec", "selector", "matchLabels") {
		if isMapping(labels) && text(labels, key) != text(value) {
			set(labels, clone(value), key)
		}
	}
}

// repairVolumes keeps one volume of each name.
func (t *taker) repairVolumes(d *drawing, spec *yaml.Node) {
	var kept []*yaml.Node
	repeated := map[string]bool{}
	for _, v := range items(spec, "volumes") {
		name := validLabel(strings.ToLower(text(v, "name")))
		if name == "" {
			continue
		}
		if first := named(kept, name); first != nil {
			set(v, str(name), "name")
			if !same(first, v) {
				t.warn(d, "two different volumes are called %q; the first is kept", name)
			}
			repeated[name] = true
			continue
		}
		set(v, str(name), "name")
		kept = append(kept, v)
	}
	if len(repeated) > 0 {
		t.warn(d, "volumes drawn more than once are kept once: %s", strings.Join(sortedKeys(repeated), ", "))
	}
	setList(spec, kept, "volumes")
}

func setList(n *yaml.Node, list []*yaml.Node, key string) {
	if len(list) > 0 {
		set(n, sequence(list...), key)
	} else if isSequence(at(n, key)) {
		remove(n, key)
	}
}

func sortedKeys(set map[string]bool) []string {
	var list []string
	for key := range set {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

func (t *taker) repairContainer(d *drawing, spec, c *yaml.Node, used map[string]bool) {
	name := validLabel(strings.ToLower(strings.ReplaceAll(text(c, "name"), ".", "-")))
	if name == "" {
		name = strings.ReplaceAll(clip(d.name), ".", "-")
	}
	for base, i := name, 2; used[name]; i++ {
		name = clip(base[:min(len(base), 58)] + "-" + integer(i).Value)
	}
	used[name] = true
	set(c, str(name), "name")
	pruneBlank(c, "imagePullPolicy")
	t.repairMounts(d, spec, c)
	t.repairEnv(d, c)
	for _, key := range []string{"command", "args"} {
		for i, item := range items(c, key) {
			if item.Kind == yaml.ScalarNode && item.ShortTag() != "!!str" {
				at(c, key).Content[i] = str(item.Value)
			}
		}
	}
	var ports []*yaml.Node
	for _, p := range items(c, "ports") {
		pruneBlank(p, "name")
		if _, ok := number(p, "containerPort"); ok && !slices.ContainsFunc(ports, func(o *yaml.Node) bool { return same(o, p) }) {
			ports = append(ports, p)
		}
	}
	setList(c, ports, "ports")
	t.repairResources(d, c)
}

// repairResources drops boxes left empty and names that the API server does
// not know; "mem" is what people write for memory.
func (t *taker) repairResources(d *drawing, c *yaml.Node) {
	for key, list := range fields(c, "resources") {
		for name, v := range fields(list) {
			known := name == "cpu" || name == "memory" || name == "ephemeral-storage" || strings.HasPrefix(name, "hugepages-") || strings.Contains(name, "/")
			switch {
			case text(v) == "" && v.Kind == yaml.ScalarNode:
				remove(list, name)
			case known:
			case name == "mem" && at(list, "memory") == nil:
				remove(list, name)
				set(list, v, "memory")
				t.warn(d, "resources.%s.mem is no resource; it becomes memory", key)
			default:
				remove(list, name)
				t.warn(d, "resources.%s.%s is no resource and is removed", key, name)
			}
		}
		if empty(list) {
			remove(c, "resources", key)
		}
	}
}

// repairMounts keeps one volume on each path: the API server refuses two.
func (t *taker) repairMounts(d *drawing, spec, c *yaml.Node) {
	var kept []*yaml.Node
	for _, m := range items(c, "volumeMounts") {
		name, path := validLabel(strings.ToLower(text(m, "name"))), text(m, "mountPath")
		if path == "" || named(items(spec, "volumes"), name) == nil && !t.claimed(d, name) {
			t.warn(d, "a mount of volume %q at %q is removed: there is no such volume", name, path)
			continue
		}
		set(m, str(name), "name")
		i := slices.IndexFunc(kept, func(k *yaml.Node) bool { return text(k, "mountPath") == path })
		if i < 0 {
			kept = append(kept, m)
		} else if text(kept[i], "name") != name {
			t.warn(d, "volumes %q and %q are both mounted at %s, which Kubernetes refuses; %q is kept there", text(kept[i], "name"), name, path, text(kept[i], "name"))
		}
	}
	setList(c, kept, "volumeMounts")
}

// claimed reports whether a StatefulSet makes a volume of this name itself.
func (t *taker) claimed(d *drawing, name string) bool {
	for _, c := range items(d.node, "spec", "volumeClaimTemplates") {
		if text(c, "metadata", "name") == name {
			return true
		}
	}
	return false
}

// dropUnusedVolumes removes claims that no container mounts any more: a pod
// waits for every claim it names.
func (t *taker) dropUnusedVolumes(spec *yaml.Node) {
	mounted := map[string]bool{}
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range items(spec, list) {
			for _, m := range slices.Concat(items(c, "volumeMounts"), items(c, "volumeDevices")) {
				mounted[text(m, "name")] = true
			}
		}
	}
	var kept []*yaml.Node
	for _, v := range items(spec, "volumes") {
		if mounted[text(v, "name")] || at(v, "persistentVolumeClaim") == nil {
			kept = append(kept, v)
		}
	}
	setList(spec, kept, "volumes")
}

// repairEnv drops variables without a name and keeps the last of each name, as
// Kubernetes does.
func (t *taker) repairEnv(d *drawing, c *yaml.Node) {
	var kept []*yaml.Node
	for _, e := range items(c, "env") {
		name := text(e, "name")
		if name == "" {
			continue
		}
		if v := at(e, "value"); v != nil && v.Kind == yaml.ScalarNode && v.ShortTag() != "!!str" {
			set(e, str(v.Value), "value")
		}
		if i := slices.IndexFunc(kept, func(k *yaml.Node) bool { return text(k, "name") == name }); i >= 0 {
			if !same(kept[i], e) {
				t.warn(d, "variable %s is set twice; the last value is kept, as Kubernetes does", name)
			}
			kept[i] = e
			continue
		}
		kept = append(kept, e)
	}
	setList(c, kept, "env")
	var from []*yaml.Node
	for _, e := range items(c, "envFrom") {
		if !slices.ContainsFunc(from, func(o *yaml.Node) bool { return same(o, e) }) {
			from = append(from, e)
		}
	}
	setList(c, from, "envFrom")
}
