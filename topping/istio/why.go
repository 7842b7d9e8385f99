package istio

import (
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

var rules = append(topping.CommonRules(), []topping.Rule{
	{Kind: "Gateway", Path: "spec", Text: "one Gateway lets traffic in for all services of the workspace"},
	{Kind: "Gateway", Path: "spec.selector", Text: "the labels of the gateway's pods; Istio's demo and default profiles install istio=ingressgateway", Setting: "gateway.selector"},
	{Kind: "Gateway", Path: "spec.servers", Text: "plain HTTP on port 80, and HTTPS on 443 where a certificate is named", Setting: "gateway.tls"},
	{Kind: "Gateway", Path: "spec.servers.*.hosts", Text: "the hosts this gateway answers for", Setting: "gateway.hosts"},
	{Kind: "Gateway", Path: "spec.servers.*.tls", Text: "the certificate, or the redirect from HTTP to HTTPS", Setting: "gateway.tls"},

	{Kind: "VirtualService", Path: "spec.hosts", Text: "the hosts of the Gateway; for callers inside the mesh the Service's full name, since istiod refuses * there", Setting: "gateway.hosts"},
	{Kind: "VirtualService", Path: "spec.gateways", Text: "the Gateway whose traffic these rules route; a VirtualService without it is for callers inside the mesh", Setting: "gateway.name"},
	{Kind: "VirtualService", Path: "spec.http", Text: "primary routes everything this service serves; writes stands before it and takes the methods that are not idempotent", Setting: "routing"},
	{Kind: "VirtualService", Path: "spec.http.*.name", Text: "names the rule, so that edits and shifts find it again wherever it stands"},
	{Kind: "VirtualService", Path: "spec.http.*.match", Text: "the REST paths of the context's aggregates, views and custom commands; each as the exact path and as the path followed by /, so that /orders does not take /orders-archive", Setting: "services.{service}.paths"},
	{Kind: "VirtualService", Path: "spec.http.*.match.*.method", Text: "the methods of these paths that must not be sent twice: all but GET, HEAD, OPTIONS, TRACE, PUT and DELETE (RFC 9110, section 9.2.2)", Setting: "services.{service}.paths"},
	{Kind: "VirtualService", Path: "spec.http.*.retries", Text: "no retries: Istio repeats a failed request up to two times unless told not to, and a command that was carried out although its answer was lost would be carried out again"},
	{Kind: "VirtualService", Path: "spec.http.*.rewrite", Text: "takes the gateway's path prefix away again, or rewrites to / in the original's routing", Setting: "services.{service}.pathPrefix"},
	{Kind: "VirtualService", Path: "spec.http.*.route", Text: "the traffic is split between the tracks stable and canary, at the gateway and inside the mesh alike", Setting: "services.{service}.weights"},
	{Kind: "VirtualService", Path: "spec.http.*.route.*.destination.host", Text: "the Service of this context"},
	{Kind: "VirtualService", Path: "spec.http.*.route.*.destination.subset", Text: "a subset of the DestinationRule, which selects the pods of one track"},
	{Kind: "VirtualService", Path: "spec.http.*.route.*.weight", Text: "the share of this track: 100 to stable and 0 to canary unless set", Setting: "services.{service}.weights"},

	{Kind: "DestinationRule", Path: "spec.host", Text: "the Service of this context"},
	{Kind: "DestinationRule", Path: "spec.subsets", Text: "one subset per track; they select the pods of the context by the label track, so promoting a canary never edits a selector or a subset"},
}...)

// Why explains a field.
func (Topping) Why(m *deploy.Model, id manifest.ID, field string) (topping.Reason, bool) {
	if id.Group != "networking.istio.io" {
		return topping.Reason{}, false
	}
	svc := serviceOf(m, id)
	if svc == nil && (id.Kind != "Gateway" || id.Name != m.Settings.Gateway.Name) {
		return topping.Reason{}, false
	}
	rule, ok := topping.Find(rules, id.Kind, field)
	if !ok {
		return topping.Reason{}, false
	}
	r := rule.Reason(svc)
	switch {
	case svc == nil:
		r.Source = "Model/" + m.Workspace
	case strings.HasPrefix(rule.Path, "spec.http.*.match"):
		r.Source = elements(svc, strings.HasSuffix(rule.Path, ".method"))
	}
	return r, true
}

// elements names what the paths come from, or only those with methods that are
// not idempotent.
func elements(s *deploy.Service, writes bool) string {
	var names []string
	for _, p := range s.Prefixes {
		if writes && len(p.Writes()) == 0 {
			continue
		}
		names = append(names, p.Source.String())
	}
	return strings.Join(names, ", ")
}

func serviceOf(m *deploy.Model, id manifest.ID) *deploy.Service {
	switch id.Kind {
	case "VirtualService":
		name, ok := strings.CutPrefix(id.Name, VirtualServicePrefix)
		if !ok {
			return nil
		}
		if s := m.Service(name); s != nil {
			return s
		}
		return m.Service(strings.TrimSuffix(name, MeshSuffix))
	case "DestinationRule":
		name, _ := strings.CutPrefix(id.Name, DestinationRulePrefix)
		return m.Service(name)
	}
	return nil
}
