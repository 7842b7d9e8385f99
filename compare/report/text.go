package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// manyProxies is how many names people read.
const manyProxies = 5

// WriteText writes a report for people: for each difference a request, what
// happened to it before and what happens after.
func WriteText(w io.Writer, r *Report) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s -> %s: %s\n", r.Before, r.After, r.Summary.Text)
	for _, d := range r.Differences {
		writeDifference(out, d)
	}
	for _, u := range r.Unproved {
		writeUnproved(out, u)
	}
	for _, d := range r.Disagreements {
		fmt.Fprintf(out, "\nfault in meshstorm, please report it: %s\n", d)
	}
	c := r.Compared
	fmt.Fprintf(out, "\ncompared %s, %s (%d equal as written), %s of the others; %s asked of both sides\n",
		count(c.Proxies, "proxy", "proxies"), count(c.VirtualHosts, "virtual host", "virtual hosts"), c.Equal,
		count(c.Routes, "route", "routes"), count(c.Requests, "request", "requests"))
	return out.Flush()
}

func writeDifference(out *bufio.Writer, d Difference) {
	command := d.Command
	if command == "" {
		command = d.Request.Method + " " + d.Request.URL + " at " + d.Request.From + ", these bytes as they stand (a URL would be sent as others)"
	}
	fmt.Fprintf(out, "\n%s\n", command)
	fmt.Fprintf(out, "  before  %s\n", d.Before)
	fmt.Fprintf(out, "  after   %s\n", d.After)
	for _, c := range d.Changes {
		if !d.says(c) {
			writeChange(out, c)
		}
	}
	if d.Regions > 1 {
		fmt.Fprintf(out, "  and     %s of these rules\n", count(d.Regions-1, "other piece", "other pieces"))
	}
	if len(d.Also) > 0 {
		fmt.Fprintf(out, "  also    %s\n", list(d.Also))
	}
}

// says tells whether the sentences about both ends already say what changed.
func (d Difference) says(c Change) bool {
	return c.What == "destination" && d.Before.Text != d.After.Text
}

func writeChange(out *bufio.Writer, c Change) {
	if len(c.Before) <= 1 && len(c.After) <= 1 {
		fmt.Fprintf(out, "  %s: %s -> %s\n", c.What, only(c.Before), only(c.After))
		return
	}
	fmt.Fprintf(out, "  %s:\n", c.What)
	for _, l := range c.Before {
		fmt.Fprintf(out, "    - %s\n", l)
	}
	for _, l := range c.After {
		fmt.Fprintf(out, "    + %s\n", l)
	}
}

func only(lines []string) string {
	if len(lines) == 0 {
		return "none"
	}
	return lines[0]
}

func writeUnproved(out *bufio.Writer, u Unproved) {
	where := ""
	if u.Proxy != "" {
		where = u.Proxy
		if u.Port != 0 {
			where += fmt.Sprintf(", port %d", u.Port)
		}
		where += ": "
	}
	fmt.Fprintf(out, "\nnot proved: %s%s\n", where, u.Reason)
	if u.Before != nil && u.After != nil {
		fmt.Fprintf(out, "  before  %s\n  after   %s\n", *u.Before, *u.After)
	}
	if u.Request != nil {
		fmt.Fprintf(out, "  such as %s\n", Command(*u.Request))
	}
	if len(u.Also) > 0 {
		fmt.Fprintf(out, "  also    %s\n", list(u.Also))
	}
}

// String is what happens and the rule that does it.
func (e End) String() string {
	var by []string
	if e.VirtualService != "" {
		by = append(by, fmt.Sprintf("%s of %s %s", e.Rule, e.Kind, e.VirtualService))
	} else if e.Rule != "" {
		by = append(by, e.Rule)
	}
	if e.File != "" {
		by = append(by, fmt.Sprintf("%s:%d", e.File, e.Line))
	}
	if len(by) == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s  (%s)", e.Text, strings.Join(by, ", "))
}

func list(names []string) string {
	if len(names) > manyProxies {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:manyProxies], ", "), len(names)-manyProxies)
	}
	return strings.Join(names, ", ")
}
