package routetest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The elements of JUnit's XML, as far as Jenkins and GitLab both read them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		File      string        `xml:"file,attr,omitempty"`
		Line      int           `xml:"line,attr,omitempty"`
		Time      string        `xml:"time,attr"`
		Failure   *junitProblem `xml:"failure"`
		Error     *junitProblem `xml:"error"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a suite for each file, a case for
// each test. Nothing is measured, so every time is 0.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "meshstorm test"}
	for _, f := range r.Files {
		s := junitSuite{Name: f.Path, Time: "0"}
		for _, e := range f.Errors {
			s.Cases = append(s.Cases, junitCase{Name: "read the file", ClassName: f.Path, File: f.Path, Time: "0",
				Error: &junitProblem{Message: e, Type: "error", Text: e}})
		}
		for _, t := range f.Tests {
			s.Cases = append(s.Cases, t.junit())
		}
		for _, c := range s.Cases {
			s.Tests++
			if c.Failure != nil {
				s.Failures++
			}
			if c.Error != nil {
				s.Errors++
			}
		}
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (t *Result) junit() junitCase {
	c := junitCase{Name: t.Name, ClassName: t.File, File: t.File, Line: t.Line, Time: "0"}
	switch t.Status {
	case StatusError:
		c.Error = &junitProblem{Message: t.Error, Type: string(t.Status), Text: place(t.File, t.Line) + ": " + t.Error}
	case StatusFailed, StatusUnsupported:
		var lines, short []string
		for _, f := range t.Failures {
			short = append(short, fmt.Sprintf("%s: expected %s, got %s", f.What, f.Expected, f.Actual))
		}
		lines = append(lines, place(t.File, t.Line)+": "+t.Request)
		lines = append(append(lines, short...), t.Hints...)
		if t.Command != "" {
			lines = append(lines, t.Command)
		}
		c.Failure = &junitProblem{Message: strings.Join(short, "; "), Type: string(t.Status), Text: strings.Join(lines, "\n")}
	}
	return c
}
