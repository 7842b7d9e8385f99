package router

import (
	"math/bits"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// hashPolicy is one RouteAction.HashPolicy: what of the request the load
// balancer's hash is made of.
type hashPolicy struct {
	header    string
	rewrite   *regexp.Regexp
	with      string
	cookie    *routev3.RouteAction_HashPolicy_Cookie
	query     string
	source    bool
	terminal  bool
	supported bool
}

func newHash(all []*routev3.RouteAction_HashPolicy) ([]hashPolicy, error) {
	var out []hashPolicy
	for _, m := range all {
		p := hashPolicy{terminal: m.GetTerminal(), supported: true}
		switch s := m.GetPolicySpecifier().(type) {
		case *routev3.RouteAction_HashPolicy_Header_:
			p.header = http.CanonicalHeaderKey(s.Header.GetHeaderName())
			if r := s.Header.GetRegexRewrite(); r != nil {
				re, err := regexp.Compile(r.GetPattern().GetRegex())
				if err != nil {
					return nil, err
				}
				p.rewrite, p.with = re, substitution(r.GetSubstitution())
			}
		case *routev3.RouteAction_HashPolicy_Cookie_:
			p.cookie = s.Cookie
		case *routev3.RouteAction_HashPolicy_ConnectionProperties_:
			p.source = s.ConnectionProperties.GetSourceIp()
		case *routev3.RouteAction_HashPolicy_QueryParameter_:
			p.query = s.QueryParameter.GetName()
		default:
			p.supported = false // listed by the table of fields
		}
		out = append(out, p)
	}
	return out, nil
}

// substitution writes RE2's \1 as Go's ${1}.
func substitution(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			i++
			out.WriteString("${" + text[i:i+1] + "}")
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '\\':
			i++
			out.WriteByte('\\')
		case text[i] == '$':
			out.WriteString("$$")
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// hash combines the policies as Envoy does (Http::HashPolicyImpl::generateHash).
func (x *exchange) hash() (uint64, bool) {
	var sum uint64
	has := false
	for i := range x.plan.hash {
		p := &x.plan.hash[i]
		one, ok := p.of(x)
		if ok {
			if has {
				sum = bits.RotateLeft64(sum, 1) ^ one
			} else {
				sum, has = one, true
			}
		}
		if has && p.terminal {
			break
		}
	}
	return sum, has
}

func (p *hashPolicy) of(x *exchange) (uint64, bool) {
	switch {
	case p.header != "":
		return p.ofHeader(x)
	case p.cookie != nil:
		return p.ofCookie(x)
	case p.source:
		ip := x.rec.Downstream.Remote.Addr()
		return xxhash.Sum64String(ip.String()), ip.IsValid()
	case p.query != "":
		_, query, _ := strings.Cut(x.path, "?")
		values, err := url.ParseQuery(query)
		if err != nil || !values.Has(p.query) {
			return 0, false
		}
		return xxhash.Sum64String(values.Get(p.query)), true
	}
	return 0, false
}

func (p *hashPolicy) ofHeader(x *exchange) (uint64, bool) {
	values := x.in[p.header]
	if p.header == "Host" || p.header == ":authority" {
		values = []string{x.authority}
	}
	if p.header == ":path" {
		values = []string{x.path}
	}
	if len(values) == 0 {
		return 0, false
	}
	values = slices.Clone(values)
	if p.rewrite != nil {
		for i := range values {
			values[i] = p.rewrite.ReplaceAllString(values[i], p.with)
		}
	}
	slices.Sort(values)
	return xxhash.Sum64String(strings.Join(values, "")), true
}

// ofCookie hashes a cookie. One that is not there is made where it has a TTL:
// from the connection's addresses, so that requests side by side get the same.
func (p *hashPolicy) ofCookie(x *exchange) (uint64, bool) {
	c := p.cookie
	if cookie, err := x.req.Cookie(c.GetName()); err == nil && cookie.Value != "" {
		return xxhash.Sum64String(cookie.Value), true
	}
	if c.GetTtl() == nil {
		return 0, false
	}
	d := x.rec.Downstream
	value := strconv.FormatUint(xxhash.Sum64String(d.Remote.String()+d.Local.String()), 16)
	value = strings.Repeat("0", 16-len(value)) + value
	text := c.GetName() + `="` + value + `"`
	if ttl := c.GetTtl().AsDuration(); ttl > 0 {
		text += "; Max-Age=" + strconv.FormatInt(int64(ttl/time.Second), 10)
	}
	if c.GetPath() != "" {
		text += "; Path=" + c.GetPath()
	}
	for _, a := range c.GetAttributes() {
		text += "; " + a.GetName()
		if a.GetValue() != "" {
			text += "=" + a.GetValue()
		}
	}
	x.setCookie = append(x.setCookie, text+"; HttpOnly")
	return xxhash.Sum64String(value), true
}
