package check_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/meshstorm/meshstorm/check"
)

var (
	ownRow  = regexp.MustCompile(`(?m)^\| (MS\d{4}) \| (?:error|warning|info)(?:; (?:warning|info))? \| [^|]+ \| [^|]+ \|$`)
	ownCode = regexp.MustCompile(`\bMS\d{4}\b`)
)

func TestThePageOnChecksHasARowForEveryCode(t *testing.T) {
	page, err := os.ReadFile("../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, m := range ownRow.FindAllSubmatch(page, -1) {
		rows[string(m[1])]++
	}
	var known []string
	// A report lists the codes of the rules and of Run itself.
	for _, info := range check.Run(t.Context(), &check.Input{}, check.Rules()).Rules {
		if !ownCode.MatchString(info.Code) {
			continue // Istio's; see the test of package analyze
		}
		known = append(known, info.Code)
		if rows[info.Code] != 1 {
			t.Errorf("docs/checks.md has %d rows for %s (%s), want 1: | %s | severity | meaning | what to do |",
				rows[info.Code], info.Code, info.Doc, info.Code)
		}
	}
	for _, code := range ownCode.FindAllString(string(page), -1) {
		if !slices.Contains(known, code) {
			t.Errorf("docs/checks.md names %s, which no rule has", code)
		}
	}
}
