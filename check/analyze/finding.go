package analyze

import (
	"fmt"
	"strconv"
	"strings"

	"istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/msg"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"

	"github.com/meshstorm/meshstorm/check"
)

// finding turns a message of Istio's into ours. It is false for what nobody
// can mend in the files and for what is provably wrong.
func (w *world) finding(m diag.Message) (check.Finding, bool) {
	if m.Resource == nil {
		return check.Finding{}, false
	}
	if m.Type == msg.JwksUriFetchUnrestricted {
		m.Resource = w.firstOfFiles(gvk.RequestAuthentication, m.Resource)
	}
	o := m.Resource.Origin.(*origin)
	if o.source == nil {
		return check.Finding{}, false
	}
	severity, stands := w.judge(m)
	if !stands {
		return check.Finding{}, false
	}
	t := explain(m.Type.Code(), m.Parameters)
	text := strings.TrimSpace(fmt.Sprintf(m.Type.Template(), m.Parameters...))
	if replaced, ok := w.reword(m); ok {
		text = replaced
	}
	if text != "" && !strings.HasSuffix(text, ".") {
		text += "."
	}
	field := o.field(m.Line)
	if field == "" {
		if field = fieldOf(m); field != "metadata.name" {
			field = o.prefix + field // a pod's name is its workload's
		}
	}
	f := o.source.Finding(m.Type.Code(), severity, field, strings.TrimSpace(text+" "+t.means))
	f.Fix = t.fix
	return f, true
}

// fill puts the parameters into a text that has %[1]v or the like.
func fill(text string, parameters []any) string {
	if !strings.Contains(text, "%[") || len(parameters) == 0 {
		return text
	}
	return fmt.Sprintf(text, parameters...)
}

func toText(v any) string { return fmt.Sprint(v) }

// fieldOf is the place of messages that Istio gives none, as far as their
// parameters tell it.
func fieldOf(m diag.Message) string {
	first, second := "", ""
	if len(m.Parameters) > 0 {
		first = toText(m.Parameters[0])
	}
	if len(m.Parameters) > 1 {
		second = toText(m.Parameters[1])
	}
	switch m.Type {
	case msg.MisplacedAnnotation, msg.UnknownAnnotation, msg.DeprecatedAnnotation, msg.InvalidAnnotation, msg.AlphaAnnotation:
		return "metadata.annotations." + first
	case msg.NoMatchingWorkloadsFound, msg.IneffectiveSelector, msg.ConflictingTelemetryWorkloadSelectors:
		return "spec.selector"
	case msg.ConflictingSidecarWorkloadSelectors:
		return "spec.workloadSelector"
	case msg.UnknownDestinationRuleHost:
		return "spec.host"
	case msg.NoServerCertificateVerificationDestinationLevel:
		return "spec.trafficPolicy.tls"
	case msg.NoServerCertificateVerificationPortLevel:
		return "spec.trafficPolicy.portLevelSettings"
	case msg.DestinationRuleSubsetNotSelectPods:
		return subsetField(m.Resource, first)
	case msg.ConflictingGateways:
		return "spec.servers"
	case msg.VirtualServiceUnreachableRule:
		return ruleField(m.Resource, first, "")
	case msg.VirtualServiceIneffectiveMatch:
		return ruleField(m.Resource, first, second)
	}
	return "metadata.name"
}

func subsetField(r *resource.Instance, name string) string {
	if rule, ok := r.Message.(*v1alpha3.DestinationRule); ok {
		for i, s := range rule.GetSubsets() {
			if s.GetName() == name {
				return fmt.Sprintf("spec.subsets[%d]", i)
			}
		}
	}
	return "spec.subsets"
}

// ruleField is the path of a rule or match that Istio names "#2" or by its
// quoted name.
func ruleField(r *resource.Instance, rule, match string) string {
	vs, ok := r.Message.(*v1alpha3.VirtualService)
	if !ok {
		return "spec"
	}
	names := make([]string, len(vs.GetHttp()))
	for i, h := range vs.GetHttp() {
		names[i] = h.GetName()
	}
	i := named(rule, names)
	if i < 0 {
		return "spec"
	}
	field := fmt.Sprintf("spec.http[%d]", i)
	if i >= len(vs.GetHttp()) || match == "" {
		return field
	}
	names = names[:0]
	for _, m := range vs.GetHttp()[i].GetMatch() {
		names = append(names, m.GetName())
	}
	match, _, _ = strings.Cut(match, " of prefix ")
	if j := named(match, names); j >= 0 {
		return fmt.Sprintf("%s.match[%d]", field, j)
	}
	return field
}

func named(ref string, names []string) int {
	if n, ok := strings.CutPrefix(ref, "#"); ok {
		if i, err := strconv.Atoi(n); err == nil {
			return i
		}
	}
	for i, name := range names {
		if name != "" && ref == strconv.Quote(name) {
			return i
		}
	}
	return -1
}

func (w *world) firstOfFiles(kind config.GroupVersionKind, otherwise *resource.Instance) *resource.Instance {
	for _, r := range w.objects[kind] {
		if r.Origin.(*origin).source != nil {
			return r
		}
	}
	return otherwise
}
