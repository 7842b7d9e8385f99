package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// CodeDelegate is the code of delegated rules that istiod leaves out.
const CodeDelegate = "MS0511"

// Delegates looks for rules that get lost between a VirtualService and the one
// that it delegates to: istiod says so only in its log.
func Delegates() Rule {
	return Rule{
		Codes: []string{CodeDelegate},
		Name:  "delegates",
		Doc:   "A rule of a delegate VirtualService, or one that delegates, is left out without an error.",
		Rows: []Row{{Code: CodeDelegate, Severity: "error; warning",
			Means: "a rule delegates to what is no delegate, and is left out; warning: the delegate is not in the files, or one of its rules asks for more than the rule that delegates lets through",
			Todo:  "correct the name, or keep the delegate's matches within the root's"}},
		Run: func(_ context.Context, in *Input) []Finding {
			d := &delegates{byName: map[string]*VirtualService{}, told: map[string]bool{}}
			for _, v := range in.Mesh().VirtualServices {
				d.byName[v.Namespace()+"/"+v.Name()] = v
			}
			for _, v := range in.Mesh().VirtualServices {
				for i, rule := range v.Spec.GetHttp() {
					if rule.GetDelegate() != nil && !v.Delegate() {
						d.follow(v, i, rule)
					}
				}
			}
			return d.found
		},
	}
}

type delegates struct {
	byName map[string]*VirtualService
	told   map[string]bool // rules of delegates, by name and index
	found  []Finding
}

func (d *delegates) follow(root *VirtualService, i int, rule *networking.HTTPRoute) {
	namespace := rule.GetDelegate().GetNamespace()
	if namespace == "" {
		namespace = root.Namespace()
	}
	key := namespace + "/" + rule.GetDelegate().GetName()
	leaf := d.byName[key]
	name := (&entry{vs: root, rule: i}).ruleName()
	lost := func(severity Severity, why, fix string) {
		f := root.Finding(CodeDelegate, severity, fmt.Sprintf("spec.http[%d].delegate", i),
			fmt.Sprintf("rule %s is left out, and its requests go to later rules or get 404: %s", name, why))
		f.Fix = fix
		d.found = append(d.found, f)
	}
	switch {
	case leaf == nil:
		lost(Warning, "no VirtualService "+key+" is in the files to delegate to", "correct delegate.name and delegate.namespace, or add the VirtualService")
	case !leaf.Delegate():
		lost(Error, leaf.ID().String()+" has hosts of its own, and only a VirtualService without hosts can be a delegate", "remove spec.hosts and spec.gateways there")
	case !visibleIn(leaf, root.Namespace()):
		lost(Error, leaf.ID().String()+" is not exported to namespace "+root.Namespace(), "add "+root.Namespace()+" to spec.exportTo there")
	default:
		for j, sub := range leaf.Spec.GetHttp() {
			d.compare(root, name, rule, leaf, j, sub)
		}
	}
}

func visibleIn(v *VirtualService, namespace string) bool {
	to := v.Spec.GetExportTo()
	return len(to) == 0 || slices.Contains(to, "*") || slices.Contains(to, namespace) || slices.Contains(to, ".") && v.Namespace() == namespace
}

// compare reports a rule of a delegate that istiod drops: each of its matches
// has to be within one of the root's (mergeHTTPMatchRequests in
// pilot/pkg/model/virtualservice.go).
func (d *delegates) compare(root *VirtualService, name string, rule *networking.HTTPRoute, leaf *VirtualService, j int, sub *networking.HTTPRoute) {
	if len(rule.GetMatch()) == 0 || len(sub.GetMatch()) == 0 {
		return
	}
	for k, m := range sub.GetMatch() {
		field := fmt.Sprintf("spec.http[%d].match[%d]", j, k)
		if d.told[leaf.Namespace()+"/"+leaf.Name()+field] ||
			slices.ContainsFunc(rule.GetMatch(), func(r *networking.HTTPMatchRequest) bool { return fits(root, leaf, r, m) }) {
			continue
		}
		d.told[leaf.Namespace()+"/"+leaf.Name()+field] = true
		f := leaf.Finding(CodeDelegate, Warning, field,
			fmt.Sprintf("rule %s is left out, with all of its matches: this match is not within those of rule %s of %s, which delegates here; a regular expression is within nothing but no condition at all",
				(&entry{vs: leaf, rule: j}).ruleName(), name, root.ID()))
		f.Fix = "repeat the root's path with more behind it, and use a regular expression for a field in one of the two only"
		d.found = append(d.found, f)
		return
	}
}

// fits is the opposite of hasConflict in pilot/pkg/model/virtualservice.go.
func fits(root, leaf *VirtualService, r, m *networking.HTTPMatchRequest) bool {
	if !fitsText(r.GetUri(), m.GetUri()) || !fitsText(r.GetScheme(), m.GetScheme()) ||
		!fitsText(r.GetMethod(), m.GetMethod()) || !fitsText(r.GetAuthority(), m.GetAuthority()) ||
		!fitsAll(r.GetHeaders(), m.GetHeaders()) || !fitsAll(r.GetWithoutHeaders(), m.GetWithoutHeaders()) ||
		!fitsAll(r.GetQueryParams(), m.GetQueryParams()) {
		return false
	}
	for name, value := range m.GetSourceLabels() {
		if v, ok := r.GetSourceLabels()[name]; ok && v != value {
			return false
		}
	}
	return r.GetIgnoreUriCase() == m.GetIgnoreUriCase() &&
		(r.GetPort() == 0 || m.GetPort() == 0 || r.GetPort() == m.GetPort()) &&
		(r.GetSourceNamespace() == "" || r.GetSourceNamespace() == m.GetSourceNamespace()) &&
		fitsGateways(root, leaf, r.GetGateways(), m.GetGateways())
}

func fitsGateways(root, leaf *VirtualService, r, m []string) bool {
	if len(r) == 0 || len(m) == 0 {
		return true
	}
	var open []string
	for _, g := range r {
		open = append(open, resolveGateway(g, root.Namespace()))
	}
	return len(m) <= len(r) && !slices.ContainsFunc(m, func(g string) bool { return !slices.Contains(open, resolveGateway(g, leaf.Namespace())) })
}

func fitsAll(r, m map[string]*networking.StringMatch) bool {
	for name, value := range m {
		if !fitsText(r[name], value) {
			return false
		}
	}
	return true
}

// fitsText is the opposite of stringMatchConflict there.
func fitsText(r, m *networking.StringMatch) bool {
	switch {
	case r == nil || m == nil:
		return true
	case r.GetRegex() != "" || m.GetRegex() != "":
		return false
	case r.GetExact() != "":
		return m.GetExact() == r.GetExact()
	case r.GetPrefix() != "" && m.GetPrefix() != "":
		return strings.HasPrefix(m.GetPrefix(), r.GetPrefix())
	case r.GetPrefix() != "" && m.GetExact() != "":
		return strings.HasPrefix(m.GetExact(), r.GetPrefix())
	}
	return false
}
