package canvas

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/meshstorm/meshstorm/deploy"
)

// defaultPort is the port of all containers and Services that the original
// draws.
const defaultPort = 8080

// The probes that the original gives every Deployment (failureThreshold and
// initialDelaySeconds differ between the two).
func defaultProbe(delay, failures int) *yaml.Node {
	return pairs("httpGet", pairs("path", str("/actuator/health"), "port", integer(defaultPort)),
		"initialDelaySeconds", integer(delay), "timeoutSeconds", integer(2), "periodSeconds", integer(5), "failureThreshold", integer(failures))
}

var podHere = []string{"spec", "template", "spec"}

// pod takes what differs in a Deployment's pods.
func (e *editor) pod(spec *yaml.Node) {
	main := e.mainContainer(spec)
	to := at(e.doc.node, append(podHere[:3:3], "containers")...)
	if main != nil && isSequence(to) && len(to.Content) > 0 {
		e.container(main, to.Content[0])
	}
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range items(spec, list) {
			if c == main {
				continue
			}
			if !validImage(text(c, "image")) {
				e.warn(e.d, "container %s is left out: its image %q is no image reference", text(c, "name"), text(c, "image"))
				continue
			}
			if text(c, "name") == e.d.service.Name {
				set(c, str(clip(e.d.service.Name+"-"+strings.ToLower(list[:4]))), "name")
			}
			add(e.doc.node, clone(c), append(podHere[:3:3], list)...)
			e.doc.edited = true
			e.tell("container %s", text(c, "name"))
		}
	}
	for _, v := range items(spec, "volumes") {
		add(e.doc.node, clone(v), append(podHere[:3:3], "volumes")...)
		e.doc.edited = true
		e.tell("volume %s", text(v, "name"))
	}
	e.rest(spec, podHere, "the pods' ", "containers", "initContainers", "volumes", "serviceAccount")
}

// mainContainer is the one that the context's image runs in.
func (e *editor) mainContainer(spec *yaml.Node) *yaml.Node {
	list := items(spec, "containers")
	for _, fits := range []func(*yaml.Node) bool{
		func(c *yaml.Node) bool { return e.names.find(text(c, "name")) == e.d.service },
		func(c *yaml.Node) bool {
			return slices.ContainsFunc(items(c, "ports"), func(p *yaml.Node) bool { n, _ := number(p, "containerPort"); return n == defaultPort })
		},
		func(*yaml.Node) bool { return true },
	} {
		if i := slices.IndexFunc(list, fits); i >= 0 {
			return list[i]
		}
	}
	return nil
}

func (e *editor) container(from, to *yaml.Node) {
	e.image(text(from, "image"), to)
	e.ports(from, to)
	e.variables(from, to)
	for _, m := range items(from, "volumeMounts") {
		add(to, clone(m), "volumeMounts")
		e.doc.edited = true
		e.tell("the mount of %s at %s", text(m, "name"), text(m, "mountPath"))
	}
	e.resources(from, to)
	e.probe(from, to, "readinessProbe", defaultProbe(10, 10))
	e.probe(from, to, "livenessProbe", defaultProbe(120, 5))
	e.probe(from, to, "startupProbe", nil)
	handled := []string{"name", "image", "ports", "env", "envFrom", "volumeMounts", "resources", "readinessProbe", "livenessProbe", "startupProbe"}
	for key, value := range fields(from) {
		if !slices.Contains(handled, key) && !blank(value) && clusterDefaults[key] != text(value) && !same(at(to, key), value) {
			set(to, clone(value), key)
			e.doc.edited = true
			e.tell("the container's %s", key)
		}
	}
}

// image takes a valid reference that the original did not make up.
func (e *editor) image(image string, to *yaml.Node) {
	image = strings.TrimSpace(image)
	switch {
	case image == "" || image == text(to, "image") || e.madeUp(image):
	case !validImage(image):
		e.warn(e.d, "image %q is not taken over: it is no image reference (lower case, no spaces); %s stands", image, text(to, "image"))
	default:
		set(to, str(image), "image")
		e.doc.edited = true
		e.tell("image %s", image)
	}
}

// madeUp reports whether the original itself wrote this image: its canvas, and
// its Argo and Spring Boot templates.
func (e *editor) madeUp(image string) bool {
	if strings.HasPrefix(image, "ghcr.io/undefined") || strings.HasPrefix(image, "userid/") || strings.HasPrefix(image, "username/") {
		return true
	}
	if e.model.Source == nil {
		return false
	}
	scm := e.model.Source.SCM
	own := fmt.Sprintf("ghcr.io/%s/%s/", scm.Org, scm.Repo)
	name, ok := strings.CutPrefix(image, own)
	name, tag, _ := strings.Cut(name, ":")
	return ok && tag == scm.Tag && e.names.find(name) == e.d.service
}

func validImage(image string) bool {
	if image == "" {
		return false
	}
	_, err := reference.ParseNormalizedNamed(image)
	return err == nil
}

// ports takes a changed port, and further ones.
func (e *editor) ports(from, to *yaml.Node) {
	list := items(from, "ports")
	i := httpPort(list, "containerPort")
	own := items(to, "ports")
	for j, p := range list {
		n, _ := number(p, "containerPort")
		if j == i && len(own) > 0 {
			if n != defaultPort && n > 0 && n <= 65535 {
				set(own[0], integer(n), "containerPort")
				e.doc.edited = true
				e.tell("containerPort: %d", n)
			}
			continue
		}
		if old := text(p, "name"); old == "" || named(own, old) != nil {
			remove(p, "name")
		}
		if slices.ContainsFunc(own, func(o *yaml.Node) bool { return text(o, "containerPort") == text(p, "containerPort") }) {
			continue
		}
		add(to, clone(p), "ports")
		e.doc.edited = true
		e.tell("a further containerPort: %d", n)
	}
}

// httpPort is the index of the port that serves HTTP: the one called so, the
// original's 8080, or the first.
func httpPort(list []*yaml.Node, key string) int {
	for _, fits := range []func(*yaml.Node) bool{
		func(p *yaml.Node) bool { return text(p, "name") == "http" },
		func(p *yaml.Node) bool { n, _ := number(p, key); return n == defaultPort },
	} {
		if i := slices.IndexFunc(list, fits); i >= 0 {
			return i
		}
	}
	return 0
}

func (e *editor) variables(from, to *yaml.Node) {
	for _, v := range items(from, "env") {
		name := text(v, "name")
		if own := named(items(to, "env"), name); own == nil {
			add(to, clone(v), "env")
		} else if same(own, v) {
			continue
		} else {
			own.Content = clone(v).Content
		}
		e.doc.edited = true
		e.tell("variable %s", name)
	}
	for _, v := range items(from, "envFrom") {
		add(to, clone(v), "envFrom")
		e.doc.edited = true
		e.tell("variables from %s", text(v, "configMapRef", "name")+text(v, "secretRef", "name"))
	}
}

// resources takes requests and limits. A request above a new limit comes down
// to it: the API server refuses the pair.
func (e *editor) resources(from, to *yaml.Node) {
	for key, list := range fields(from, "resources") {
		for name, v := range fields(list) {
			if v.Kind != yaml.ScalarNode || same(at(to, "resources", key, name), v) {
				continue
			}
			set(to, clone(v), "resources", key, name)
			e.doc.edited = true
			e.tell("resources.%s.%s: %s", key, name, v.Value)
		}
	}
	for name, v := range fields(to, "resources", "limits") {
		limit, err1 := resource.ParseQuantity(text(v))
		request, err2 := resource.ParseQuantity(text(to, "resources", "requests", name))
		if err1 == nil && err2 == nil && request.Cmp(limit) > 0 {
			set(to, clone(v), "resources", "requests", name)
			e.doc.edited = true
			e.warn(e.d, "the request for %s comes down to its limit of %s", name, v.Value)
		}
	}
}

// probe takes a changed probe; a port that is the container's own is called by
// its name.
func (e *editor) probe(from, to *yaml.Node, key string, standard *yaml.Node) {
	p := clone(at(from, key))
	for name, value := range map[string]string{"successThreshold": "1"} {
		if text(p, name) == value {
			remove(p, name)
		}
	}
	if text(p, "httpGet", "scheme") == "HTTP" {
		remove(p, "httpGet", "scheme")
	}
	if blank(p) || standard != nil && same(p, standard) {
		return
	}
	for _, handler := range []string{"httpGet", "tcpSocket"} {
		n, ok := number(p, handler, "port")
		if ok && (n == e.containerPort() || n == defaultPort) {
			set(p, str("http"), handler, "port")
		}
	}
	if key == "livenessProbe" && at(to, "startupProbe") != nil {
		remove(p, "initialDelaySeconds") // the startup probe waits instead
	}
	if same(at(to, key), p) {
		return
	}
	set(to, p, key)
	e.doc.edited = true
	e.tell("%s", key)
}

// service takes ports and type.
func (e *editor) service() {
	spec := at(e.d.node, "spec")
	if typ := text(spec, "type"); typ != "" && typ != "ClusterIP" {
		e.take("type: "+typ, at(spec, "type"), "spec", "type")
	}
	for key := range fields(spec, "selector") {
		if key != "app" {
			e.warn(e.d, "its selector's label %s is not taken over: the Service holds both tracks, and subsets tell them apart", key)
		}
	}
	if ip := text(spec, "clusterIP"); ip != "None" {
		remove(spec, "clusterIP")
	}
	e.servicePorts(spec)
	e.rest(spec, []string{"spec"}, "spec.", "type", "selector", "ports", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort")
}

func (e *editor) servicePorts(spec *yaml.Node) {
	own := items(e.doc.node, "spec", "ports")
	list := items(spec, "ports")
	i := httpPort(list, "port")
	valid := func(p *yaml.Node) (int, bool) { n, ok := number(p, "port"); return n, ok && n >= 1 && n <= 65535 }
	if len(list) > 0 && len(own) > 0 {
		if n, ok := valid(list[i]); ok {
			e.mainPort(list[i], own[0], n)
		}
	}
	for j, p := range list {
		n, ok := valid(p)
		switch {
		case !ok || j == i:
			continue
		case named(own, text(p, "name")) == nil && !slices.ContainsFunc(own, func(o *yaml.Node) bool { return text(o, "port") == text(p, "port") }):
			if text(p, "name") == "" {
				set(p, str(fmt.Sprintf("port-%d", n)), "name")
			}
			add(e.doc.node, clone(p), "spec", "ports")
			e.doc.edited = true
			e.tell("a further port: %d", n)
			e.severalPorts(e.d.service)
		}
	}
}

func (e *editor) mainPort(p, own *yaml.Node, n int) {
	if n != defaultPort {
		set(own, integer(n), "port")
		e.doc.edited = true
		e.tell("port: %d", n)
	}
	target := at(p, "targetPort")
	if v, ok := number(target); ok && v != defaultPort && v != n && v != e.containerPort() {
		set(own, integer(v), "targetPort")
		e.doc.edited = true
		e.tell("targetPort: %d", v)
	}
	if node, ok := number(p, "nodePort"); ok && node > 0 {
		set(own, integer(node), "nodePort")
		e.doc.edited = true
		e.tell("nodePort: %d", node)
	}
}

// containerPort is the port that the generated Deployment's container has by
// now.
func (e *editor) containerPort() int {
	if doc := e.files.find(groupApps, "Deployment", e.d.service.Name); doc != nil {
		for _, c := range items(doc.node, "spec", "template", "spec", "containers") {
			for _, p := range items(c, "ports") {
				n, _ := number(p, "containerPort")
				return n
			}
		}
	}
	return defaultPort
}

// severalPorts names the port in the generated routes: with more than one port
// Istio would take the gateway's own.
func (e *editor) severalPorts(s *deploy.Service) {
	for _, doc := range e.routesOf(s) {
		for _, rule := range items(doc.node, "spec", "http") {
			for _, r := range items(rule, "route") {
				if dest := at(r, "destination"); isMapping(dest) && at(dest, "port") == nil && e.names.host(text(dest, "host")) == s {
					set(dest, integer(e.servicePort()), "port", "number")
					doc.edited = true
				}
			}
		}
	}
}

// servicePort is the generated Service's HTTP port by now.
func (e *editor) servicePort() int {
	for _, p := range items(e.doc.node, "spec", "ports") {
		n, _ := number(p, "port")
		return n
	}
	return defaultPort
}
