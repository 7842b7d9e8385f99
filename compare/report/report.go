// Package report is the result of a comparison as data: which requests two
// meshes treat differently, and what of it is proved. Package compare makes
// reports; whoever prints or tests them needs no Istio for that.
package report

import (
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// APIVersion is the version of the JSON form.
const APIVersion = "meshstorm.io/v1"

// Report says what changes from one mesh to another.
type Report struct {
	APIVersion  string       `json:"apiVersion"`
	Before      string       `json:"before"` // the names of the sides
	After       string       `json:"after"`
	Summary     Summary      `json:"summary"`
	Differences []Difference `json:"differences"`
	Unproved    []Unproved   `json:"unproved,omitempty"`
	// Disagreements are requests of which the evaluation of routes says
	// something else than the computation with sets: faults of meshstorm.
	Disagreements []string `json:"disagreements,omitempty"`
	Compared      Compared `json:"compared"`
}

// Summary is the report in a few numbers.
type Summary struct {
	// Unchanged is true where it is proved that no request that was compared is
	// treated differently.
	Unchanged     bool   `json:"unchanged"`
	Differences   int    `json:"differences"`
	Unproved      int    `json:"unproved"`
	Disagreements int    `json:"disagreements"`
	Text          string `json:"text"`
}

// Compared says how much was compared.
type Compared struct {
	Proxies             int `json:"proxies"`
	RouteConfigurations int `json:"routeConfigurations"` // pairs
	VirtualHosts        int `json:"virtualHosts"`        // pairs that some request can choose
	Equal               int `json:"equal"`               // of these, equal as written but for names
	Routes              int `json:"routes"`              // of the others, on both sides
	Requests            int `json:"requests"`            // evaluated on both sides
}

// Difference is a kind of request that is treated differently, with one of its
// requests.
type Difference struct {
	Request answer.Request `json:"request"`
	Command string         `json:"command"` // that asks one side; "" where no URL says these bytes
	Proxy   answer.Proxy   `json:"proxy"`
	Port    int            `json:"port"`
	Also    []string       `json:"also,omitempty"` // other proxies that change in the same way
	What    []string       `json:"what"`           // aspects: destination, shares, timeout, ...
	Changes []Change       `json:"changes"`
	Before  End            `json:"beforeRule"`
	After   End            `json:"afterRule"`
	Regions int            `json:"regions"` // pieces of the conditions that differ in this way
}

// Change is an aspect that differs, with the lines that only one side has.
type Change struct {
	What   string   `json:"what"`
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// End is the rule that takes the request on one side.
type End struct {
	Text           string         `json:"text"` // what happens, in a sentence
	Rule           string         `json:"rule,omitempty"`
	Kind           string         `json:"kind,omitempty"` // VirtualService, HTTPRoute
	VirtualService string         `json:"virtualService,omitempty"`
	Namespace      string         `json:"namespace,omitempty"`
	File           string         `json:"file,omitempty"`
	Line           int            `json:"line,omitempty"`
	Answer         *answer.Answer `json:"answer,omitempty"` // without the verdicts of the rules
}

// Unproved is something of which it is not known whether it differs.
type Unproved struct {
	Proxy   string          `json:"proxy,omitempty"`
	Port    int             `json:"port,omitempty"`
	Reason  string          `json:"reason"`
	Request *answer.Request `json:"request,omitempty"`
	Before  *End            `json:"beforeRule,omitempty"`
	After   *End            `json:"afterRule,omitempty"`
	Also    []string        `json:"also,omitempty"` // other proxies
}

// Same tells whether it is proved that nothing differs.
func (r *Report) Same() bool { return r.Summary.Unchanged }

// Summarize fills in the summary.
func (r *Report) Summarize() {
	s := Summary{Differences: len(r.Differences), Unproved: len(r.Unproved), Disagreements: len(r.Disagreements)}
	s.Unchanged = s.Differences+s.Unproved+s.Disagreements == 0
	switch {
	case s.Unchanged:
		s.Text = "unchanged: proved for every HTTP request"
	case s.Differences == 0:
		s.Text = "no difference was found, but that is not proved"
	default:
		s.Text = fmt.Sprintf("%s treated differently", count(s.Differences, "kind of request is", "kinds of requests are"))
	}
	if s.Unproved > 0 {
		s.Text += "; " + count(s.Unproved, "case is", "cases are") + " not proved"
	}
	if s.Disagreements > 0 {
		s.Text += "; " + count(s.Disagreements, "request shows", "requests show") + " a fault in meshstorm"
	}
	r.Summary = s
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Command is the line that asks one mesh about a request.
func Command(r answer.Request) string {
	var b strings.Builder
	b.WriteString("meshstorm route " + Quote(r.Method) + " " + Quote(r.URL))
	if r.From != "" && r.From != "gateway" {
		b.WriteString(" --from " + Quote(r.From))
	}
	for _, h := range r.Headers {
		b.WriteString(" -H " + Quote(h.Name+": "+h.Value))
	}
	if r.Random != nil {
		fmt.Fprintf(&b, " --random %d", *r.Random)
	}
	return b.String()
}

// Quote writes a word as a shell reads it.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Ask is the request that people would send so that a proxy gets this one. ok
// is false where a URL cannot say it.
func Ask(r route.Request, from string, port int) (q answer.Request, ok bool) {
	q = answer.Request{Method: r.Method, From: from, Headers: append([]route.Header(nil), r.Headers...)}
	host := r.Authority
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	sent := host // what a client makes of host and port
	if port != 0 && port != usualPort(r.Scheme) {
		sent += fmt.Sprintf(":%d", port)
	}
	if sent != r.Authority {
		q.Headers = append([]route.Header{{Name: "host", Value: r.Authority}}, q.Headers...)
	}
	if r.Random != 0 {
		n := r.Random
		q.Random = &n
	}
	q.URL = r.Scheme + "://" + sent + r.Path
	return q, host != "" && (r.TLS == nil || !r.TLS.Presented)
}

func usualPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}
