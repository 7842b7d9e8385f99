package space

import (
	"fmt"
	"strings"
	"sync"
)

// A universe is what the values of a kind of field can be at all. Characters
// are those of UTF-8 without control characters; a client can send others, but
// nobody writes rules for them, and rules are compared without.
type universe struct {
	values   *dfa
	optional bool     // the field may be missing
	prefer   []string // examples to try first
	order    string   // bytes that examples prefer, best first
}

// usual is the order in which people like bytes to be.
const usual = "abcdefghijklmnopqrstuvwxyz0123456789-/.ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

// Values of a field, as RE2 expressions. Path: a request target without its
// query (RFC 9112, 3.2.1, but with all that Envoy lets pass). Method: a token
// (RFC 9110, 5.6.2). Header values: RFC 9110, 5.5. Source namespaces and labels:
// Kubernetes' rules for names and for values of labels. Cookies: RFC 6265, 4.1.1.
const (
	pathValues      = `/[^\x00-\x20\x7f?#]*`
	methodValues    = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
	authorityValues = `([0-9A-Za-z_\-]+(\.[0-9A-Za-z_\-]+)*\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?`
	schemeValues    = `https?`
	portValues      = `[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]`
	gatewayValues   = `[^\x00-\x20\x7f]+`
	namespaceValues = `[a-z0-9]([\-a-z0-9]*[a-z0-9])?`
	labelValues     = `([0-9A-Za-z]([\-_.0-9A-Za-z]*[0-9A-Za-z])?)?`
	headerValues    = `([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?`
	queryValues     = `[^\x00-\x20\x7f#&]*`
	cookieValues    = `[^\x00-\x20\x7f",;\\]*`
)

var (
	pathUniverse      = fixed(pathValues, false, usual, "/")
	methodUniverse    = fixed(methodValues, false, "GETPOSUDLACHNIRBFJKMQVWXYZabcdefghijklmnopqrstuvwxyz-", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE")
	authorityUniverse = fixed(authorityValues, false, usual, "shop.example", "localhost")
	schemeUniverse    = fixed(schemeValues, false, usual, "http")
	portUniverse      = fixed(portValues, false, "0123456789", "80", "443", "8080")
	gatewayUniverse   = fixed(gatewayValues, false, usual, "mesh")
	sourceUniverse    = fixed(namespaceValues, false, usual, "default")
	labelUniverse     = fixed(labelValues, true, usual)
	headerUniverse    = fixed(headerValues, true, usual)
	queryUniverse     = fixed(queryValues, true, usual)
	cookieUniverse    = fixed(cookieValues, true, usual)
	hundred           = fixed(`[1-9]?[0-9]`, false, "0123456789", "0")
	tenThousand       = fixed(`0|[1-9][0-9]{0,3}`, false, "0123456789", "0")
	million           = fixed(`0|[1-9][0-9]{0,5}`, false, "0123456789", "0")
	anyNumber         = fixed(`0|[1-9][0-9]{0,9}`, false, "0123456789", "0")
	everything        = sync.OnceValue(func() *universe { return &universe{optional: true, order: usual} })
)

// fixed makes a universe when it is first asked for.
func fixed(expr string, optional bool, order string, prefer ...string) func() *universe {
	return sync.OnceValue(func() *universe {
		s, err := Regexp(expr)
		if err != nil {
			panic(fmt.Sprintf("space: the expression of a universe: %v", err))
		}
		d, _ := s.machine(newMeter())
		return &universe{values: d, optional: optional, prefer: prefer, order: order}
	})
}

func (f Field) universe() *universe {
	switch f {
	case Path:
		return pathUniverse()
	case Method:
		return methodUniverse()
	case Authority:
		return authorityUniverse()
	case Scheme:
		return schemeUniverse()
	case Port:
		return portUniverse()
	case Gateway:
		return gatewayUniverse()
	case Source:
		return sourceUniverse()
	}
	switch name, _, _ := strings.Cut(string(f), ":"); name {
	case "header":
		return headerUniverse()
	case "query":
		return queryUniverse()
	case "cookie":
		return cookieUniverse()
	case "random":
		return randomUniverse(f)
	case "source-label":
		return labelUniverse()
	}
	return everything()
}

// randomUniverse has the remainders of the denominators that Envoy knows.
func randomUniverse(f Field) *universe {
	switch f {
	case Random(100):
		return hundred()
	case Random(10_000):
		return tenThousand()
	case Random(1_000_000):
		return million()
	}
	return anyNumber()
}

// Optional tells whether a request may be without the field.
func (f Field) Optional() bool { return f.universe().optional }

// holds tells whether a string is a value of the field at all.
func (u *universe) holds(v string) bool { return u.values == nil || u.values.has(v) }

// meets tells whether the set has a member that the field can have.
func (u *universe) meets(s Strings, m *meter) bool {
	if u.optional && !s.noAbsent {
		return true
	}
	return u.meetsBoth(s, Strings{}, m)
}

// meetsBoth tells whether some value of the field is in both sets; missing does
// not count. True may also mean that the meter ran out.
func (u *universe) meetsBoth(a, b Strings, m *meter) bool {
	if a.dfa == nil && b.dfa == nil {
		found := false
		common(a, b, func(t stretch) bool {
			found = u.meetsStretch(t, m)
			return !found
		})
		return found
	}
	if a.dfa == nil {
		a, b = b, a
	}
	if !compatible(a.Lead(), b.Lead()) {
		return false
	}
	if b.dfa != nil {
		return reachable(m, a.dfa, b.dfa, u.machine())
	}
	if v, ok := b.single(); ok {
		return a.dfa.has(v) && u.holds(v)
	}
	for _, t := range b.stretches() {
		if reachable(m, a.dfa, newWalker(t), u.machine()) {
			return true
		}
	}
	return false
}

// meetsStretch tries the first string of the stretch and one near to it before
// it searches.
func (u *universe) meetsStretch(t stretch, m *meter) bool {
	if u.values == nil || u.values.has(t.lo) {
		return true
	}
	if n := len(t.lo); n > 0 && t.lo[n-1] == 0 {
		near := t.lo[:n-1] + "a"
		if t.hi == t.lo[:n-1]+"\x00\x00" {
			return false // [a\0, a\0\0) is a\0 alone
		}
		if (t.endless || near < t.hi) && u.values.has(near) {
			return true
		}
	}
	if !t.endless && t.hi == t.lo+"\x00" {
		return false
	}
	return reachable(m, newWalker(t), u.values, nil)
}

func (u *universe) machine() machine {
	if u.values == nil {
		return nil
	}
	return u.values
}

// compatible tells whether strings that begin so can be equal.
func compatible(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
