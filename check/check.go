package check

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm"
)

// Input is everything that rules may look at. It is read-only while Run works,
// because rules run side by side.
type Input struct {
	Documents []*manifest.Document
	// Errors are the errors of reading the documents' files; each becomes a
	// finding MS0106.
	Errors []error
	Intent *deploy.Model // nil for plain YAML
	Storm  *storm.Model  // nil for plain YAML
	// Stickers are the places of the model's elements in storm.json, by their
	// ids; findings about an element that is missing here have no line.
	Stickers map[string]Place
	// Namespace is where objects without a namespace of their own go; "" is
	// "default".
	Namespace    string
	Suppressions []Suppression
	// Memo, where not nil, keeps what is known of single objects for the next
	// input.
	Memo *Memo

	decode    sync.Once
	resources []*Resource
	view      sync.Once
	mesh      *Mesh
}

// Place is a line and column of a file, counted from 1.
type Place struct{ Line, Column int }

// Rule is one check, or a family of checks that share their work.
type Rule struct {
	Codes []string // every code that Run may use
	Name  string   // short and stable, "image-reference"
	Doc   string   // one sentence: what the rule looks for
	// CodeDocs has a sentence for the codes that Doc is too general for.
	CodeDocs map[string]string
	// Rows are the codes' lines in docs/checks.md, which is written from them
	// (go generate ./check); in Markdown.
	Rows []Row
	// Yields names, by codes of this rule, codes of other rules that say the
	// same: where a finding of theirs, as severe or worse, stands at the same
	// place, this rule's is left out.
	Yields map[string][]string
	Run    func(ctx context.Context, in *Input) []Finding
}

// Row is a code's line in docs/checks.md.
type Row struct {
	Code     string
	Severity string // "error", or several: "warning; info"
	Means    string // what happens at run time
	Todo     string // the next step; "" for Istio's codes
	Name     string // Istio's name of the code; "" for ours
	Never    bool   // no report has it, and Means says why
}

// Codes of this package's own housekeeping.
const (
	CodeInternal         = "MS0001" // a rule failed; the others still ran
	CodeNoReason         = "MS0002" // a suppression that gives no reason
	CodeUnusedSuppressed = "MS0003" // a suppression that matches no finding
)

// Run runs all rules and gives what they found: sorted by file, line and code,
// without duplicates, with suppressed findings set aside. A rule that panics
// costs its own findings only, and becomes a finding MS0001. Rules that have
// not begun when ctx ends are left out; the caller knows by ctx.Err().
func Run(ctx context.Context, in *Input, rules []Rule) Report {
	results := make([][]Finding, len(rules))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, rule := range rules {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			results[i] = runRule(ctx, in, rule)
		}()
	}
	wg.Wait()

	found := yield(slices.Concat(results...), rules)
	for i := range found {
		found[i].File = strings.ReplaceAll(found[i].File, `\`, "/")
	}
	found = collapse(found)
	kept, suppressed, remarks := suppress(in, found)
	kept = collapse(append(kept, remarks...))
	return Report{
		Findings:   kept,
		Summary:    summarize(kept, len(suppressed)),
		Suppressed: suppressed,
		Rules:      describe(rules),
	}
}

// yield leaves out what another rule says of the same place.
func yield(found []Finding, rules []Rule) []Finding {
	type spot struct {
		code, file   string
		line, column int
		object       Object
	}
	at := func(f *Finding, code string) spot { return spot{code, f.File, f.Line, f.Column, f.object()} }
	yields := map[string][]string{}
	for _, r := range rules {
		maps.Copy(yields, r.Yields)
	}
	worst := map[spot]Severity{}
	for i := range found {
		f := &found[i]
		if s := at(f, f.Code); worst[s] == "" || rank(f.Severity) < rank(worst[s]) {
			worst[s] = f.Severity
		}
	}
	return slices.DeleteFunc(found, func(f Finding) bool {
		return slices.ContainsFunc(yields[f.Code], func(code string) bool {
			other := worst[at(&f, code)]
			return other != "" && rank(other) <= rank(f.Severity)
		})
	})
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Info}, s) }

func runRule(ctx context.Context, in *Input, rule Rule) (found []Finding) {
	defer func() {
		if p := recover(); p != nil {
			found = []Finding{{
				Code:     CodeInternal,
				Severity: Error,
				Message: fmt.Sprintf("the rule %q failed with an internal error (%v), so nothing is known about what it looks for: %s",
					rule.Name, p, strings.Join(rule.Codes, ", ")),
				Fix: "report this with the files that cause it; the other rules did run",
			}}
		}
	}()
	return rule.Run(ctx, in)
}

// collapse sorts the findings and drops those that say the same of the same
// place.
func collapse(found []Finding) []Finding {
	slices.SortStableFunc(found, compareFindings)
	return slices.CompactFunc(found, func(a, b Finding) bool {
		return a.Code == b.Code && a.File == b.File && a.Line == b.Line && a.Column == b.Column &&
			a.object() == b.object() && a.Message == b.Message
	})
}

func compareFindings(a, b Finding) int {
	return cmp.Or(
		strings.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		strings.Compare(a.Code, b.Code),
		cmp.Compare(a.Column, b.Column),
		strings.Compare(a.object().String(), b.object().String()),
		strings.Compare(a.Message, b.Message),
	)
}

func (f *Finding) object() Object {
	if f.Object == nil {
		return Object{}
	}
	return *f.Object
}

// String is "Kind namespace/name", as messages name an object.
func (o Object) String() string {
	if o.Namespace == "" {
		return strings.TrimSpace(o.Kind + " " + o.Name)
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}
