package answer

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// manyRules is how many verdicts people read; of more, only the interesting
// ones are printed.
const manyRules = 40

// WriteText writes an answer for people.
func WriteText(w io.Writer, a *Answer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s %s\n", a.Request.Method, a.Request.URL)
	for _, h := range a.Request.Headers {
		fmt.Fprintf(out, "%s: %s\n", h.Name, h.Value)
	}
	fmt.Fprintf(out, "%s\n\n", a.Verdict())
	writeFacts(out, a)
	writeDestinations(out, a)
	writeRules(out, a)
	return out.Flush()
}

// Verdict is the answer in one sentence.
func (a *Answer) Verdict() string {
	if a.Closed {
		return "reaches no HTTP route: " + a.Reason
	}
	status := fmt.Sprint(a.Status)
	if a.Flag != "" {
		status += " " + a.Flag
	}
	switch a.Outcome {
	case OutcomeRoute:
		var parts []string
		for _, d := range a.Destinations {
			if d.Weight == 0 && len(a.Destinations) > 1 {
				continue
			}
			part := d.Name()
			if len(a.Destinations) > 1 {
				part += fmt.Sprintf(" (%s of 100)", number(d.Of100))
			}
			parts = append(parts, part)
		}
		s := "goes to " + strings.Join(parts, ", ")
		if a.Reason != "" {
			s += "; " + a.Reason
		}
		return s
	case OutcomeRedirect:
		s := fmt.Sprintf("is redirected (%d) to %s", a.Redirect.Code, a.Redirect.Location)
		if a.Reason != "" {
			s += "; " + a.Reason
		}
		return s
	case OutcomeDirect:
		s := fmt.Sprintf("is answered by the proxy itself with %d", a.Direct.Status)
		if a.Reason != "" {
			s += "; " + a.Reason
		}
		return s
	case OutcomeUnsupported:
		return "cannot be told: " + a.Reason
	}
	return fmt.Sprintf("gets %s: %s", status, a.Reason)
}

// Name is "order, subset stable, port 8080".
func (d Destination) Name() string {
	s := d.Host
	if d.Subset != "" {
		s += ", subset " + d.Subset
	}
	if d.Port != 0 {
		s += fmt.Sprintf(", port %d", d.Port)
	}
	return s
}

// readable is true where a text has letters outside ASCII, and nothing that a
// terminal would not show.
func readable(s string) bool {
	return utf8.ValidString(s) && strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func writeFacts(out *bufio.Writer, a *Answer) {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	if letters, err := url.PathUnescape(a.Request.URL); err == nil && letters != a.Request.URL && readable(letters) {
		fact("in letters", "%s", letters)
	}
	proxy := a.Proxy.Kind + " " + a.Proxy.Name + "." + a.Proxy.Namespace
	if a.Listener != "" {
		proxy += ", listener " + a.Listener
	}
	fact("proxy", "%s", proxy)
	if a.VHost != "" {
		fact("virtual host", "%s", a.VHost)
	}
	if w := a.Winner; w != nil {
		fact("rule", "%s", w.describe())
		if w.File != "" {
			fact("written in", "%s:%d", w.File, w.Line)
		}
		if w.Source != "" {
			fact("model", "%s", w.Source)
		}
	}
	if r := a.Rewrite; r != nil {
		if r.Path != "" {
			fact("rewrite", "path becomes %s", r.Path)
		}
		if r.Authority != "" {
			fact("rewrite", "host becomes %s", r.Authority)
		}
	}
	if a.Direct != nil && a.Direct.Body != "" {
		fact("body", "%q", a.Direct.Body)
	}
	if len(a.Destinations) > 0 {
		if a.Timeout != "" {
			fact("timeout", "%s", a.Timeout)
		} else {
			fact("timeout", "none")
		}
		fact("retries", "%s", a.Retries.describe())
	}
	if f := a.Fault; f != nil {
		fact("fault", "%s", f.describe())
	}
	for _, m := range a.Mirrors {
		lost := ""
		if m.Reason != "" {
			lost = "; the copies get lost: " + m.Reason
		}
		fact("mirror", "%s of 100 are copied to %s%s", number(100*m.Share), Destination{Host: m.Host, Subset: m.Subset, Port: m.Port}.Name(), lost)
	}
	for _, h := range a.Headers {
		fact("header", "%s", h)
	}
	for i, h := range a.Hash {
		if !slices.Contains(a.Hash[:i], h) { // each destination brings the same
			fact("hash", "%s", h)
		}
	}
	if a.CORS != nil {
		fact("cors", "answered for an origin that %s", strings.Join(a.CORS.AllowOrigins, ", or "))
	}
	for _, u := range a.Unsupport {
		fact("!", "%s", u)
	}
	tw.Flush()
}

func (w *Winner) describe() string {
	if w.VirtualService == "" {
		return w.Rule + " (made by Istio itself)"
	}
	return fmt.Sprintf("%s of %s %s/%s", w.Rule, w.Kind, w.Namespace, w.VirtualService)
}

func (r *Retries) describe() string {
	if r == nil || r.Attempts == 0 {
		return "none"
	}
	s := fmt.Sprintf("%d on %s", r.Attempts, strings.Join(r.On, ","))
	if r.PerTryTimeout != "" {
		s += ", " + r.PerTryTimeout + " per try"
	}
	if r.Default {
		s += " (Istio's default; `retries: {attempts: 0}` turns it off)"
	}
	return s
}

func (f *Fault) describe() string {
	var parts []string
	if f.Delay != "" {
		parts = append(parts, fmt.Sprintf("%s of 100 are delayed by %s", number(100*f.DelayShare), f.Delay))
	}
	if f.AbortShare > 0 {
		status := fmt.Sprintf("status %d", f.Abort)
		if f.Abort == 0 {
			status = fmt.Sprintf("gRPC status %d", f.AbortGRPC)
		}
		parts = append(parts, fmt.Sprintf("%s of 100 are aborted with %s", number(100*f.AbortShare), status))
	}
	return strings.Join(parts, "; ")
}

func writeDestinations(out *bufio.Writer, a *Answer) {
	if len(a.Destinations) == 0 {
		return
	}
	fmt.Fprintln(out)
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "  DESTINATION\tSUBSET\tPORT\tWEIGHT\tOF 100\tOF 1,000\tENDPOINTS\tWORKLOADS")
	for _, d := range a.Destinations {
		endpoints := fmt.Sprint(d.Endpoints)
		if d.Endpoints < 0 {
			endpoints = "?" // found by DNS, or the client's own
		}
		if d.Flag != "" {
			endpoints += fmt.Sprintf(" (%d %s)", d.Status, d.Flag)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.Host, dash(d.Subset), dash(port(d.Port)), d.Weight,
			number(d.Of100), number(d.Of1000), endpoints, dash(strings.Join(d.Workloads, ", ")))
	}
	tw.Flush()
}

func port(p int) string {
	if p == 0 {
		return ""
	}
	return fmt.Sprint(p)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// number writes 33.333333 as 33.3 and 10 as 10.
func number(f float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0")
}

func writeRules(out *bufio.Writer, a *Answer) {
	if len(a.Rules) == 0 {
		return
	}
	won := -1
	if a.Winner != nil {
		for i, r := range a.Rules {
			if r.Matched {
				won = i
				break
			}
		}
	}
	fmt.Fprintf(out, "\nRules of %s, in the order the proxy tries them:\n", a.VHost)
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	left := 0
	for i, r := range a.Rules {
		if len(a.Rules) > manyRules && i != won && !r.Matched && (i < won-3 || i > won+3) {
			left++
			continue
		}
		verdict := r.Failed
		switch {
		case i == won && a.Outcome == OutcomeUnsupported:
			verdict = a.Reason
		case i == won:
			verdict = "takes the request"
		case r.Matched:
			verdict = "would take it too, but comes later"
		}
		where := r.File
		if r.Line > 0 {
			where += fmt.Sprintf(":%d", r.Line)
		}
		fmt.Fprintf(tw, "  %s\t%d\t%s\t%s\t%s\t%s\n", mark(i == won), i+1, dash(r.VirtualService), r.Name, dash(where), verdict)
	}
	tw.Flush()
	if left > 0 {
		fmt.Fprintf(out, "  and %d more that do not match (all of them with -o json)\n", left)
	}
}

func mark(won bool) string {
	if won {
		return "=>"
	}
	return ""
}
