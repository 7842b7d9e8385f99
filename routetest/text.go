package routetest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people: what failed with all that helps to
// mend it, then the coverage where it was asked for, then the counts.
func (r *Report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, f := range r.Files {
		for _, e := range f.Errors {
			fmt.Fprintf(out, "ERROR %s\n", e)
		}
		for _, t := range f.Tests {
			t.writeText(out)
		}
	}
	if r.Summary.Passed < r.Summary.Tests || r.Summary.Errors > 0 {
		fmt.Fprintln(out)
	}
	if r.Coverage != nil {
		r.Coverage.writeText(out)
	}
	fmt.Fprintln(out, r.Summary)
	return out.Flush()
}

func (t *Result) writeText(out *bufio.Writer) {
	if t.Status == StatusPassed {
		return
	}
	title := map[Status]string{StatusFailed: "FAIL", StatusUnsupported: "UNSUPPORTED", StatusError: "ERROR"}[t.Status]
	fmt.Fprintf(out, "%s %s %s\n", title, place(t.File, t.Line), t.Name)
	if !strings.HasSuffix(t.Name, t.Request) {
		fmt.Fprintf(out, "  %s\n", t.Request)
	}
	if t.Error != "" {
		fmt.Fprintf(out, "  %s\n", t.Error)
	}
	for _, f := range t.Failures {
		fmt.Fprintf(out, "  %s: expected %s\n  %s  got      %s\n", f.What, f.Expected, strings.Repeat(" ", len(f.What)-1), f.Actual)
	}
	for _, h := range t.Hints {
		fmt.Fprintf(out, "  %s\n", h)
	}
	if t.Command != "" {
		fmt.Fprintf(out, "  see: %s\n", t.Command)
	}
}

// String is "37 tests: 36 passed, 1 failed".
func (s Summary) String() string {
	text := fmt.Sprintf("%s: %d passed", plural(s.Tests, "test"), s.Passed)
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Unsupported > 0 {
		text += fmt.Sprintf(", %d unsupported", s.Unsupported)
	}
	if s.Errors > 0 {
		text += ", " + plural(s.Errors, "error")
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (c *Coverage) writeText(out *bufio.Writer) {
	fmt.Fprintf(out, "coverage: %d of %s (%s %%)\n", c.Reached, plural(c.Total, "route"), number(c.Percent))
	if len(c.Unreached) == 0 {
		return
	}
	fmt.Fprintln(out, "no test reaches:")
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, u := range c.Unreached {
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", u.Owner, u.Name, u.Match, place(u.File, u.Line))
	}
	tw.Flush()
}
