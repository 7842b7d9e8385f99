package check

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// TextOptions say how WriteText writes.
type TextOptions struct {
	Color bool // the severity in colour as well; its word is always there
}

// WriteText writes the report for people: a line per finding in the form that
// editors can jump to, its object and fix indented below it, and a line that
// counts them.
func WriteText(w io.Writer, r Report, opts TextOptions) error {
	out := bufio.NewWriter(w)
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s%s %s: %s\n", place(f), paint(f.Severity, opts), printable(f.Code), printable(f.Message))
		if f.Object != nil {
			from := ""
			if f.Source != "" {
				from = ", from " + f.Source
			}
			fmt.Fprintf(out, "    object: %s\n", printable(f.Object.String()+from))
		} else if f.Source != "" {
			fmt.Fprintf(out, "    from: %s\n", printable(f.Source))
		}
		if f.Witness != "" {
			fmt.Fprintf(out, "    witness: %s\n", printable(f.Witness))
		}
		if f.Fix != "" {
			for i, line := range strings.Split(f.Fix, "\n") { // a snippet to paste keeps its lines
				fmt.Fprintf(out, "    %s%s\n", []string{"fix: ", "       "}[min(i, 1)], printable(line))
			}
		}
	}
	fmt.Fprintln(out, r.Summary)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// String is the summary on one line.
func (s Summary) String() string {
	text := fmt.Sprintf("%s, %s, %s", count(s.Error, "error"), count(s.Warning, "warning"), count(s.Info, "info"))
	if s.Suppressed > 0 {
		text += fmt.Sprintf(" (%d suppressed)", s.Suppressed)
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 || noun == "info" {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func place(f Finding) string {
	switch {
	case f.File == "":
		return ""
	case f.Line == 0:
		return printable(f.File) + ": "
	case f.Column == 0:
		return fmt.Sprintf("%s:%d: ", printable(f.File), f.Line)
	}
	return fmt.Sprintf("%s:%d:%d: ", printable(f.File), f.Line, f.Column)
}

func paint(s Severity, opts TextOptions) string {
	if !opts.Color {
		return string(s)
	}
	var colour string
	switch s {
	case Error:
		colour = "31" // red
	case Warning:
		colour = "33" // yellow
	default:
		colour = "36" // cyan
	}
	return "\x1b[" + colour + "m" + string(s) + "\x1b[0m"
}

// printable keeps names and values from other people's files from moving the
// cursor or colouring the terminal.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
