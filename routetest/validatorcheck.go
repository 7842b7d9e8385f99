package routetest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/simulate/answer"
)

// ruleWant is what a test case of istio-config-validator says about the rule.
type ruleWant struct {
	match    bool // false: at least one of the others must differ
	route    *[]routeShare
	redirect *redirectWant
	rewrite  *rewriteWant
	fault    *fault
	headers  *headerOperations
	delegate *[2]string // namespace ("" for any) and name
	mirror   *[]share
	timeout  *time.Duration
	retries  *retries
}

// routeShare is an HTTPRouteDestination.
type routeShare struct {
	share
	headers *headerOperations
}

type headerOperations struct {
	request, response []headerWant
}

type redirectWant struct {
	uri, authority, port, scheme string
	code                         int
}

type rewriteWant struct {
	uri, authority string
	expression     *regexp.Regexp
	replacement    string // in Go's notation
}

var backslash = regexp.MustCompile(`\\([0-9\\])`)

// regex takes RE2's notation, where \1 is a group.
func (w *rewriteWant) regex(match, rewrite string) error {
	re, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	w.expression = re
	w.replacement = backslash.ReplaceAllStringFunc(strings.ReplaceAll(rewrite, "$", "$$"), func(s string) string {
		if s[1] == '\\' {
			return `\`
		}
		return "${" + s[1:] + "}"
	})
	return nil
}

func (w *ruleWant) aim() aim {
	var out aim
	if w.route != nil && len(*w.route) > 0 && w.match {
		out.host = (*w.route)[0].host
	}
	if w.delegate != nil && w.match {
		out.virtualService = w.delegate[1]
	}
	return out
}

// ports are those of the destinations, where a sidecar has to be asked.
func (w *ruleWant) ports() []int {
	var ports []int
	if w.route != nil {
		for _, r := range *w.route {
			if r.port != 0 && !slices.Contains(ports, r.port) {
				ports = append(ports, r.port)
			}
		}
	}
	return ports
}

func (w *ruleWant) check(a *answer.Answer) []Failure {
	if a.Outcome == answer.OutcomeUnsupported {
		return []Failure{{What: "answer", Expected: "an answer", Actual: unsupported(a), Unsupported: true}}
	}
	f := w.compare(a)
	if w.match {
		return f
	}
	for _, one := range f {
		if !one.Unsupported {
			return nil
		}
	}
	if len(f) > 0 {
		return f
	}
	return []Failure{{What: "wantMatch", Expected: "another result", Actual: result(a)}}
}

func (w *ruleWant) compare(a *answer.Answer) []Failure {
	var f findings
	if w.nothing() && !taken(a) {
		f.add("wantMatch", "a rule takes the request", result(a))
	}
	if w.route != nil {
		f.route(a, *w.route)
	}
	if w.redirect != nil {
		f.redirect(a, w.redirect)
	}
	if w.rewrite != nil {
		f.ruleRewrite(a, w.rewrite)
	}
	if w.fault != nil {
		f.fault(a, w.fault, nil)
	}
	if w.headers != nil {
		f.sends(a, w.headers.request)
		f.returns(a, w.headers.response)
	}
	if w.delegate != nil {
		name := w.delegate[1]
		if w.delegate[0] != "" {
			name = w.delegate[0] + "/" + name
		}
		f.winner(a, name, "")
	}
	if w.mirror != nil {
		f.mirrors(a, *w.mirror)
	}
	if w.timeout != nil {
		f.timeout(a, *w.timeout)
	}
	if w.retries != nil {
		f.retries(a, w.retries)
	}
	return f
}

func (w *ruleWant) nothing() bool {
	return w.route == nil && w.redirect == nil && w.rewrite == nil && w.fault == nil && w.headers == nil && w.delegate == nil &&
		w.mirror == nil && w.timeout == nil && w.retries == nil
}

// taken reports whether a rule that people wrote took the request.
func taken(a *answer.Answer) bool {
	return a.Winner != nil && a.Winner.VirtualService != "" ||
		a.Winner == nil && (a.Outcome == answer.OutcomeRoute || a.Redirect != nil || a.Direct != nil)
}

// route compares the destinations as sets; the subset must be the same, the
// port only where the test names one. Where they are taken to fails (NC, UH) is
// not compared: the tool knows rules, not what stands behind them.
func (f *findings) route(a *answer.Answer, want []routeShare) {
	got := make([]float64, len(want))
	same := true
	for _, d := range a.Destinations {
		if d.Share == 0 {
			continue
		}
		i := slices.IndexFunc(want, func(r routeShare) bool {
			return r.percent > 0 && fitsHost(r.host, d.Host) && r.subset == d.Subset && (r.port == 0 || r.port == d.Port)
		})
		if i < 0 {
			same = false
			continue
		}
		got[i] += 100 * d.Share
	}
	shares := make([]share, len(want))
	for i, r := range want {
		same = same && near(got[i], r.percent, 0)
		shares[i] = r.share
		shares[i].given = len(want) > 1
	}
	if !same {
		f.add("route", shareText(shares), result(a))
		return
	}
	for _, r := range want {
		if r.headers != nil && len(want) == 1 {
			f.sends(a, r.headers.request)
			f.returns(a, r.headers.response)
		} else if r.headers != nil {
			*f = append(*f, Failure{"headers of " + r.host, "as given", "unsupported: headers of one destination among several", true})
		}
	}
}

func (f *findings) redirect(a *answer.Answer, want *redirectWant) {
	if a.Redirect == nil {
		f.add("redirect", want.String(), result(a))
		return
	}
	got, err := url.Parse(a.Redirect.Location)
	if err != nil {
		got = &url.URL{}
	}
	path := got.EscapedPath()
	if strings.Contains(want.uri, "?") {
		path = got.RequestURI()
	}
	host := got.Host
	if !strings.Contains(want.authority, ":") {
		host = got.Hostname()
	}
	if want.uri != "" && want.uri != path || want.authority != "" && want.authority != host || want.port != "" && want.port != got.Port() ||
		want.scheme != "" && want.scheme != got.Scheme || want.code != a.Redirect.Code {
		f.add("redirect", want.String(), result(a))
	}
}

func (w *redirectWant) String() string {
	s := fmt.Sprintf("redirect %d", w.code)
	for _, p := range []struct{ name, value string }{{"scheme", w.scheme}, {"authority", w.authority}, {"port", w.port}, {"uri", w.uri}} {
		if p.value != "" {
			s += ", " + p.name + " " + p.value
		}
	}
	return s
}

// ruleRewrite compares what a rule's rewrite would leave with what is sent: the
// new beginning and some rest of the old path.
func (f *findings) ruleRewrite(a *answer.Answer, want *rewriteWant) {
	if !isSent(a) {
		f.add("rewrite", want.String(), notSent)
		return
	}
	path, authority := sent(a)
	path, _, _ = strings.Cut(path, "?")
	old := ""
	if u, err := url.Parse(a.Request.URL); err == nil {
		old = u.EscapedPath()
	}
	if want.uri != "" {
		rest, ok := strings.CutPrefix(path, want.uri)
		if !ok || !strings.HasSuffix(old, rest) || path == old && want.uri != old {
			f.add("rewrite", want.String(), path)
		}
	}
	if want.expression != nil && want.expression.ReplaceAllString(old, want.replacement) != path {
		f.add("rewrite", want.String(), path)
	}
	if want.authority != "" && want.authority != authority {
		f.add("rewrite", want.String(), authority)
	}
}

func (w *rewriteWant) String() string {
	switch {
	case w.uri != "":
		return w.uri + "..."
	case w.expression != nil:
		return fmt.Sprintf("%s instead of %s", w.replacement, w.expression)
	}
	return w.authority
}

// grpcNames are the codes of google.rpc.Code, in order.
var grpcNames = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
	"UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// grpcStatus reads a code by name or number.
func grpcStatus(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return slices.Index(grpcNames, strings.ToUpper(text))
}
