package analyze

// The severities in the page are compared with Istio's, which no public door
// shows.

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"istio.io/istio/pkg/config/analysis/msg"
)

var (
	istioRow  = regexp.MustCompile(`(?m)^\| (IST\d{4}) \| \w+ \| ([^|]+) \| [^|]+ \|$`)
	istioCode = regexp.MustCompile(`\bIST\d{4}\b`)
)

func TestThePageOnChecksHasARowForEveryCodeOfIstio(t *testing.T) {
	page, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	severities := map[string][]string{}
	for _, m := range istioRow.FindAllStringSubmatch(string(page), -1) {
		severities[m[1]] = append(severities[m[1]], m[2])
	}
	var known []string
	for _, rule := range Rules(Options{}) {
		known = append(known, rule.Codes...)
	}
	for _, code := range known {
		if len(severities[code]) != 1 {
			t.Errorf("docs/checks.md has %d rows for %s (%s), want 1: | %s | Istio's name | severity | meaning |",
				len(severities[code]), code, explain(code, nil).doc, code)
		}
	}
	for _, code := range istioCode.FindAllString(string(page), -1) {
		if !slices.Contains(known, code) {
			t.Errorf("docs/checks.md names %s, which Istio does not have", code)
		}
	}
	for _, m := range msg.All() {
		want := string(severityOf(m.Level()))
		for _, s := range severities[m.Code()] {
			if !strings.Contains(s, want) {
				t.Errorf("docs/checks.md gives %s the severity %q; Istio's %q has to be named too", m.Code(), s, want)
			}
		}
	}
}
