package istio_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/istio"
)

// service writes a Service with a Deployment of each version.
func service(name, namespace string, versions ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec: {selector: {app: %[1]s}, ports: [{name: http, port: 8080, targetPort: web}]}
`, name, namespace)
	for _, v := range versions {
		fmt.Fprintf(&b, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s-%[3]s, namespace: %[2]s}
spec:
  template:
    metadata: {labels: {app: %[1]s, version: %[3]s}}
    spec: {containers: [{name: app, ports: [{name: web, containerPort: 9090}]}]}
`, name, namespace, v)
	}
	return b.String()
}

const shopGateway = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: shop}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`

// virtualService writes a VirtualService with its spec in flow or block style,
// indented by two.
func virtualService(name, namespace, spec string) string {
	return object("VirtualService", name, namespace, spec)
}

func object(kind, name, namespace, spec string) string {
	return fmt.Sprintf("---\napiVersion: networking.istio.io/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec:\n%s\n",
		kind, name, namespace, strings.TrimRight(strings.TrimPrefix(spec, "\n"), "\n"))
}

func newMesh(t *testing.T, text string) *istio.Mesh {
	t.Helper()
	m, err := istio.New(t.Context(), documents(t, text), istio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// configOf translates for "gateway", "gateway:NAME", or a service's sidecar.
func configOf(t *testing.T, m *istio.Mesh, from string) *istio.Config {
	t.Helper()
	name, isGateway := strings.CutPrefix(from, "gateway")
	var p istio.Proxy
	var err error
	if isGateway {
		name = strings.TrimPrefix(name, ":")
		if name == "" {
			name = "istio-ingressgateway"
		}
		i := slices.IndexFunc(m.Gateways(), func(g istio.Proxy) bool { return g.Name == name })
		if i < 0 {
			t.Fatalf("no gateway %s among %v", name, m.Gateways())
		}
		p = m.Gateways()[i]
	} else if p, err = m.Sidecar(from); err != nil {
		t.Fatal(err)
	}
	c, err := m.Config(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines says what a route configuration does with a host, a line for each
// route: name, where it is from, match, and where it goes.
func lines(c *istio.Config, rc *routev3.RouteConfiguration, host string) []string {
	var all []string
	for _, vh := range rc.GetVirtualHosts() {
		if !slices.ContainsFunc(vh.Domains, func(d string) bool { return d == host }) {
			continue
		}
		for _, r := range vh.Routes {
			all = append(all, line(c, r))
		}
	}
	return all
}

func line(c *istio.Config, r *routev3.Route) string {
	o := c.Origins[r]
	from := "istio"
	if o.Document != nil {
		from = o.Document.ID.Kind + " " + o.Document.ID.Name + " " + o.Field
		if o.Match != "" {
			from = o.Document.ID.Kind + " " + o.Document.ID.Name + " " + o.Match
		}
		if o.Delegate {
			from += " of " + o.Root.ID.Name
		}
		if o.Rule != "" {
			from += " (" + o.Rule + ")"
		}
	}
	return fmt.Sprintf("%q from %s: %s -> %s", r.Name, from, matched(r.Match), target(r))
}

func matched(m *routev3.RouteMatch) string {
	switch {
	case m.GetPath() != "":
		return "=" + m.GetPath()
	case m.GetPathSeparatedPrefix() != "":
		return m.GetPathSeparatedPrefix() + "/..."
	case m.GetSafeRegex() != nil:
		return "~" + m.GetSafeRegex().Regex
	}
	return m.GetPrefix()
}

func target(r *routev3.Route) string {
	var names []string
	switch {
	case r.GetRedirect() != nil:
		return "redirect"
	case r.GetDirectResponse() != nil:
		return fmt.Sprint(r.GetDirectResponse().Status)
	case len(r.GetRoute().GetWeightedClusters().GetClusters()) > 0:
		for _, w := range r.GetRoute().GetWeightedClusters().Clusters {
			names = append(names, fmt.Sprintf("%s %d", w.Name, w.Weight.GetValue()))
		}
	default:
		names = append(names, r.GetRoute().GetCluster())
	}
	return strings.ReplaceAll(strings.Join(names, " + "), ".svc.cluster.local", "")
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func problems(m *istio.Mesh) []string {
	var all []string
	for _, p := range m.Problems() {
		all = append(all, p.Message)
	}
	return all
}
