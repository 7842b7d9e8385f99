package check

import (
	"context"
	"fmt"
	"strconv"

	networking "istio.io/api/networking/v1alpha3"
)

// CodeFault is the code of faults that hit everybody.
const CodeFault = "MS0706"

// Faults looks for faults that were injected for a test and left there.
func Faults() Rule {
	return Rule{
		Codes: []string{CodeFault},
		Name:  "leftover-faults",
		Doc:   "A rule delays or aborts requests of all callers, as one does for a test.",
		Rows: []Row{
			{Code: CodeFault, Severity: "warning; info",
				Means: "a rule for all callers delays or aborts every request; info where it is a part of them, or where the fault gives no percentage and so never happens",
				Todo:  "remove the fault, or let the rule match a header that only testers send"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			m := in.Mesh()
			for _, vs := range m.VirtualServices {
				for i, h := range vs.Spec.GetHttp() {
					if h.GetFault() != nil && !specific(h) {
						found = append(found, faults(m, vs, h, i)...)
					}
				}
			}
			return found
		},
	}
}

func faults(m *Mesh, vs *VirtualService, h *networking.HTTPRoute, i int) []Finding {
	var found []Finding
	add := func(key, effect string, share float64, given bool) {
		field := fmt.Sprintf("spec.http[%d].fault.%s", i, key)
		rule := newSplit(vs, "http", i, h.GetName()).name
		f := vs.Finding(CodeFault, Info, field, "")
		f.Fix = "remove the fault, or let a rule with it match a header that only testers send"
		switch {
		case !given:
			f.Message = fmt.Sprintf("the %s of rule %s gives no percentage, so it never happens", key, rule)
			f.Fix = "write percentage: {value: 100}, or remove the fault"
		case share == 0:
			return
		case share >= 100:
			f.Severity = Warning
			f.Message = fmt.Sprintf("%s, of every caller: rule %s matches no header, query or source that only testers have", effect, rule)
		default:
			f.Message = fmt.Sprintf("%s %% of the requests: %s; rule %s matches no header, query or source that only testers have",
				strconv.FormatFloat(share, 'f', -1, 64), effect, rule)
		}
		if e := firstEntry(vs, i); e != nil && given {
			f.Witness = m.witness(vs, e.box)
		}
		found = append(found, f)
	}
	if d := h.GetFault().GetDelay(); d != nil {
		share, given := d.GetPercentage().GetValue(), d.GetPercentage() != nil
		if old := vs.Document.Get(fmt.Sprintf("spec.http[%d].fault.delay.percent", i)); !given && old != nil {
			share, _ = strconv.ParseFloat(old.Value, 64)
			given = true
		}
		effect := "every request waits " + short(d.GetFixedDelay().AsDuration())
		if share < 100 {
			effect = "they wait " + short(d.GetFixedDelay().AsDuration())
		}
		add("delay", effect, share, given)
	}
	if a := h.GetFault().GetAbort(); a != nil {
		answer := strconv.Itoa(int(a.GetHttpStatus()))
		if a.GetGrpcStatus() != "" {
			answer = "gRPC's " + a.GetGrpcStatus()
		}
		effect := "every request is answered with " + answer
		if a.GetPercentage().GetValue() < 100 {
			effect = "they are answered with " + answer
		}
		add("abort", effect, a.GetPercentage().GetValue(), a.GetPercentage() != nil)
	}
	return found
}

// firstEntry is the rule's first match.
func firstEntry(vs *VirtualService, rule int) *entry {
	for _, e := range vs.entries() {
		if e.rule == rule {
			return e
		}
	}
	return nil
}
