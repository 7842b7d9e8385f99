package check

import (
	"context"
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// CodeRegexSize is the code of expressions that Envoy refuses for their size.
const CodeRegexSize = "MS0510"

// maxProgram is the program size that Istio's bootstrap lets Envoy accept
// (re2.max_program_size.error_level).
const maxProgram = 32768

// Expressions looks for expressions that pass Istio's validation, which looks
// at syntax and length (IST0106), and that Envoy still refuses.
func Expressions() Rule {
	return Rule{
		Codes: []string{CodeRegexSize},
		Name:  "regex-size",
		Doc:   "A regular expression of a match is short as written and too large as a program, so Envoy refuses it.",
		Rows: []Row{{Code: CodeRegexSize, Severity: "error",
			Means: "a regular expression grows too large by its repetitions: Envoy refuses the whole route configuration and keeps the last one, or has none after a restart",
			Todo:  "write `+` or `*` in place of large repetitions"}},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, v := range in.Mesh().VirtualServices {
				found = append(found, largeExpressions(v)...)
			}
			return found
		},
	}
}

func largeExpressions(v *VirtualService) []Finding {
	var found []Finding
	look := func(field, expr string) {
		if size := programSize(expr); size > maxProgram {
			f := v.Finding(CodeRegexSize, Error, field,
				fmt.Sprintf("this regular expression becomes a program of at least %d steps, and Envoy allows %d: it refuses all routes of the port, and keeps those it had before", size, maxProgram))
			f.Fix = "write + or * in place of the large repetitions, such as {900}"
			found = append(found, f)
		}
	}
	for i, rule := range v.Spec.GetHttp() {
		look(fmt.Sprintf("spec.http[%d].rewrite.uriRegexRewrite.match", i), rule.GetRewrite().GetUriRegexRewrite().GetMatch())
		for j, m := range rule.GetMatch() {
			field := fmt.Sprintf("spec.http[%d].match[%d].", i, j)
			look(field+"uri", m.GetUri().GetRegex())
			look(field+"scheme", m.GetScheme().GetRegex())
			look(field+"method", m.GetMethod().GetRegex())
			look(field+"authority", m.GetAuthority().GetRegex())
			each(m.GetHeaders(), field+"headers", look)
			each(m.GetWithoutHeaders(), field+"withoutHeaders", look)
			each(m.GetQueryParams(), field+"queryParams", look)
		}
	}
	return found
}

func each(matches map[string]*networking.StringMatch, field string, look func(field, expr string)) {
	for _, name := range slices.Sorted(maps.Keys(matches)) {
		look(fmt.Sprintf("%s[%s]", field, name), matches[name].GetRegex())
	}
}

// programSize is how many steps the expression has at least when compiled;
// RE2, which works on bytes, never needs fewer than Go, which works on
// characters. It is 0 for what cannot grow: without a repetition the length
// that Istio allows is no danger.
func programSize(expr string) int {
	if !strings.Contains(expr, "{") || len(expr) > 1024 {
		return 0
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0 // IST0106
	}
	return steps(re)
}

// steps counts the characters and choices of an expression with its
// repetitions written out.
func steps(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return n + 1
	case syntax.OpAlternate:
		return n + len(re.Sub) - 1
	case syntax.OpRepeat:
		if re.Max > re.Min {
			return n*re.Max + re.Max - re.Min
		}
		return n * max(re.Min, 1)
	}
	return n
}
