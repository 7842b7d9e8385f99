package compare

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/meshstorm/meshstorm/compare/report"
	"github.com/meshstorm/meshstorm/compare/routes"
	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// compareWay compares the routes behind a door.
func (r *run) compareWay(ctx context.Context, p pair, a, b *istio.Config, w way) error {
	before, err := r.before.side(p.a, a, w.a, w)
	if err != nil {
		return fmt.Errorf("%s: %w", r.report.Before, err)
	}
	after, err := r.after.side(p.b, b, w.b, w)
	if err != nil {
		return fmt.Errorf("%s: %w", r.report.After, err)
	}
	d := w.door()
	proxy := p.any()
	got, err := routes.Compare(ctx, before, after, routes.Options{Scheme: d.scheme, Port: d.port, Hosts: w.hosts, ByName: proxy.Kind == istio.Sidecar, Memory: &r.memory})
	if err != nil {
		return err
	}
	c := &r.report.Compared
	c.RouteConfigurations++
	c.VirtualHosts += got.Counts.VirtualHosts
	c.Equal += got.Counts.Equal
	c.Routes += got.Counts.Routes
	c.Requests += got.Counts.Asked
	for _, diff := range got.Differences {
		r.addDifference(ctx, proxy, d.port, a, b, diff)
	}
	for _, u := range got.Unproved {
		out := report.Unproved{Proxy: proxy.String(), Port: d.port, Reason: u.Reason}
		if u.Before.Host != nil || u.After.Host != nil {
			x, y := r.before.end(a, u.Before), r.after.end(b, u.After)
			out.Before, out.After = &x, &y
		}
		if u.Request != nil {
			q, _ := report.Ask(*u.Request, from(proxy), d.port)
			out.Request = &q
		}
		r.addUnproved(out)
	}
	for _, n := range got.Again {
		r.again(n, proxy)
	}
	for _, text := range got.Disagreements {
		r.report.Disagreements = append(r.report.Disagreements, proxy.String()+": "+text)
	}
	return nil
}

// side prepares one side's routes behind a door, or says what is there instead.
func (m *mesh) side(p *istio.Proxy, c *istio.Config, d *door, w way) (routes.Side, error) {
	s := routes.Side{Cluster: func(name string) routes.Cluster {
		known, ok := m.clusters[name]
		if !ok {
			known = m.cluster(c, name)
			m.clusters[name] = known
		}
		return known
	}}
	if d != nil {
		config, err := route.Compile(d.routes)
		if err != nil {
			return s, fmt.Errorf("the routes of %s: %w", p, err)
		}
		s.Config = config
		return s, nil
	}
	if p == nil {
		s.Nothing = "reaches nothing: there is no such gateway"
		return s, nil
	}
	there := w.door()
	host, _, _ := w.hosts.Example()
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	if hosts := there.routes.GetVirtualHosts(); there.scheme == "http" && len(hosts) > 0 && len(hosts[0].GetDomains()) > 0 && hosts[0].GetDomains()[0] != "*" {
		host, _, _ = strings.Cut(hosts[0].GetDomains()[0], ":")
	}
	e := c.Entry(istio.Target{Scheme: there.scheme, Host: host, Port: there.port})
	s.Nothing, s.Through = "reaches no HTTP route", e.Cluster
	if e.Why != "" {
		s.Nothing += ": " + e.Why
	}
	return s, nil
}

// addDifference asks both sides as people would, and joins what several proxies
// have in common.
func (r *run) addDifference(ctx context.Context, p istio.Proxy, port int, a, b *istio.Config, d routes.Difference) {
	q, askable := report.Ask(d.Request, from(p), port)
	command := report.Command(q)
	if !sendable(d.Request) {
		command, askable = "", false // it would ask for something else
	}
	out := report.Difference{
		Request: q, Command: command, Port: port, Regions: d.Regions,
		Proxy:  answer.Proxy{Kind: p.Kind, Name: p.Name, Namespace: p.Namespace, Labels: p.Labels},
		Before: r.before.end(a, d.Before), After: r.after.end(b, d.After),
	}
	for _, c := range d.Changes {
		out.What = append(out.What, c.What)
		out.Changes = append(out.Changes, report.Change{What: c.What, Before: c.Before, After: c.After})
	}
	key := fmt.Sprintf("%s\x00%s\x00%v", ruleKey(a, d.Before, out.Before), ruleKey(b, d.After, out.After), out.Changes)
	if i, ok := r.differences[key]; ok {
		known := &r.report.Differences[i]
		known.Regions += d.Regions
		r.numbers[d.Number] = i
		r.again(d.Number, p)
		return
	}
	if askable {
		r.ask(ctx, r.before, &out.Before, q, p, d.Before)
		r.ask(ctx, r.after, &out.After, q, p, d.After)
	}
	r.differences[key] = len(r.report.Differences)
	r.numbers[d.Number] = len(r.report.Differences)
	r.report.Differences = append(r.report.Differences, out)
}

// again notes that another proxy has a difference, too. What is not proved is
// told for the first proxy alone.
func (r *run) again(number int, p istio.Proxy) {
	i, ok := r.numbers[number]
	if !ok {
		return
	}
	known := &r.report.Differences[i]
	if p.Kind == known.Proxy.Kind && p.Name == known.Proxy.Name && p.Namespace == known.Proxy.Namespace {
		return
	}
	if name := p.String(); !slices.Contains(known.Also, name) {
		known.Also = append(known.Also, name)
	}
}

// ruleKey names the rule that people wrote, whichever of its conditions and
// proxies it is.
func ruleKey(c *istio.Config, e routes.End, said report.End) string {
	if e.Route != nil {
		if o := c.Origins[e.Route.Proto]; o.Document != nil {
			return o.Document.Path + "\x00" + fmt.Sprint(o.Document.ID) + "\x00" + o.Field
		}
	}
	return said.String()
}

// sendable is false where a URL would be sent as another path than the
// request's.
func sendable(r route.Request) bool {
	u, err := url.Parse("http://a.example" + r.Path)
	return err == nil && u.RequestURI() == r.Path && u.Fragment == "" && !strings.ContainsFunc(r.Path, func(c rune) bool { return c > unicode.MaxASCII })
}

// ask puts the mesh's own answer into an end, and says where it is not what was
// computed.
func (r *run) ask(ctx context.Context, m *mesh, e *report.End, q answer.Request, p istio.Proxy, want routes.End) {
	got, err := m.Ask(ctx, q)
	if err != nil || got.Proxy.Name != p.Name || got.Proxy.Namespace != p.Namespace || got.Outcome == answer.OutcomeUnsupported {
		return
	}
	if want.Host != nil && got.VHost != want.Host.Name || want.Host == nil && got.VHost != "" || (want.Route == nil) != (got.Winner == nil) {
		if !sameLabels(got.Proxy.Labels, p.Labels) {
			return // another workload of the same service
		}
		r.report.Disagreements = append(r.report.Disagreements, fmt.Sprintf("%s: expected virtual host %s, but %s answers %s",
			report.Command(q), nameOf(want), p, got.VHost))
		return
	}
	got.Rules = nil
	e.Answer, e.Text = got, got.Verdict()
}

func sameLabels(a, b map[string]string) bool {
	return fmt.Sprint(a) == fmt.Sprint(b) // fmt sorts maps
}

func nameOf(e routes.End) string {
	if e.Host == nil {
		return "none"
	}
	return e.Host.Name
}

// end describes the rule that takes a request.
func (m *mesh) end(c *istio.Config, e routes.End) report.End {
	out := report.End{Text: sentence(e.Treatment)}
	if e.Route == nil {
		return out
	}
	out.Rule = e.Route.Name
	o := c.Origins[e.Route.Proto]
	if o.Document == nil {
		if out.Rule == "" {
			out.Rule = fmt.Sprintf("route %d of %s", e.Route.Index+1, e.Route.Host.Name)
		}
		return out
	}
	if out.Rule = o.Rule; out.Rule == "" {
		out.Rule = strings.TrimPrefix(o.Field, "spec.")
	}
	out.Kind, out.VirtualService, out.Namespace = o.Document.ID.Kind, o.Document.ID.Name, m.NamespaceOf(o.Document)
	field := o.Match
	if field == "" {
		field = o.Field
	}
	out.File = o.Document.Path
	out.Line, _, _ = o.Document.Locate(field)
	return out
}

// sentence is what a treatment does with a request, for where no answer can be
// had.
func sentence(t routes.Treatment) string {
	for _, what := range []string{routes.Destination, routes.Redirect, routes.Direct} {
		if lines := t.Lines(what); len(lines) > 0 {
			switch what {
			case routes.Redirect:
				return "is redirected: " + strings.Join(lines, ", ")
			case routes.Direct:
				return "is answered by the proxy itself: " + strings.Join(lines, ", ")
			}
			// Where no route takes it, the line is a sentence.
			if len(lines) == 1 && (strings.HasPrefix(lines[0], "reaches ") || strings.HasPrefix(lines[0], "goes ")) {
				return lines[0]
			}
			return "goes to " + strings.Join(lines, ", ")
		}
	}
	return "is not sent on"
}
