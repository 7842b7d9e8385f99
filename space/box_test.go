package space_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/space"
)

func expr(t testing.TB, e string) space.Strings {
	t.Helper()
	s, err := space.Regexp(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func path(s space.Strings) space.Box   { return space.Box{}.With(space.Path, s) }
func method(m ...string) space.Strings { return space.OneOf(m...) }
func prefix(p string) space.Box        { return path(space.Prefix(p, false)) }
func exact(p string) space.Box         { return path(space.Exact(p, false)) }
func user(s space.Strings) space.Box   { return space.Box{}.With(space.Header("x-user"), s) }
func boxes(b ...space.Box) []space.Box { return b }
func get(b space.Box) space.Box        { return b.With(space.Method, method("GET")) }
func except(m ...string) space.Strings { return space.OneOf(m...).Not() }
func fold(s string) space.Strings      { return space.Exact(s, true) }
func query(n, v string) space.Box      { return space.Box{}.With(space.Query(n), space.Exact(v, false)) }

func TestCovered(t *testing.T) {
	tests := []struct {
		name    string
		box     space.Box
		by      []space.Box
		empty   bool
		proved  bool
		witness string // of what is left
	}{
		{"an exact path below an earlier prefix", exact("/apis"), boxes(prefix("/api")), true, true, ""},
		{"GET of /api does not cover /apis", prefix("/apis"), boxes(get(prefix("/api"))), false, true, "POST /apis"},
		{"two methods together with all others", prefix("/"), boxes(get(prefix("/")), prefix("/").With(space.Method, except("GET"))), true, true, ""},
		{"a path and what is below it", prefix("/api"), boxes(path(space.PathSeparatedPrefix("/api", false))), false, true, "GET /apia"},
		{"an expression covers a prefix", prefix("/api"), boxes(path(expr(t, "/api.*"))), true, true, ""},
		{"a prefix covers an expression", path(expr(t, "/api/[0-9]+")), boxes(prefix("/api/")), true, true, ""},
		{"two expressions leave what neither takes", path(expr(t, "/[a-c]+")), boxes(path(expr(t, "/a.*")), path(expr(t, "/[bc][bc]*"))), false, true, "GET /ba"},
		{"any case covers one case", exact("/Api"), boxes(path(fold("/aPI"))), true, true, ""},
		{"missing and present are all", prefix("/"), boxes(user(space.Present()), user(space.Absent())), true, true, ""},
		{"a header that has to be there", prefix("/"), boxes(user(space.Present())), false, true, "GET /"},
		{"a header that is not a value may be missing", user(except("a")), boxes(user(space.Absent())), false, true, "GET / -H 'x-user: '"},
		{"a value needs quotes", user(space.Exact("it's", false)), nil, false, true, `GET / -H 'x-user: it'\''s'`},
		{"query parameters are as sent", query("q", "a%20b?"), nil, false, true, "GET '/?q=a%20b?'"},
		{"cookies are a header", space.Box{}.With(space.Cookie("a"), space.Exact("b", false)).With(space.Cookie("c"), space.Present()), nil, false, true, "GET / -H 'cookie: a=b; c='"},
		{"a number outside of a fraction", prefix("/"), boxes(space.Box{}.With(space.Random(100), space.Range(0, 10))), false, true, "GET /"},
		{"three parts cover the whole", exact("/a"), boxes(get(exact("/a")), user(space.Present()), exact("/a").With(space.Method, except("GET")).And(user(space.Absent()))), true, true, ""},
		{"an unknown condition", exact("/a"), boxes(exact("/a").WithAtom("metadata", true)), false, false, "GET /a"},
		{"an unknown condition and its opposite", exact("/a"), boxes(exact("/a").WithAtom("metadata", true), exact("/a").WithAtom("metadata", false)), true, true, ""},
		{"the same unknown condition", exact("/a").WithAtom("metadata", true), boxes(prefix("/").WithAtom("metadata", true)), true, true, ""},
		{"an impossible box", exact("no-slash"), nil, true, true, ""},
		{"a host", space.Box{}.With(space.Authority, space.Suffix(".example", false)), boxes(space.Box{}.With(space.Authority, space.Exact("shop.example", false))), false, true, "GET http://a.example/"},
		{"every path is an expression", prefix("/"), boxes(path(expr(t, "^/.*$"))), true, true, ""},
		{"every value of a header is an expression", user(space.Present()), boxes(user(expr(t, ".*"))), true, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := space.Covered(test.box, test.by)
			if got.Empty != test.empty || got.Proved != test.proved {
				t.Fatalf("got %+v", got)
			}
			if (got.Witness == nil) != test.empty {
				t.Fatalf("witness %v", got.Witness)
			}
			if got.Witness != nil && got.Witness.String() != test.witness {
				t.Errorf("witness %s, want %s", got.Witness, test.witness)
			}
			var list space.List
			for _, b := range test.by {
				list.Add(b)
			}
			if l := list.Covered(test.box); l.Empty != got.Empty || l.Proved != got.Proved {
				t.Errorf("the list says %+v", l)
			}
		})
	}
}

// randomBox narrows some of four fields.
func randomBox(r *rand.Rand, t testing.TB) space.Box {
	var b space.Box
	names := []string{"/", "/a", "/a/", "/ab", "/a/b", "/b", "/B"}
	name := names[r.IntN(len(names))]
	switch r.IntN(7) {
	case 0, 1:
		b = exact(name)
	case 2, 3:
		b = prefix(name)
	case 4:
		b = path(space.PathSeparatedPrefix(name, r.IntN(2) == 0))
	case 5:
		b = path(expr(t, []string{"/a.*", "/[ab]+", ".*b", "/(a|b)/?.*", "/.*"}[r.IntN(5)]))
	}
	if r.IntN(2) == 0 {
		m := method("GET", "POST")
		if r.IntN(2) == 0 {
			m = except("GET")
		}
		b = b.With(space.Method, m)
	}
	for _, f := range []space.Field{space.Header("h"), space.Query("q")} {
		if r.IntN(3) > 0 {
			continue
		}
		s := []space.Strings{space.Present(), space.Absent(), space.Exact("a", false), space.Prefix("a", false), except("b"), expr(t, "a*b?")}[r.IntN(6)]
		b = b.With(f, s)
	}
	if r.IntN(8) == 0 {
		b = b.WithAtom([]string{"x", "y"}[r.IntN(2)], r.IntN(2) == 0)
	}
	return b
}

// requests are witnesses with all fields and atoms named.
func requests() []space.Witness {
	var all []space.Witness
	for _, p := range []string{"/", "/a", "/a/", "/ab", "/a/b", "/b", "/B", "/A", "/a/c", "/abc", "/c"} {
		for _, m := range []string{"GET", "POST", "PUT"} {
			for _, h := range []string{"-", "a", "b", "ab", "c"} {
				for _, q := range []string{"-", "a", "b"} {
					for _, atoms := range [][]string{{"x", "y"}, {"!x", "!y"}, {"x", "!y"}} {
						w := space.Witness{Values: map[space.Field]string{space.Path: p, space.Method: m}, Atoms: atoms}
						if h != "-" {
							w.Values[space.Header("h")] = h
						}
						if q != "-" {
							w.Values[space.Query("q")] = q
						}
						all = append(all, w)
					}
				}
			}
		}
	}
	return all
}

func TestLeftIsWhatRemains(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	all := requests()
	for range 400 {
		b := randomBox(r, t)
		by := make([]space.Box, r.IntN(8))
		for i := range by {
			by[i] = randomBox(r, t)
		}
		rest, proved := space.Left(b, by)
		if !proved {
			t.Fatal("not proved")
		}
		for _, w := range all {
			has := func(b space.Box) bool { return b.Has(w) }
			want := b.Has(w) && !slices.ContainsFunc(by, has)
			n := 0
			for _, p := range rest {
				if p.Has(w) {
					n++
				}
			}
			if n > 1 || (n == 1) != want {
				t.Fatalf("%s is in %d boxes of the rest, want %v\n%v\n%v\n%v", w, n, want, w, b, by)
			}
		}
		for _, p := range rest {
			w, ok := p.Witness()
			if !ok || !p.Has(w) || !b.Has(w) || slices.ContainsFunc(by, func(b space.Box) bool { return b.Has(w) }) {
				t.Fatalf("witness %+v of the rest is wrong", w)
			}
		}
		if covered := space.Covered(b, by); covered.Empty != (len(rest) == 0) {
			t.Fatalf("Covered says %+v, and %d boxes are left", covered, len(rest))
		}
	}
}

func TestOverlapsAndAndAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	all := requests()
	for range 400 {
		a, b := randomBox(r, t), randomBox(r, t)
		both := a.And(b)
		if a.Overlaps(b) == both.IsEmpty() {
			t.Fatalf("%v and %v", a, b)
		}
		for _, w := range all {
			if both.Has(w) != (a.Has(w) && b.Has(w)) {
				t.Fatalf("%v of %v and %v", w, a, b)
			}
		}
	}
}

func TestListFindsWhatOverlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 60 {
		var list space.List
		var plain []space.Box
		for range 40 {
			b := randomBox(r, t)
			var want []int
			for i, o := range plain {
				if b.Overlaps(o) {
					want = append(want, i)
				}
			}
			if got := list.Overlapping(b); !slices.Equal(got, want) {
				t.Fatalf("%v: got %v, want %v", b, got, want)
			}
			list.Add(b)
			plain = append(plain, b)
		}
	}
}

func TestManyDimensionsEndQuickly(t *testing.T) {
	var b space.Box
	var by []space.Box
	for i := range 400 { // each takes one corner of a cube with 40 sides
		o := space.Box{}
		for j := range 5 {
			o = o.With(space.Header(fmt.Sprint("h", (i*7+j*13)%40)), space.OneOf("a", fmt.Sprint(i)))
		}
		by = append(by, o)
	}
	got := space.Covered(b, by)
	if got.Empty {
		t.Fatal("all headers may be missing")
	}
	for i := range by { // and with values that are no corner's
		by[i] = by[i].With(space.Path, space.Prefix("/", false))
	}
	for i := range 40 {
		b = b.With(space.Header(fmt.Sprint("h", i)), space.Prefix("a", false))
	}
	if got = space.Covered(b, by); got.Empty {
		t.Fatalf("%+v", got)
	}
	space.Left(b, by)
}

func TestExplosiveExpressionsEndQuickly(t *testing.T) {
	var by []space.Box
	for i := range 200 {
		by = append(by, path(expr(t, fmt.Sprintf("/(a|b|%c)*a(a|b){%d}", 'c'+rune(i%20), 4+i%5))))
	}
	got := space.Covered(path(expr(t, "/(a|b)*")), by)
	if got.Empty {
		t.Fatal("/ itself is not taken")
	}
	if got.Witness == nil || slices.ContainsFunc(by, func(b space.Box) bool { return b.Has(*got.Witness) }) {
		t.Errorf("%+v", got)
	}
	rest, _ := space.Left(path(expr(t, "/(a|b)*")), by)
	w := space.Witness{Values: map[space.Field]string{space.Path: "/b"}}
	if !slices.ContainsFunc(rest, func(b space.Box) bool { return b.Has(w) }) {
		t.Error("/b is lost")
	}
}

func TestAnOddMethodIsKept(t *testing.T) {
	w, ok := space.Box{}.With(space.Method, except("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE")).Witness()
	if !ok || strings.ToUpper(w.Values[space.Method]) != w.Values[space.Method] || len(w.Values[space.Method]) != 1 {
		t.Errorf("got %+v", w)
	}
}

func benchmarkList(b *testing.B, n int, rule func(i int) space.Box, last space.Box) {
	b.ReportAllocs()
	for b.Loop() {
		var list space.List
		for i := range n {
			box := rule(i)
			if list.Covered(box).Empty {
				b.Fatal(i)
			}
			list.Add(box)
		}
		if list.Covered(last).Empty {
			b.Fatal("the last rule")
		}
	}
}

func BenchmarkCovered(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint("exact/", n), func(b *testing.B) {
			benchmarkList(b, n, func(i int) space.Box { return exact(fmt.Sprint("/services/resource-", i)) }, prefix("/"))
		})
		b.Run(fmt.Sprint("prefix/", n), func(b *testing.B) {
			benchmarkList(b, n, func(i int) space.Box { return prefix(fmt.Sprint("/services/", i, "/")) }, prefix("/"))
		})
		b.Run(fmt.Sprint("method-and-path/", n), func(b *testing.B) {
			benchmarkList(b, n, func(i int) space.Box { return get(exact(fmt.Sprint("/services/resource-", i))) }, prefix("/"))
		})
		if n <= 1000 {
			b.Run(fmt.Sprint("regexp/", n), func(b *testing.B) {
				benchmarkList(b, n, func(i int) space.Box { return path(expr(b, fmt.Sprint("/services/", i, "/[^/]+"))) }, prefix("/"))
			})
			b.Run(fmt.Sprint("header/", n), func(b *testing.B) {
				benchmarkList(b, n, func(i int) space.Box { return user(space.Exact(fmt.Sprint("user-", i), false)) }, prefix("/"))
			})
		}
	}
}
