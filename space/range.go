package space

import (
	"fmt"
	"strconv"
	"strings"
)

// Range holds the decimal integers from a number up to, but without, another,
// as Envoy reads them in a header's range_match: with a sign and zeros before
// them where somebody writes them.
func Range(from, to int64) Strings {
	if from >= to {
		return None()
	}
	to-- // both are inside from here on
	var parts []string
	if to >= 0 {
		parts = append(parts, `\+?0*(?:`+digits(uint64(max(from, 0)), uint64(to))+`)`)
	}
	if from <= 0 {
		lo, hi := uint64(0), uint64(-(from+1))+1 // of the amounts; the smallest number has no opposite
		if to < 0 {
			lo = uint64(-to)
		}
		parts = append(parts, `-0*(?:`+digits(lo, hi)+`)`)
	}
	s, err := Regexp(strings.Join(parts, "|"))
	if err != nil { // cannot be: at most some hundred states
		s = Present()
		s.vague = true
	}
	return s
}

// digits is an expression for the numbers from lo to hi without zeros before.
func digits(lo, hi uint64) string {
	var parts []string
	for from := lo; from <= hi; { // numbers of one length at a time
		a := strconv.FormatUint(from, 10)
		b := strings.Repeat("9", len(a))
		to, err := strconv.ParseUint(b, 10, 64)
		if err != nil || to >= hi {
			to, b = hi, strconv.FormatUint(hi, 10)
		}
		parts = append(parts, between(a, b))
		if to == hi {
			break
		}
		from = to + 1
	}
	return strings.Join(parts, "|")
}

// between is an expression for the numbers from a to b, which are equally long.
func between(a, b string) string {
	if a == b {
		return a
	}
	if strings.Trim(a, "0") == "" && strings.Trim(b, "9") == "" {
		return fmt.Sprintf("[0-9]{%d}", len(a))
	}
	if a[0] == b[0] {
		return a[:1] + "(?:" + between(a[1:], b[1:]) + ")"
	}
	n := len(a) - 1
	if n == 0 {
		return "[" + a + "-" + b + "]"
	}
	parts := []string{a[:1] + "(?:" + between(a[1:], strings.Repeat("9", n)) + ")"}
	if b[0]-a[0] > 1 {
		parts = append(parts, fmt.Sprintf("[%c-%c][0-9]{%d}", a[0]+1, b[0]-1, n))
	}
	parts = append(parts, b[:1]+"(?:"+between(strings.Repeat("0", n), b[1:])+")")
	return strings.Join(parts, "|")
}
