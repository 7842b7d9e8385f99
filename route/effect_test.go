package route_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

// effectCase is a configuration, a request and what the effect must say, line
// by line (see effectLines). An entry of want that ends with "..." is the
// beginning of a line; lacks are beginnings that no line has.
type effectCase struct {
	name     string
	doc      string // the field or page of Envoy's documentation that says so
	config   string // fields of the route configuration
	host     string // fields of the virtual host
	route    string // the route's match and action
	request  string // as request reads it; "" is GET /
	upstream []route.Header
	want     []string
	lacks    []string
}

func runEffectCases(t *testing.T, cases []effectCase) {
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.doc == "" {
				t.Error("the case does not say where Envoy documents it")
			}
			c := compile(t, fmt.Sprintf("{%s virtual_hosts: [{name: shop, domains: ['*'], %s routes: [{%s}]}]}", tc.config, tc.host, tc.route))
			text := tc.request
			if text == "" {
				text = "GET /"
			}
			r := request(t, text)
			d := c.Decide(r)
			e := c.Effect(d, r)
			lines := effectLines(&e)
			for _, h := range c.ResponseHeaders(d, r, tc.upstream) {
				lines = append(lines, strings.TrimSpace("client "+h.Name+": "+h.Value))
			}
			has := func(want string) bool {
				begin, open := strings.CutSuffix(want, "...")
				return slices.ContainsFunc(lines, func(l string) bool { return l == want || open && strings.HasPrefix(l, begin) })
			}
			for _, want := range tc.want {
				if !has(want) {
					t.Errorf("missing: %s\nin:\n%s", want, strings.Join(lines, "\n"))
				}
			}
			for _, lack := range tc.lacks {
				if has(lack + "...") {
					t.Errorf("should not be there: %s\nin:\n%s", lack, strings.Join(lines, "\n"))
				}
			}
		})
	}
}

// effectLines writes an effect out, one thing a line.
func effectLines(e *route.Effect) []string {
	var out []string
	say := func(ok bool, format string, args ...any) {
		if ok {
			out = append(out, strings.TrimSpace(fmt.Sprintf(format, args...)))
		}
	}
	say(e.Path != "", "path %s", e.Path)
	say(e.Authority != "", "authority %s", e.Authority)
	for _, h := range e.RequestHeaders {
		say(true, "upstream %s: %s", h.Name, h.Value)
	}
	for _, text := range e.HeaderChanges {
		say(true, "%s", text)
	}
	if r := e.Redirect; r != nil {
		say(true, "redirect %d %s", r.Code, r.Location)
	}
	if d := e.Direct; d != nil {
		say(true, "direct %d %s %s", d.Status, d.ContentType, d.Body)
	}
	say(true, "timeout %s set %t", e.Timeout, e.TimeoutSet)
	say(e.IdleTimeoutSet, "idle timeout %s", e.IdleTimeout)
	say(e.FlushTimeoutSet, "flush timeout %s", e.FlushTimeout)
	say(e.MaxStreamSet, "stream %s", e.MaxStream)
	out = append(out, retryLines(e.Retry)...)
	for _, m := range e.Mirrors {
		say(true, "mirror %s %g to %s%s", m.Cluster, m.Share, m.Authority, m.Path)
		for _, h := range m.RequestHeaders {
			say(true, "mirrored %s: %s", h.Name, h.Value)
		}
	}
	if c := e.CORS; c != nil {
		say(true, "cors %s methods=%s headers=%s expose=%s age=%s credentials=%t reject=%t private=%t share=%g", strings.Join(c.AllowOrigins, " or "),
			c.AllowMethods, c.AllowHeaders, c.ExposeHeaders, c.MaxAge, c.AllowCredentials, c.RejectPreflights, c.AllowPrivateNetwork, c.Share)
	}
	if f := e.Fault; f != nil {
		say(true, "fault delay %s of %g, abort %d grpc %d of %g, limit %d of %g", f.Delay, f.DelayShare, f.Abort, f.AbortGRPC, f.AbortShare, f.ResponseKiB, f.ResponseShare)
		say(true, "fault only %s where %s", f.OnlyUpstream, strings.Join(f.Headers, " and "))
	}
	say(e.ClusterNotFoundCode != 0, "not found %d", e.ClusterNotFoundCode)
	say(e.HighPriority, "high priority")
	if i := e.InternalRedirect; i != nil {
		say(true, "internal redirect %d of %v, %v, cross %t, copy %v", i.Max, i.Codes, i.Predicates, i.CrossScheme, i.CopyHeaders)
	}
	say(e.VirtualCluster != "", "virtual cluster %s", e.VirtualCluster)
	say(e.Operation != "", "operation %s", e.Operation)
	for what, all := range map[string][]string{"hash": e.Hash, "upgrade": e.Upgrades, "endpoint": e.Endpoints, "says": e.Unsupported, "quiet": e.NotShown} {
		for _, text := range all {
			say(true, "%s %s", what, text)
		}
	}
	return out
}

func retryLines(r *route.Retry) []string {
	if r == nil {
		return nil
	}
	out := []string{
		fmt.Sprintf("retry %d on %s", r.Attempts, strings.Join(r.On, ",")),
		fmt.Sprintf("retry back off %s to %s", r.BackOffBase, r.BackOffMax),
		fmt.Sprintf("retry hosts %d", r.HostSelectionTries),
		fmt.Sprintf("retry per try %s idle %s", r.PerTryTimeout, r.PerTryIdleTimeout),
	}
	for what, all := range map[string][]string{"rate limited": r.RateLimitedBackOff, "header": r.RetriableHeaders, "predicate": r.HostPredicates} {
		for _, text := range all {
			out = append(out, "retry "+what+" "+text)
		}
	}
	for _, code := range r.RetriableCodes {
		out = append(out, fmt.Sprintf("retry code %d", code))
	}
	if r.Priority != "" {
		out = append(out, "retry priority "+r.Priority)
	}
	if r.Hedge {
		out = append(out, "retry hedges")
	}
	if r.TimeoutHeader {
		out = append(out, "retry timeout header")
	}
	return out
}

// refuses expects that a configuration does not compile.
func refuses(t *testing.T, config, want string) {
	t.Helper()
	_, err := route.Compile(parse(t, config))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n%v\ndoes not say %s", config, err, want)
	}
}
