package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// SARIF 2.1.0, the parts that a list of findings needs:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		Name             string    `json:"name"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               string             `json:"level"`
		Message             sarifText          `json:"message"`
		Locations           []sarifLocation    `json:"locations,omitempty"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions"`
		Properties          map[string]string  `json:"properties,omitempty"`
	}
	sarifLocation struct {
		PhysicalLocation *sarifPhysical `json:"physicalLocation,omitempty"`
		LogicalLocations []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// WriteSARIF writes the report as SARIF 2.1.0. URIs are relative to the folder
// that the documents' paths are relative to; suppressed findings are included
// with their reason.
func WriteSARIF(w io.Writer, r Report) error {
	rules, index := sarifRules(r)
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "meshstorm", Rules: rules}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	seen := map[string]int{}
	for _, f := range r.Findings {
		result := sarifOf(f, index[f.Code], seen)
		// An empty list says "looked at and not suppressed"; a missing one, "unknown".
		result.Suppressions = []sarifSuppression{}
		run.Results = append(run.Results, result)
	}
	for _, s := range r.Suppressed {
		result := sarifOf(s.Finding, index[s.Code], seen)
		kind := "external"
		if s.InSource {
			kind = "inSource"
		}
		result.Suppressions = []sarifSuppression{{Kind: kind, Justification: s.Reason}}
		run.Results = append(run.Results, result)
	}
	err := encodeJSON(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
	if err != nil {
		return fmt.Errorf("write findings as SARIF: %w", err)
	}
	return nil
}

func sarifRules(r Report) (rules []sarifRule, index map[string]int) {
	rules, index = []sarifRule{}, map[string]int{}
	add := func(info RuleInfo) {
		if _, ok := index[info.Code]; ok {
			return
		}
		index[info.Code] = len(rules)
		rules = append(rules, sarifRule{info.Code, info.Name, sarifText{info.Doc}})
	}
	for _, info := range r.Rules {
		add(info)
	}
	for _, f := range r.Findings {
		add(RuleInfo{f.Code, strings.ToLower(f.Code), f.Code})
	}
	for _, f := range r.Suppressed {
		add(RuleInfo{f.Code, strings.ToLower(f.Code), f.Code})
	}
	return rules, index
}

func sarifOf(f Finding, rule int, seen map[string]int) sarifResult {
	result := sarifResult{
		RuleID:              f.Code,
		RuleIndex:           rule,
		Level:               sarifLevel(f.Severity),
		Message:             sarifText{f.Message},
		PartialFingerprints: map[string]string{"meshstormFinding/v1": fingerprint(f, seen)},
		Properties:          map[string]string{},
	}
	if f.Fix != "" {
		result.Message.Text += "\n\nFix: " + f.Fix
	}
	for key, value := range map[string]string{"source": f.Source, "witness": f.Witness} {
		if value != "" {
			result.Properties[key] = value
		}
	}
	if location := sarifPlace(f); location != nil {
		result.Locations = []sarifLocation{*location}
	}
	return result
}

func sarifLevel(s Severity) string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "note"
	}
}

func sarifPlace(f Finding) *sarifLocation {
	if f.File == "" && f.Object == nil {
		return nil
	}
	location := &sarifLocation{}
	if f.File != "" {
		// The ./ keeps "a:b.yml" from reading as a URI with the scheme "a".
		uri := strings.TrimPrefix((&url.URL{Path: f.File}).String(), "./")
		if strings.Contains(strings.SplitN(uri, "/", 2)[0], ":") {
			uri = "./" + uri
		}
		location.PhysicalLocation = &sarifPhysical{ArtifactLocation: sarifArtifact{uri}}
		if f.Line > 0 {
			location.PhysicalLocation.Region = &sarifRegion{f.Line, f.Column}
		}
	}
	if f.Object != nil {
		location.LogicalLocations = []sarifLogical{{f.Object.Name, f.Object.String(), "object"}}
	}
	return location
}

// fingerprint identifies a finding across edits that move lines: code, file,
// object and message, numbered where even these are the same.
func fingerprint(f Finding, seen map[string]int) string {
	key := strings.Join([]string{f.Code, f.File, f.object().String(), f.Message}, "\x00")
	seen[key]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
	return hex.EncodeToString(sum[:16])
}
