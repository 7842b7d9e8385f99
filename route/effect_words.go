package route

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// words is the condition in words: `header x-user is "tester"`.
func (m *headerMatcher) words() string {
	text := ""
	switch {
	case m.presence && m.present != m.invert:
		return m.name.words() + " is present"
	case m.presence:
		return m.name.words() + " is missing"
	case m.ranged:
		text = fmt.Sprintf("is in [%d,%d)", m.start, m.end)
	default:
		text = m.value.words()
	}
	if m.missingEmpty {
		text += " (empty where missing)"
	}
	if m.invert {
		return m.name.words() + " not: " + text
	}
	return m.name.words() + " " + text
}

func (m *stringMatcher) words() string {
	switch m.kind {
	case stringExact:
		return fmt.Sprintf("is %q%s", m.text, m.inAnyCase())
	case stringPrefix:
		return fmt.Sprintf("starts with %q%s", m.text, m.inAnyCase())
	case stringSuffix:
		return fmt.Sprintf("ends with %q%s", m.text, m.inAnyCase())
	case stringContains:
		return fmt.Sprintf("contains %q%s", m.text, m.inAnyCase())
	case stringRegex:
		return fmt.Sprintf("matches %q", m.re.text)
	case stringUnsupported:
		return "satisfies an extension"
	}
	return "is anything"
}

// hashWords says what a request's hash is made of, policy by policy.
func hashWords(all []*routev3.RouteAction_HashPolicy) []string {
	var out []string
	for _, m := range all {
		text := ""
		switch p := m.GetPolicySpecifier().(type) {
		case *routev3.RouteAction_HashPolicy_Header_:
			text = "header " + strings.ToLower(p.Header.GetHeaderName())
			if r := p.Header.GetRegexRewrite(); r != nil {
				text += fmt.Sprintf(", with %q replaced by %q", r.GetPattern().GetRegex(), r.GetSubstitution())
			}
		case *routev3.RouteAction_HashPolicy_Cookie_:
			text = cookieWords(p.Cookie)
		case *routev3.RouteAction_HashPolicy_ConnectionProperties_:
			if !p.ConnectionProperties.GetSourceIp() {
				continue // nothing to hash
			}
			text = "source IP address"
		case *routev3.RouteAction_HashPolicy_QueryParameter_:
			text = "query parameter " + p.QueryParameter.GetName()
		case *routev3.RouteAction_HashPolicy_FilterState_:
			text = "filter state " + p.FilterState.GetKey()
		}
		if m.GetTerminal() {
			text += "; what follows only counts where there is no hash yet"
		}
		out = append(out, text)
	}
	return out
}

func cookieWords(m *routev3.RouteAction_HashPolicy_Cookie) string {
	text := "cookie " + m.GetName()
	if m.GetTtl() == nil {
		return text
	}
	var made []string
	if ttl := m.GetTtl().AsDuration(); ttl > 0 {
		made = append(made, "for "+ttl.String())
	} else {
		made = append(made, "for the session")
	}
	if m.GetPath() != "" {
		made = append(made, "path "+m.GetPath())
	}
	for _, a := range m.GetAttributes() {
		made = append(made, strings.TrimSuffix(a.GetName()+"="+a.GetValue(), "="))
	}
	return text + ", made where missing (" + strings.Join(made, ", ") + ")"
}
