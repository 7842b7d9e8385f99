package space_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/meshstorm/meshstorm/space"
)

// tiny are all strings of up to five of a few bytes.
func tiny() []string {
	all := []string{""}
	for from := 0; len(all[from]) < 5; from++ {
		for _, b := range "aB/" {
			all = append(all, all[from]+string(b))
		}
	}
	return all
}

// model is a set by enumeration: the tiny strings in it, and missing.
type model struct {
	in     map[string]bool
	absent bool
}

func (m model) check(t *testing.T, what string, s space.Strings) {
	t.Helper()
	if !s.Exactly() {
		t.Fatalf("%s: gave up", what)
	}
	if s.HasAbsent() != m.absent {
		t.Fatalf("%s: HasAbsent is %v", what, s.HasAbsent())
	}
	empty := !m.absent
	for w, in := range m.in {
		empty = empty && !in
		if s.Has(w) != in {
			t.Fatalf("%s: Has(%q) is %v", what, w, s.Has(w))
		}
	}
	if s.IsEmpty() && !empty {
		t.Fatalf("%s: IsEmpty, but it has members", what)
	}
	v, absent, ok := s.Example()
	switch {
	case ok == s.IsEmpty():
		t.Fatalf("%s: Example says %v, IsEmpty %v", what, ok, s.IsEmpty())
	case ok && absent && !s.HasAbsent(), ok && !absent && !s.Has(v):
		t.Fatalf("%s: Example %q (%v) is no member", what, v, absent)
	}
}

type named struct {
	text string
	set  space.Strings
	model
}

// leaf makes a random simple set with its model.
func leaf(r *rand.Rand, words []string) named {
	w := words[r.IntN(40)]
	fold := r.IntN(3) == 0
	same := func(s string) string {
		if fold {
			return strings.ToLower(s)
		}
		return s
	}
	var n named
	var has func(s string) bool
	switch r.IntN(8) {
	case 0:
		n.text, n.set = "exact", space.Exact(w, fold)
		has = func(s string) bool { return same(s) == same(w) }
	case 1:
		n.text, n.set = "prefix", space.Prefix(w, fold)
		has = func(s string) bool { return strings.HasPrefix(same(s), same(w)) }
	case 2:
		n.text, n.set = "suffix", space.Suffix(w, fold)
		has = func(s string) bool { return strings.HasSuffix(same(s), same(w)) }
	case 3:
		n.text, n.set = "contains", space.Contains(w, fold)
		has = func(s string) bool { return strings.Contains(same(s), same(w)) }
	case 4:
		v := words[r.IntN(40)]
		n.text, n.set = "one of "+v, space.OneOf(w, v)
		has = func(s string) bool { return s == w || s == v }
	case 5:
		n.text, n.set = "below", space.PathSeparatedPrefix(w, fold)
		has = func(s string) bool { return same(s) == same(w) || strings.HasPrefix(same(s), same(w)+"/") }
	case 6:
		expr := []string{"a*", "(aB|/)+", "[^a]*a?", ".*/.*", "a{2,3}.", "(?i)b*a", "^a.*B$", `\bab?\b/.*`}[r.IntN(8)]
		re := regexp.MustCompile(`\A(?:` + expr + `)\z`)
		set, err := space.Regexp(expr)
		if err != nil {
			panic(err)
		}
		n.text, n.set, has = "regexp "+expr, set, re.MatchString
	case 7:
		sets := []space.Strings{space.Any(), space.None(), space.Absent(), space.Present()}
		i := r.IntN(4)
		n.text, n.set, n.absent = fmt.Sprint("constant ", i), sets[i], i == 0 || i == 2
		has = func(string) bool { return i == 0 || i == 3 }
	}
	n.text = fmt.Sprintf("%s(%q,%v)", n.text, w, fold)
	n.in = map[string]bool{}
	for _, s := range words {
		n.in[s] = has(s)
	}
	return n
}

func combined(op string, a, b named, set space.Strings, f func(a, b bool) bool) named {
	n := named{text: "(" + a.text + " " + op + " " + b.text + ")", set: set}
	n.absent = f(a.absent, b.absent)
	n.in = map[string]bool{}
	for s := range a.in {
		n.in[s] = f(a.in[s], b.in[s])
	}
	return n
}

func tree(r *rand.Rand, words []string, depth int) named {
	if depth == 0 {
		return leaf(r, words)
	}
	a, b := tree(r, words, depth-1), tree(r, words, depth-1)
	switch r.IntN(4) {
	case 0:
		return combined("and", a, b, a.set.And(b.set), func(a, b bool) bool { return a && b })
	case 1:
		return combined("or", a, b, a.set.Or(b.set), func(a, b bool) bool { return a || b })
	case 2:
		return combined("minus", a, b, a.set.Minus(b.set), func(a, b bool) bool { return a && !b })
	default:
		return combined("not", a, b, a.set.Not(), func(a, b bool) bool { return !a })
	}
}

func TestOperationsAgreeWithEnumeration(t *testing.T) {
	words := tiny()
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := tree(r, words, r.IntN(4))
		n.check(t, n.text, n.set)
	}
}

func TestLawsOfSets(t *testing.T) {
	words := tiny()
	r := rand.New(rand.NewPCG(3, 4))
	same := func(law string, a, b space.Strings) {
		t.Helper()
		if !a.Within(b) || !b.Within(a) || !a.Minus(b).IsEmpty() || !b.Minus(a).IsEmpty() {
			t.Fatalf("%s does not hold", law)
		}
	}
	for range 1000 {
		x, y, z := tree(r, words, 1), tree(r, words, 1), leaf(r, words)
		law := func(s string) string { return s + " for " + x.text + ", " + y.text + ", " + z.text }
		a, b, c := x.set, y.set, z.set
		same(law("De Morgan"), a.And(b).Not(), a.Not().Or(b.Not()))
		same(law("distribution"), a.And(b.Or(c)), a.And(b).Or(a.And(c)))
		same(law("minus"), a.Minus(b), a.And(b.Not()))
		same(law("double not"), a.Not().Not(), a)
		same(law("parts"), a.Minus(b).Or(a.And(b)), a)
		if a.Overlaps(b) == a.And(b).IsEmpty() {
			t.Fatal(law("overlap"))
		}
		if a.Within(b) != a.Minus(b).IsEmpty() {
			t.Fatal(law("within"))
		}
	}
}

func TestRegexpSpeaksRE2(t *testing.T) {
	tests := []struct {
		name, expr string
		in, out    []string
	}{
		{"a literal", "/orders", []string{"/orders"}, []string{"/order", "/orders/", "x/orders"}},
		{"the whole value has to match", "a|bc", []string{"a", "bc"}, []string{"ac", "b", "abc"}},
		{"anchors that change nothing", "^/a$", []string{"/a"}, []string{"/a/", ""}},
		{"anchors in the middle match nothing", "a^b|a$b", nil, []string{"ab", "a", "b", ""}},
		{"lines", "(?m)a$\n^b", []string{"a\nb"}, []string{"ab"}},
		{"word boundaries", `/.*\bapi\b.*`, []string{"/api", "/x/api/y", "/an-api"}, []string{"/apis", "/my_api", "/"}},
		{"no word boundary", `a\Bb.*`, []string{"ab", "abc"}, []string{"a"}},
		{"counted", "[a-c]{2,3}", []string{"ab", "abc"}, []string{"a", "abca"}},
		{"letters of any script", `/\pL+`, []string{"/가나", "/ä", "/a"}, []string{"/", "/1", "/\xea\xb0"}},
		{"folded", "(?i)Straße", []string{"STRAßE", "straße", "ſtraße", "straẞe"}, []string{"strasse"}},
		{"a dot is no newline and no broken character", "a.b", []string{"a-b", "a가b"}, []string{"a\nb", "a\xffb", "ab"}},
		{"nothing", `[^\x00-\x{10FFFF}]`, nil, []string{"", "a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := space.Regexp(test.expr)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range test.in {
				if !s.Has(v) {
					t.Errorf("%q should be in", v)
				}
			}
			for _, v := range test.out {
				if s.Has(v) {
					t.Errorf("%q should be out", v)
				}
			}
		})
	}
}

func TestRegexpRefusesWhatExplodes(t *testing.T) {
	for _, expr := range []string{
		"(a|b)*a(a|b){30}", "((((.{0,30}){0,5}){0,5})a.*)*" + "b.{20}c", `(\pL{10}[^a]{30}){3}`, "(x+x+)+y(.*a.{15})", strings.Repeat("(a?){30}", 60) + "a{900}",
	} {
		s, err := space.Regexp(expr)
		if err == nil {
			t.Logf("%.40s: computed", expr)
			continue
		}
		if !errors.Is(err, space.ErrTooLarge) {
			t.Errorf("%.40s: %v", expr, err)
		}
		_ = s
	}
	if _, err := space.Regexp("a("); err == nil || errors.Is(err, space.ErrTooLarge) {
		t.Errorf("a fault of the expression is told as such, not as %v", err)
	}
}

func TestLargeSetsGiveUpUpwards(t *testing.T) {
	a, err := space.Regexp("(a|b)*a(a|b){9}")
	if err != nil {
		t.Fatal(err)
	}
	b, err := space.Regexp("(a|b|c)*[bc](a|b|c){9}c?")
	if err != nil {
		t.Fatal(err)
	}
	s := a.Or(b).Minus(a.And(b)).And(a.Not())
	for _, v := range []string{"bbbbbbbbbb", "cccccccccc", "caaaaaaaaac"} {
		if !s.Has(v) {
			t.Errorf("%q is lost", v)
		}
	}
}

func TestRanges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	values := []string{"", "-", "+", "a", "1a", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "-0", "+0", "007"}
	for range 300 {
		values = append(values, strconv.FormatInt(r.Int64N(4000)-2000, 10), strconv.FormatInt(int64(r.Uint64()), 10))
	}
	for i := range 60 {
		from, to := r.Int64N(4000)-2000, r.Int64N(4000)-2000
		switch i % 4 {
		case 1:
			from = int64(r.Uint64())
		case 2:
			from, to = -1<<63, 1<<63-1
		case 3:
			to = from + 1
		}
		s := space.Range(from, to)
		if !s.Exactly() {
			t.Fatalf("[%d,%d) is too large", from, to)
		}
		for _, v := range values {
			n, err := strconv.ParseInt(v, 10, 64)
			if want := err == nil && n >= from && n < to; s.Has(v) != want {
				t.Fatalf("[%d,%d): %q should be %v", from, to, v, want)
			}
		}
	}
}

func TestTemplates(t *testing.T) {
	tests := []struct {
		template string
		in, out  []string
	}{
		{"/orders/{id}", []string{"/orders/1"}, []string{"/orders/", "/orders/1/2", "/orders"}},
		{"/a/*/c", []string{"/a/b/c"}, []string{"/a/b/b/c", "/a//c"}},
		{"/a/{x=*/y}/**", []string{"/a/b/y/", "/a/b/y/z/z"}, []string{"/a/b/y"}},
		{"/a.b", []string{"/a.b"}, []string{"/axb"}},
	}
	for _, test := range tests {
		s, err := space.Template(test.template)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range test.in {
			if !s.Has(v) {
				t.Errorf("%s: %q should be in", test.template, v)
			}
		}
		for _, v := range test.out {
			if s.Has(v) {
				t.Errorf("%s: %q should be out", test.template, v)
			}
		}
	}
	for _, bad := range []string{"", "a", "/{a"} {
		if _, err := space.Template(bad); err == nil {
			t.Errorf("%q is no template", bad)
		}
	}
}

func FuzzRegexp(f *testing.F) {
	for _, expr := range []string{"a*", "(?i)k+", `^/[^/]+/\d{1,3}(\.json)?$`, "(?s).*\\bx\\b.*", `\pL\PL`, "(a|b)*abb", "(?m)^a$|b", "[가-힣]+", "[^\\x{d7ff}-\\x{e001}]"} {
		f.Add(expr, "/a/12.json")
		f.Add(expr, "aabb\na x 가k\u212a")
	}
	f.Fuzz(func(t *testing.T, expr, v string) {
		if len(expr) > 200 || !utf8.ValidString(v) {
			return
		}
		re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
		s, err2 := space.Regexp(expr)
		if err != nil {
			return // alone it may be fine: a)(b
		}
		if errors.Is(err2, space.ErrTooLarge) || err2 != nil && strings.Contains(err2.Error(), "nests too deeply") {
			return
		}
		if err2 != nil {
			// "a)|(b" is fine between the brackets that were put around it.
			if _, err := regexp.Compile(expr); err != nil {
				return
			}
			t.Fatal(err2)
		}
		for _, w := range []string{v, "", v + v} {
			if s.Has(w) != re.MatchString(w) {
				t.Fatalf("%q: Has(%q) is %v", expr, w, s.Has(w))
			}
		}
		if w, _, ok := s.Example(); ok && (!s.Has(w) || !re.MatchString(w)) {
			t.Fatalf("%q: the example %q is no member", expr, w)
		}
	})
}
