package check

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// APIVersion is the version of the JSON form.
const APIVersion = "meshstorm.io/v1"

// Report is the outcome of Run.
type Report struct {
	Findings []Finding
	Summary  Summary
	// Suppressed are the findings that a suppression set aside; SARIF shows
	// them, text and JSON only count them.
	Suppressed []SuppressedFinding
	Rules      []RuleInfo // every code that could have been found, sorted by code
}

// Summary counts the findings.
type Summary struct {
	Error      int `json:"error"`
	Warning    int `json:"warning"`
	Info       int `json:"info"`
	Suppressed int `json:"suppressed"`
}

// SuppressedFinding is a finding that somebody decided to live with.
type SuppressedFinding struct {
	Finding
	Reason   string
	InSource bool // by an annotation on the object, not by the settings
}

// RuleInfo describes one code.
type RuleInfo struct {
	Code, Name, Doc string
}

// MarshalJSON gives the form that `check -o json` prints.
func (r Report) MarshalJSON() ([]byte, error) {
	out := struct {
		APIVersion string    `json:"apiVersion"`
		Findings   []Finding `json:"findings"`
		Summary    Summary   `json:"summary"`
	}{APIVersion, r.Findings, r.Summary}
	if out.Findings == nil {
		out.Findings = []Finding{}
	}
	return json.Marshal(out)
}

// WriteJSON writes the report as indented JSON with a line break at its end.
func WriteJSON(w io.Writer, r Report) error {
	if err := encodeJSON(w, r); err != nil {
		return fmt.Errorf("write findings as JSON: %w", err)
	}
	return nil
}

func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func summarize(found []Finding, suppressed int) Summary {
	s := Summary{Suppressed: suppressed}
	for _, f := range found {
		switch f.Severity {
		case Error:
			s.Error++
		case Warning:
			s.Warning++
		default:
			s.Info++
		}
	}
	return s
}

// Rows are the lines of docs/checks.md for the codes of the rules and of Run
// itself, sorted by code.
func Rows(rules []Rule) []Row {
	rows := []Row{
		{Code: CodeInternal, Severity: "error",
			Means: "a rule failed; nothing is known about what it looks for",
			Todo:  "report it with the files"},
		{Code: CodeNoReason, Severity: "warning",
			Means: "a suppression gives no reason and has no effect",
			Todo:  "write `CODE because …`"},
		{Code: CodeUnusedSuppressed, Severity: "info",
			Means: "a suppression matches nothing, and would hide the next such finding",
			Todo:  "remove it"},
	}
	for _, rule := range rules {
		rows = append(rows, rule.Rows...)
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return strings.Compare(a.Code, b.Code) })
	return rows
}

// describe lists the codes of the rules and of Run itself. Where two rules
// share a code, the first one describes it.
func describe(rules []Rule) []RuleInfo {
	infos := []RuleInfo{
		{CodeInternal, "internal-error", "A rule failed, so what it looks for is unknown."},
		{CodeNoReason, "suppression-without-reason", "A suppression counts only with a reason."},
		{CodeUnusedSuppressed, "unused-suppression", "A suppression matches no finding and can go."},
	}
	for _, rule := range rules {
		for _, code := range rule.Codes {
			doc := rule.Doc
			if d, ok := rule.CodeDocs[code]; ok {
				doc = d
			}
			infos = append(infos, RuleInfo{code, rule.Name, doc})
		}
	}
	slices.SortStableFunc(infos, func(a, b RuleInfo) int { return strings.Compare(a.Code, b.Code) })
	return slices.CompactFunc(infos, func(a, b RuleInfo) bool { return a.Code == b.Code })
}
