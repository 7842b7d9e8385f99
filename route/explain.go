package route

import "slices"

// Explain decides as Decide does, and also gives the verdict of every route of
// the chosen virtual host, in order.
func (c *Config) Explain(r *Request) (Decision, []Verdict) {
	v := newView(r, c.ignoreParams)
	d := c.decide(&v)
	if d.VirtualHost == nil {
		return d, nil
	}
	selected := d.VirtualHost.Routes
	if t := d.VirtualHost.tree; t != nil {
		list, _ := t.find(&v)
		selected = list.routes
	}
	verdicts := make([]Verdict, 0, len(d.VirtualHost.Routes))
	for _, rt := range d.VirtualHost.Routes {
		verdict := rt.verdict(&v)
		if d.VirtualHost.tree != nil && !slices.Contains(selected, rt) {
			verdict = Verdict{Route: rt, Failed: "the virtual host's matcher does not lead here"}
		}
		verdicts = append(verdicts, verdict)
	}
	return d, verdicts
}

func (r *Route) verdict(v *view) Verdict {
	out := Verdict{Route: r}
	switch r.match(v, &out.Failed) {
	case yes:
		out.Matched = true
	case unknown:
		out.Unsupported = r.unknown
	}
	return out
}
