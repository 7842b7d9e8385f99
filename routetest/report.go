package routetest

import (
	"encoding/json"
	"io"
)

// Status is what became of a test.
type Status string

// Statuses. A test is unsupported where a value that it asks for cannot be
// told, and an error where the request could not be asked at all.
const (
	StatusPassed      Status = "passed"
	StatusFailed      Status = "failed"
	StatusUnsupported Status = "unsupported"
	StatusError       Status = "error"
)

// Report is what became of all tests. Its JSON form is part of the public
// interface (docs/schema/test.json).
type Report struct {
	APIVersion string       `json:"apiVersion"`
	Files      []FileReport `json:"files"`
	Summary    Summary      `json:"summary"`
	// Coverage is there where it was asked for.
	Coverage *Coverage `json:"coverage,omitempty"`

	reached, reachedEnvoy map[string]bool
	covered               *Coverage
}

// FileReport is what became of one file.
type FileReport struct {
	Path   string   `json:"path"`
	Format Format   `json:"format,omitempty"`
	Errors []string `json:"errors,omitempty"` // what could not be read, with its place
	Tests  []Result `json:"tests"`
}

// Result is what became of one test.
type Result struct {
	Name     string    `json:"name"`
	File     string    `json:"file"`
	Line     int       `json:"line,omitempty"` // 1-based
	Request  string    `json:"request"`
	Status   Status    `json:"status"`
	Failures []Failure `json:"failures,omitempty"`
	Hints    []string  `json:"hints,omitempty"`   // which rule took it, and why the expected one did not
	Command  string    `json:"command,omitempty"` // shows everything about the request
	Error    string    `json:"error,omitempty"`   // why it could not be asked
}

// Summary counts tests by what became of them.
type Summary struct {
	Tests       int `json:"tests"`
	Passed      int `json:"passed"`
	Failed      int `json:"failed"`
	Unsupported int `json:"unsupported"`
	Errors      int `json:"errors"` // of tests and of files
}

func newReport() *Report {
	return &Report{APIVersion: "meshstorm.io/v1", Files: []FileReport{}, reached: map[string]bool{}, reachedEnvoy: map[string]bool{}}
}

func (r *Report) add(f FileReport) {
	if f.Tests == nil {
		f.Tests = []Result{}
	}
	for _, t := range f.Tests {
		r.Summary.Tests++
		switch t.Status {
		case StatusPassed:
			r.Summary.Passed++
		case StatusFailed:
			r.Summary.Failed++
		case StatusUnsupported:
			r.Summary.Unsupported++
		case StatusError:
			r.Summary.Errors++
		}
	}
	r.Summary.Errors += len(f.Errors)
	r.Files = append(r.Files, f)
}

// Failed reports whether a test did not hold: exit code 1.
func (r *Report) Failed() bool { return r.Summary.Failed+r.Summary.Unsupported > 0 }

// Broken reports whether a file or a test could not be used: exit code 2.
func (r *Report) Broken() bool { return r.Summary.Errors > 0 }

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
