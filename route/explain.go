package route

import "slices"

// Explain decides as Decide does, and also gives the verdict of every route of
// the chosen virtual host, in order.
func (c *Config) Explain(r *Request) (Decision, []Verdict) {
	v := c.view(r)
	d := c.decide(&v)
	if d.VirtualHost == nil {
		return d, nil
	}
	verdicts := make([]Verdict, 0, len(d.VirtualHost.Routes))
	if t := d.VirtualHost.tree; t != nil {
		return d, t.verdicts(&v, verdicts, d.VirtualHost.Routes)
	}
	for _, rt := range d.VirtualHost.Routes {
		verdicts = append(verdicts, rt.verdict(&v))
	}
	return d, verdicts
}

// verdicts are those of the routes that the tree leads to; the others fail
// because it does not, or nobody can tell.
func (t *tree) verdicts(v *view, out []Verdict, routes []*Route) []Verdict {
	list, got, why := t.find(v)
	for _, rt := range routes {
		switch {
		case got == unknown:
			out = append(out, Verdict{Route: rt, Unsupported: why})
		case got == yes && slices.Contains(list.routes, rt):
			out = append(out, rt.verdict(v))
		default:
			out = append(out, Verdict{Route: rt, Failed: "the virtual host's matcher does not lead here"})
		}
	}
	return out
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
