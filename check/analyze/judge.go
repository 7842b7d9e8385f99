package analyze

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config/analysis/analyzers/util"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/msg"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"

	"github.com/meshstorm/meshstorm/check"
)

// judge corrects what Istio's analyzers get wrong: it gives the severity, and
// false for messages that are provably false.
func (w *world) judge(m diag.Message) (severity check.Severity, stands bool) {
	severity = severityOf(m.Type.Level())
	switch m.Type {
	case msg.VirtualServiceIneffectiveMatch:
		return severity, !falselyHidden(m)
	case msg.DestinationRuleSubsetNotSelectPods:
		return w.judgeEmptySubset(m)
	case msg.NoServerCertificateVerificationDestinationLevel, msg.NoServerCertificateVerificationPortLevel:
		// istiod sets the system's CAs where none are named
		// (pilot/pkg/networking/core/cluster_tls.go), so the message's "no
		// verification" has been wrong since Istio 1.21.
		return check.Info, true
	case msg.VirtualServiceDestinationPortSelectorRequired:
		return w.judgeNoPort(m), true
	case msg.ReferencedResourceNotFound:
		// Secrets are rarely kept in files, and namespaces often belong to
		// somebody else: their absence here proves nothing.
		if ref := toText(m.Parameters[0]); ref == "credentialName" || ref == "namespace" {
			return check.Warning, true
		}
	}
	return severity, true
}

// judgeEmptySubset tells a subset without pods that is about to fail requests
// from one that is prepared for later: no route sends it a share.
func (w *world) judgeEmptySubset(m diag.Message) (check.Severity, bool) {
	rule, ok := m.Resource.Message.(*v1alpha3.DestinationRule)
	if !ok {
		return check.Error, true
	}
	name := toText(m.Parameters[0])
	host := util.GetResourceNameFromHost(m.Resource.Metadata.FullName.Namespace, rule.GetHost())
	share, used := w.shares()[subsetKey{host, name}]
	switch {
	case share && w.hasPods(host):
		return check.Error, true
	case share:
		return check.Warning, true // the workloads may be elsewhere
	case used:
		return "", false // weight 0 everywhere: istiod leaves the destination out
	case meshstormTrack(m.Resource, name):
		return "", false // waits for a canary
	}
	return check.Info, true
}

// hasPods tells whether the files have workloads of a Service, so that a subset
// without one means something. Of hosts that are no Service here it is true.
func (w *world) hasPods(host resource.FullName) bool {
	service := w.index[key{gvk.Service, host}]
	if service == nil {
		return true
	}
	selector := labels.Set(service.Message.(*corev1.ServiceSpec).Selector).AsSelector()
	return slices.ContainsFunc(w.objects[gvk.Pod], func(pod *resource.Instance) bool {
		return pod.Metadata.FullName.Namespace == host.Namespace && selector.Matches(labels.Set(pod.Metadata.Labels))
	})
}

type subsetKey struct {
	host resource.FullName
	name string
}

// shares tells for every subset that a route names whether one sends it
// requests.
func (w *world) shares() map[subsetKey]bool {
	if w.subsets == nil {
		w.subsets = map[subsetKey]bool{}
		for _, vs := range w.objects[gvk.VirtualService] {
			for _, d := range destinations(vs) {
				k := subsetKey{util.GetResourceNameFromHost(vs.Metadata.FullName.Namespace, d.host), d.subset}
				w.subsets[k] = w.subsets[k] || d.share
			}
		}
	}
	return w.subsets
}

// meshstormTrack tells whether the subset is one of those that meshstorm
// renders for every service, whether or not a canary runs.
func meshstormTrack(r *resource.Instance, subset string) bool {
	_, generated := r.Metadata.Annotations["meshstorm.io/source"]
	return generated && subset == "canary"
}

type destination struct {
	host, subset string
	share        bool // it gets requests
}

// destinations are all that the VirtualService sends requests or copies to.
func destinations(r *resource.Instance) []destination {
	vs, ok := r.Message.(*v1alpha3.VirtualService)
	if !ok {
		return nil
	}
	var all []destination
	add := func(d *v1alpha3.Destination, share bool) {
		if d != nil {
			all = append(all, destination{d.GetHost(), d.GetSubset(), share})
		}
	}
	for _, h := range vs.GetHttp() {
		for _, d := range h.GetRoute() {
			add(d.GetDestination(), d.GetWeight() > 0 || len(h.GetRoute()) == 1)
		}
		add(h.GetMirror(), true)
		for _, d := range h.GetMirrors() {
			add(d.GetDestination(), true)
		}
	}
	for _, t := range vs.GetTcp() {
		for _, d := range t.GetRoute() {
			add(d.GetDestination(), d.GetWeight() > 0 || len(t.GetRoute()) == 1)
		}
	}
	for _, t := range vs.GetTls() {
		for _, d := range t.GetRoute() {
			add(d.GetDestination(), d.GetWeight() > 0 || len(t.GetRoute()) == 1)
		}
	}
	return all
}

// falselyHidden tells whether IST0131 is wrong about an overlap of prefixes.
// Istio takes a match without a method for GET only (genMatchHTTPRoutes in
// pkg/config/validation/validation.go) and leaves source labels, gateways and
// the scheme out. The message is false where the earlier match asks for
// something that the later one does not ask for at all: requests without it
// pass the earlier and reach the later one.
func falselyHidden(m diag.Message) bool {
	vs, ok := m.Resource.Message.(*v1alpha3.VirtualService)
	if !ok || len(m.Parameters) < 3 {
		return false
	}
	laterRule, later, earlier := toText(m.Parameters[0]), toText(m.Parameters[1]), toText(m.Parameters[2])
	if !strings.Contains(later, " of prefix ") {
		return false // an exact duplicate
	}
	found := false
	for i, a := range vs.GetHttp() {
		for x, ma := range a.GetMatch() {
			if overlapName(ma, x)+" on "+ruleName(a, i) != earlier {
				continue
			}
			for j, b := range vs.GetHttp()[i:] {
				for y, mb := range b.GetMatch() {
					if overlapName(mb, y) != later || ruleName(b, i+j) != laterRule {
						continue
					}
					if !asksMore(ma, mb) {
						return false
					}
					found = true
				}
			}
		}
	}
	return found
}

func ruleName(h *v1alpha3.HTTPRoute, i int) string {
	if h.GetName() != "" {
		return fmt.Sprintf("%q", h.GetName())
	}
	return fmt.Sprintf("#%d", i)
}

func overlapName(m *v1alpha3.HTTPMatchRequest, i int) string {
	name := fmt.Sprintf("#%d", i)
	if m.GetName() != "" {
		name = fmt.Sprintf("%q", m.GetName())
	}
	return name + " of prefix " + m.GetUri().GetPrefix()
}

// asksMore tells whether a has a condition on something that b leaves open.
func asksMore(a, b *v1alpha3.HTTPMatchRequest) bool {
	ra, rb := a.ProtoReflect(), b.ProtoReflect()
	fields := ra.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if name := string(f.Name()); name == "uri" || name == "name" || name == "stat_prefix" || name == "ignore_uri_case" {
			continue
		}
		if ra.Has(f) && !rb.Has(f) {
			return true
		}
	}
	return missesKey(a.GetHeaders(), b.GetHeaders()) || missesKey(a.GetQueryParams(), b.GetQueryParams()) ||
		missesKey(a.GetWithoutHeaders(), b.GetWithoutHeaders()) || missesKey(a.GetSourceLabels(), b.GetSourceLabels())
}

func missesKey[V any](a, b map[string]V) bool {
	for k := range a {
		if _, ok := b[k]; !ok {
			return true
		}
	}
	return false
}

// reword replaces messages that say what istiod does not do, and those whose
// text depends on the order in which Go walks maps, so that the same files
// always give the same text.
func (w *world) reword(m diag.Message) (string, bool) {
	switch m.Type {
	case msg.ConflictingMeshGatewayVirtualServiceHosts:
		return w.sharedHosts(m)
	case msg.VirtualServiceDestinationPortSelectorRequired:
		return w.noPortText(m), true
	case msg.SchemaWarning:
		return unknownFields(m)
	}
	return "", false
}

// sharedHosts names the other VirtualServices for a host inside the mesh.
func (w *world) sharedHosts(m diag.Message) (string, bool) {
	if w.meshHosts == nil {
		w.meshHosts = map[string][]*resource.Instance{}
		for _, r := range w.objects[gvk.VirtualService] {
			for _, h := range meshHosts(r) {
				w.meshHosts[h] = append(w.meshHosts[h], r)
			}
		}
	}
	var others []string
	for _, h := range meshHosts(m.Resource) {
		for _, r := range w.meshHosts[h] {
			if r != m.Resource {
				others = append(others, fmt.Sprintf("%s (%s)", r.Metadata.FullName, h))
			}
		}
	}
	if len(others) == 0 {
		return "", false
	}
	slices.Sort(others)
	return "The VirtualService shares a host inside the mesh with " + strings.Join(slices.Compact(others), ", "), true
}

// meshHosts are the full names of the hosts that the VirtualService routes
// inside the mesh.
func meshHosts(r *resource.Instance) []string {
	vs, ok := r.Message.(*v1alpha3.VirtualService)
	if !ok || (len(vs.GetGateways()) > 0 && !slices.Contains(vs.GetGateways(), util.MeshGateway)) {
		return nil
	}
	var all []string
	for _, h := range vs.GetHosts() {
		all = append(all, util.ConvertHostToFQDN(r.Metadata.FullName.Namespace, h))
	}
	return all
}
