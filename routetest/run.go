package routetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/routetest/routercheck"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// Subject is what is tested: a mesh, an Envoy route configuration, or both. The
// format of a file says which of them it asks.
type Subject struct {
	Mesh answer.Asker // nil where there are no manifests
	// Routes lists what a mesh has, for coverage and to find the sidecars that
	// answer for a host; nil leaves both out.
	Routes []answer.RouteInfo
	Envoy  *routercheck.Config // nil without one
	// Command is put before METHOD URL where a failure says how to see more;
	// "" is "meshstorm route".
	Command string
	// Arguments stand behind METHOD URL there: "-f manifests.yaml".
	Arguments string
}

// Run asks every request of the files and compares the answers. It never stops
// at a failure. The files' own errors become part of the report. The error is
// the context's.
func Run(ctx context.Context, s Subject, files []*File) (*Report, error) {
	r := newReport()
	for _, f := range files {
		fr := FileReport{Path: f.Path, Format: f.Format}
		for _, err := range f.errs {
			fr.Errors = append(fr.Errors, err.Error())
		}
		for _, t := range f.Tests {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			fr.Tests = append(fr.Tests, s.ask(ctx, t, r))
		}
		for _, t := range f.Envoy {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			fr.Tests = append(fr.Tests, s.askEnvoy(t, r))
		}
		r.add(fr)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.cover(s)
	return r, nil
}

// ask runs one test on the mesh.
func (s Subject) ask(ctx context.Context, t *Test, r *Report) Result {
	out := Result{Name: t.Name, File: t.Path, Line: t.Line, Request: requestText(t.Request), Status: StatusPassed}
	if s.Mesh == nil {
		return out.broken("the test asks a mesh, and there are no manifests; name a workspace, or manifests with -f")
	}
	a, err := s.answer(ctx, t)
	if err != nil {
		return out.broken(err.Error())
	}
	if a.RouteKey != "" {
		r.reached[a.RouteKey] = true
	}
	asked := t.Request
	if t.anywhere { // the answer says who was asked
		asked = a.Request
	}
	out.Request = requestText(asked)
	out.fail(t.want.check(a))
	if out.Status != StatusPassed {
		a.Request.Brief = false // once more, for what each rule said
		if full, err := s.Mesh.Ask(ctx, a.Request); err == nil {
			a = full
		}
		out.Hints = hints(a, t.want.aim())
		out.Command = s.command(asked)
	}
	return out
}

func (s Subject) askEnvoy(t *routercheck.Test, r *Report) Result {
	out := Result{Name: t.Name, File: t.Path, Line: t.Line, Status: StatusPassed}
	req := t.Input.Request()
	out.Request = fmt.Sprintf("%s %s://%s%s", req.Method, req.Scheme, req.Authority, req.Path)
	if s.Envoy == nil {
		return out.broken("the test asks an Envoy route configuration; name it with --route-config FILE")
	}
	got := s.Envoy.Run(t)
	if got.Covered != "" {
		r.reachedEnvoy[got.Covered] = true
	}
	var failures []Failure
	for _, f := range got.Failures {
		failures = append(failures, Failure(f))
	}
	out.fail(failures)
	if len(failures) > 0 && got.Taken != "" {
		out.Hints = []string{got.Taken}
	}
	return out
}

// fail takes the failures of a test and what they make of it.
func (r *Result) fail(failures []Failure) {
	r.Failures = failures
	if len(failures) == 0 {
		return
	}
	r.Status = StatusUnsupported
	for _, f := range failures {
		if !f.Unsupported {
			r.Status = StatusFailed
		}
	}
}

func (r Result) broken(text string) Result {
	r.Status, r.Error = StatusError, text
	return r
}

// maxSidecars is how many sidecars are asked for a host that no gateway knows.
const maxSidecars = 20

// answer asks where the test says. A test that does not say asks the gateway,
// and where that has no virtual host for the request, a sidecar of every
// namespace until a VirtualService takes it.
func (s Subject) answer(ctx context.Context, t *Test) (*answer.Answer, error) {
	asked := t.Request
	asked.Brief = true
	a, err := s.Mesh.Ask(ctx, asked)
	if !t.anywhere || err == nil && a.VHost != "" {
		return a, err
	}
	for _, from := range s.sidecars() {
		for _, url := range urls(t) {
			r := asked
			r.From, r.URL = from, url
			b, bErr := s.Mesh.Ask(ctx, r)
			if bErr == nil && b.Winner != nil && b.Winner.VirtualService != "" {
				return b, nil
			}
		}
	}
	return a, err
}

// urls are the request's own and, for a host without a port, those with the
// ports that the test expects.
func urls(t *Test) []string {
	all := []string{t.Request.URL}
	host, path, _ := strings.Cut(strings.TrimPrefix(t.Request.URL, "http://"), "/")
	if strings.Contains(host, ":") {
		return all
	}
	for _, p := range t.ports {
		all = append(all, fmt.Sprintf("http://%s:%d/%s", host, p, path))
	}
	return all
}

// sidecars are one per namespace, of those that get any route that people
// wrote.
func (s Subject) sidecars() []string {
	var all []string
	seen := map[string]bool{}
	for _, r := range s.Routes {
		if r.Proxy.Kind != "sidecar" || seen[r.Proxy.Namespace] || len(all) == maxSidecars {
			continue
		}
		seen[r.Proxy.Namespace] = true
		all = append(all, r.Proxy.Name+"."+r.Proxy.Namespace)
	}
	return all
}

// hints say why the rule that was expected did not take the request.
func hints(a *answer.Answer, want aim) []string {
	const most = 3
	var out []string
	won := a.Winner != nil && want.means(answer.Rule{Name: a.Winner.Rule, VirtualService: a.Winner.VirtualService})
	for _, r := range a.Rules {
		if won || r.Matched || r.Failed == "" || !want.means(r) || len(out) == most {
			continue
		}
		where := r.Name
		if r.VirtualService != "" {
			where += " of " + r.VirtualService
		}
		if r.File != "" {
			where += " (" + place(r.File, r.Line) + ")"
		}
		out = append(out, fmt.Sprintf("rule %s does not take it: %s", where, r.Failed))
	}
	if w := a.Winner; w != nil && w.VirtualService != "" {
		text := fmt.Sprintf("rule %s of %s takes it", w.Rule, w.VirtualService)
		if w.File != "" {
			text += " (" + place(w.File, w.Line) + ")"
		}
		out = append(out, text)
	}
	return out
}

// means reports whether a rule may be the one that was expected. Where only a
// host is, the names of its VirtualServices tell: they usually hold the host's.
func (w aim) means(r answer.Rule) bool {
	_, name, found := strings.Cut(w.virtualService, "/")
	if !found {
		name, _, _ = strings.Cut(w.virtualService, ".")
	}
	switch {
	case w.rule != "" && w.rule != r.Name, name != "" && name != r.VirtualService:
		return false
	case w.rule != "" || name != "":
		return true
	case w.host == "":
		return false
	}
	host, _, _ := strings.Cut(w.host, ".")
	return strings.Contains("-"+r.VirtualService+"-", "-"+host+"-")
}

func requestText(r answer.Request) string {
	text := r.Method + " " + r.URL
	if r.From != "" && r.From != "gateway" {
		text += " from " + r.From
	}
	for _, h := range r.Headers {
		text += fmt.Sprintf(", %s: %s", h.Name, h.Value)
	}
	return text
}

// command is what to type to see everything about a request.
func (s Subject) command(r answer.Request) string {
	words := []string{"meshstorm route"}
	if s.Command != "" {
		words[0] = s.Command
	}
	words = append(words, r.Method, quote(r.URL))
	if r.From != "" && r.From != "gateway" {
		words = append(words, "--from", quote(r.From))
	}
	for _, h := range r.Headers {
		words = append(words, "-H", quote(h.Name+": "+h.Value))
	}
	if r.Random != nil {
		words = append(words, "--random", fmt.Sprint(*r.Random))
	}
	if s.Arguments != "" {
		words = append(words, s.Arguments)
	}
	return strings.Join(words, " ")
}

// quote makes one word of a text for a POSIX shell.
func quote(s string) string {
	const safe = "-_./:@%+=,"
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127 || strings.ContainsRune(safe, r)
	}
	special := func(r rune) bool { return !plain(r) }
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
