package deploy

import (
	"strings"
	"unicode"

	pluralize "github.com/gertd/go-pluralize"
	"github.com/mozillazg/go-unidecode"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name a service may have, in characters: the longest
// name made from it, the ReplicaSet's pods', must stay a DNS label of 63.
const MaxName = 48

// DNSName maps the name on a bounded context's sticker to the one name that
// every object of the context uses: words split at case changes, scripts and
// everything that is no letter or digit, romanised, lower-cased, joined by "-".
// A name that would start with a digit gets the prefix "svc-", because a
// Service's name is an RFC 1035 label. It returns "" where nothing is left.
func DNSName(name string) string {
	var words []string
	for _, w := range splitWords(norm.NFC.String(name)) {
		words = append(words, strings.FieldsFunc(strings.ToLower(unidecode.Unidecode(w)), notAlphanumeric)...)
	}
	joined := strings.Join(words, "-")
	if joined != "" && joined[0] >= '0' && joined[0] <= '9' {
		joined = "svc-" + joined
	}
	return joined
}

func notAlphanumeric(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// splitWords cuts at separators, at a lower-case letter or digit followed by an
// upper-case one, before the last capital of a run ("HTTPServer"), and where a
// word changes between Latin and another script.
func splitWords(s string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, string(word))
			word = nil
		}
	}
	runes := []rune(s)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			flush()
			continue
		}
		if len(word) > 0 && wordStarts(word[len(word)-1], r, runes[i+1:]) {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}

func wordStarts(prev, r rune, rest []rune) bool {
	switch {
	case unicode.IsUpper(r) && (unicode.IsLower(prev) || unicode.IsDigit(prev)):
		return true
	case unicode.IsUpper(r) && unicode.IsUpper(prev):
		return len(rest) > 0 && unicode.IsLower(rest[0])
	case unicode.IsLetter(r) && unicode.IsLetter(prev):
		return unicode.Is(unicode.Latin, r) != unicode.Is(unicode.Latin, prev)
	}
	return false
}

// camelCase is the original's nameCamelCase (change-case 3.1), on which its
// REST paths rest: "taxi booking" is "taxiBooking", "ORDER" is "order", Hangul
// stays as it is.
func camelCase(s string) string {
	var b strings.Builder
	for i, w := range camelWords(norm.NFC.String(s)) {
		w = strings.ToLower(w)
		if i > 0 {
			first := []rune(w)[0]
			if unicode.IsDigit(first) {
				b.WriteByte('_') // "a 1" would else read like "a1"
			}
			w = string(unicode.ToUpper(first)) + w[len(string(first)):]
		}
		b.WriteString(w)
	}
	return b.String()
}

// camelWords splits as change-case does: it knows no scripts, so "주문Order" is
// one word, and a capital after a letter without case does not begin one.
func camelWords(s string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, string(word))
			word = nil
		}
	}
	runes := []rune(s)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		if n := len(word); n > 0 && unicode.IsUpper(r) {
			prev := word[n-1]
			lastCapital := unicode.IsUpper(prev) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(prev) || unicode.IsDigit(prev) || lastCapital {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return words
}

// plurals is a port of the JavaScript package that the original uses.
type plurals struct{ client *pluralize.Client }

func newPlurals() plurals { return plurals{pluralize.NewClient()} }

// path is the collection's path segment of an aggregate or view.
func (p plurals) path(name string) string {
	camel := camelCase(name)
	if camel == "" {
		return ""
	}
	return p.client.Plural(camel)
}
