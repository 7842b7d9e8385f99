package routetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// notSent is the actual value of what only a request sent upstream has.
const notSent = "nothing is sent upstream"

// findings gathers the failures of one answer.
type findings []Failure

func (f *findings) add(what, expected, actual string) {
	*f = append(*f, Failure{What: what, Expected: expected, Actual: actual})
}

// check compares everything that the test says, in the order of the format.
func (e *expect) check(a *answer.Answer) []Failure {
	var f findings
	if a.Outcome == answer.OutcomeUnsupported {
		return []Failure{{What: "answer", Expected: e.words(), Actual: unsupported(a), Unsupported: true}}
	}
	if e.to != nil {
		f = append(f, e.to.check(a)...)
	}
	f.winner(a, e.virtualService, e.rule)
	if e.rewrite != nil || e.authority != nil {
		f.rewrite(a, e.rewrite, e.authority)
	}
	if e.timeout != nil {
		f.timeout(a, *e.timeout)
	}
	if e.retries != nil {
		f.retries(a, e.retries)
	}
	if e.mirrors != nil {
		f.mirrors(a, *e.mirrors)
	}
	f.fault(a, e.fault, e.to)
	f.sends(a, e.sends)
	f.returns(a, e.returns)
	return f
}

// words is what a test expects first, for answers that cannot be told.
func (e *expect) words() string {
	switch {
	case e.to != nil:
		return e.to.text
	case e.rule != "":
		return "rule " + e.rule
	}
	return "an answer"
}

func (f *findings) winner(a *answer.Answer, virtualService, rule string) {
	w := a.Winner
	if w == nil {
		w = &answer.Winner{}
	}
	if virtualService != "" && virtualService != w.VirtualService && virtualService != w.Namespace+"/"+w.VirtualService &&
		virtualService != w.VirtualService+"."+w.Namespace {
		f.add("virtualService", virtualService, orNone(w.VirtualService))
	}
	if rule != "" && rule != w.Rule {
		f.add("rule", rule, orNone(w.Rule))
	}
}

func (f *findings) rewrite(a *answer.Answer, path, authority *string) {
	gotPath, gotAuthority := sent(a)
	if !isSent(a) {
		gotPath, gotAuthority = notSent, notSent
	}
	if path != nil && encodeLetters(*path) != gotPath && *path != gotPath {
		f.add("rewrite", *path, gotPath)
	}
	if authority != nil && *authority != gotAuthority {
		f.add("authority", *authority, gotAuthority)
	}
}

func (f *findings) timeout(a *answer.Answer, want time.Duration) {
	if !isSent(a) {
		f.add("timeout", wait(want), notSent)
		return
	}
	got, err := time.ParseDuration(a.Timeout)
	if a.Timeout != "" && (err != nil || got != want) || a.Timeout == "" && want != 0 {
		f.add("timeout", wait(want), orNone(a.Timeout))
	}
}

func (f *findings) retries(a *answer.Answer, want *retries) {
	if !isSent(a) {
		f.add("retries", want.String(), notSent)
		return
	}
	got := a.Retries
	if got == nil {
		got = &answer.Retries{}
	}
	actual := retries{attempts: got.Attempts, on: got.On}
	if got.PerTryTimeout != "" {
		if d, err := time.ParseDuration(got.PerTryTimeout); err == nil {
			actual.perTry = &d
		}
	}
	per := func(d *time.Duration) time.Duration {
		if d == nil {
			return 0
		}
		return *d
	}
	if want.attempts >= 0 && want.attempts != actual.attempts || want.on != nil && !sameSet(want.on, actual.on) ||
		want.perTry != nil && per(want.perTry) != per(actual.perTry) {
		text := actual.String()
		if got.Default {
			text += " (Istio's default)"
		}
		f.add("retries", want.String(), text)
	}
}

func (r *retries) String() string {
	var parts []string
	if r.attempts >= 0 {
		parts = append(parts, fmt.Sprint(r.attempts))
	}
	if len(r.on) > 0 {
		parts = append(parts, "on "+strings.Join(r.on, ","))
	}
	if r.perTry != nil && *r.perTry > 0 {
		parts = append(parts, wait(*r.perTry)+" per try")
	}
	return strings.Join(parts, " ")
}

func (f *findings) mirrors(a *answer.Answer, want []share) {
	used := make([]bool, len(want))
	same := len(want) == len(a.Mirrors)
	for _, m := range a.Mirrors {
		i := slices.IndexFunc(want, func(s share) bool {
			return s.fits(answer.Destination{Host: m.Host, Subset: m.Subset, Port: m.Port}) && (!s.given || near(100*m.Share, s.percent, s.decimals))
		})
		if i < 0 || used[i] {
			same = false
			continue
		}
		used[i] = true
	}
	if !same {
		f.add("mirror", shareText(want), mirrorText(a.Mirrors))
	}
}

func mirrorText(list []answer.Mirror) string {
	if len(list) == 0 {
		return "none"
	}
	var all []answer.Destination
	for _, m := range list {
		all = append(all, answer.Destination{Host: m.Host, Subset: m.Subset, Port: m.Port, Share: m.Share})
	}
	return destinations(all)
}

func shareText(list []share) string {
	var parts []string
	for _, s := range list {
		part := s.host
		if s.subset != "" {
			part += "@" + s.subset
		}
		if s.port != 0 {
			part += fmt.Sprintf(":%d", s.port)
		}
		if s.given {
			part += " " + number(s.percent)
		}
		parts = append(parts, part)
	}
	return orNone(strings.Join(parts, ", "))
}

// fault also fails a test that says where a request goes while every request
// is aborted: it goes nowhere.
func (f *findings) fault(a *answer.Answer, want *fault, to *target) {
	got := a.Fault
	if got == nil {
		got = &answer.Fault{}
	}
	if want == nil {
		if to != nil && to.kind == toShares && got.AbortShare == 1 {
			f.add("fault", "none", faultText(got)+"; the request never gets there (write fault: to expect this)")
		}
		return
	}
	delayed := got.Delay != "" && got.DelayShare > 0
	ok := want.delayGot == delayed && want.abortOn == (got.AbortShare > 0)
	if ok && delayed {
		d, err := time.ParseDuration(got.Delay)
		ok = err == nil && d == *want.delay && percentFits(want.delayShare, got.DelayShare)
	}
	if ok && want.abortOn {
		ok = want.abort == got.Abort && want.grpc == got.AbortGRPC && percentFits(want.abortShare, got.AbortShare)
	}
	if !ok {
		f.add("fault", want.String(), faultText(got))
	}
}

func percentFits(want *float64, got float64) bool {
	return want == nil || near(100*got, *want, 4)
}

func (f *fault) String() string {
	out := &answer.Fault{Abort: f.abort, AbortGRPC: f.grpc, DelayShare: 1, AbortShare: 1}
	if f.delay != nil {
		out.Delay = f.delay.String()
	}
	if f.delayShare != nil {
		out.DelayShare = *f.delayShare / 100
	}
	if f.abortShare != nil {
		out.AbortShare = *f.abortShare / 100
	}
	if !f.abortOn {
		out.AbortShare = 0
	}
	return faultText(out)
}

func faultText(f *answer.Fault) string {
	var parts []string
	part := func(share float64, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if share != 1 {
			text += " " + number(100*share)
		}
		parts = append(parts, text)
	}
	if f.Delay != "" && f.DelayShare > 0 {
		part(f.DelayShare, "delay %s", f.Delay)
	}
	switch {
	case f.AbortShare == 0:
	case f.Abort == 0:
		part(f.AbortShare, "abort grpc %d", f.AbortGRPC)
	default:
		part(f.AbortShare, "abort %d", f.Abort)
	}
	return orNone(strings.Join(parts, ", "))
}

func (f *findings) sends(a *answer.Answer, wants []headerWant) {
	if len(wants) == 0 {
		return
	}
	for _, w := range wants {
		switch {
		case !isSent(a):
			f.add("sends "+w.name, w.String(), notSent)
		case a.Effect == nil:
			*f = append(*f, Failure{"sends " + w.name, w.String(), "unsupported: the answer does not tell the headers", true})
		default:
			f.header("sends", w, a.Effect.RequestHeaders)
		}
	}
}

func (f *findings) returns(a *answer.Answer, wants []headerWant) {
	for _, w := range wants {
		f.header("returns", w, a.Returns)
	}
}

func (f *findings) header(what string, want headerWant, headers []route.Header) {
	var values []string
	for _, h := range headers {
		if strings.EqualFold(h.Name, want.name) {
			values = append(values, h.Value)
		}
	}
	joined := strings.Join(values, ",")
	if want.value == nil && len(values) == 0 ||
		want.value != nil && (slices.Contains(values, *want.value) || len(values) > 0 && joined == *want.value) {
		return
	}
	actual := "not there"
	if len(values) > 0 {
		actual = fmt.Sprintf("%q", joined)
	}
	f.add(what+" "+want.name, want.String(), actual)
}

func (w headerWant) String() string {
	if w.value == nil {
		return "not there"
	}
	return fmt.Sprintf("%q", *w.value)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
