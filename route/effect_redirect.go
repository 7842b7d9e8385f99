package route

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// redirectCodes are the codes of RedirectAction.response_code.
var redirectCodes = map[routev3.RedirectAction_RedirectResponseCode]int{
	routev3.RedirectAction_MOVED_PERMANENTLY:  http.StatusMovedPermanently,
	routev3.RedirectAction_FOUND:              http.StatusFound,
	routev3.RedirectAction_SEE_OTHER:          http.StatusSeeOther,
	routev3.RedirectAction_TEMPORARY_REDIRECT: http.StatusTemporaryRedirect,
	routev3.RedirectAction_PERMANENT_REDIRECT: http.StatusPermanentRedirect,
}

// answered is what a route needs that answers by itself.
type answered struct {
	regex  *substitution // RedirectAction.regex_rewrite
	format *format       // RedirectAction.path_rewrite
	body   *format       // DirectResponseAction.body_format
	// bodyMissing is what stands in the body for a value that is not there.
	bodyMissing string
}

func (b *builder) answered(rt *Route) (answered, error) {
	var out answered
	var faults []error
	var err error
	redirect := rt.Proto.GetRedirect()
	out.regex = newSubstitution(redirect.GetRegexRewrite())
	if out.format, err = optionalFormat("path_rewrite", redirect.GetPathRewrite()); err != nil {
		faults = append(faults, err)
	}
	if f := rt.Proto.GetDirectResponse().GetBodyFormat(); f != nil {
		text := oldTextFormat(f)
		ok := text != ""
		if source := f.GetTextFormatSource(); source != nil {
			text, ok = inlineData(source)
		}
		if ok && len(f.GetFormatters()) == 0 {
			parsed, err := parseFormat(text)
			if err != nil {
				faults = append(faults, err)
			}
			out.body = &parsed
		}
		out.bodyMissing = "-"
		if f.GetOmitEmptyValues() {
			out.bodyMissing = ""
		}
	}
	return out, errors.Join(faults...)
}

// inlineData reads a source whose content is in the configuration.
func inlineData(d *corev3.DataSource) (string, bool) {
	switch s := d.GetSpecifier().(type) {
	case *corev3.DataSource_InlineString:
		return s.InlineString, true
	case *corev3.DataSource_InlineBytes:
		return string(s.InlineBytes), true
	}
	return "", d == nil
}

// tlsRedirect is the redirect of VirtualHost.require_tls: the same URL with
// https.
func tlsRedirect(h *fieldMap) *Redirect {
	host, _ := h.first(":authority")
	path, _ := h.first(":path")
	return &Redirect{Location: "https://" + host + path, Code: http.StatusMovedPermanently}
}

func (e *evaluation) redirect(m *routev3.RedirectAction) *Redirect {
	path, _ := e.request.first(":path")
	path, replaced := e.redirectPath(m, path)
	own := replaced && strings.Contains(path, "?") // the path_redirect's own query
	if replaced && !own {
		original, _ := e.request.first(":path")
		if i := strings.IndexByte(original, '?'); i >= 0 {
			path += original[i:]
		}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if m.GetStripQuery() && !own {
		path, _, _ = strings.Cut(path, "?")
	}
	scheme, _ := e.request.first(":scheme")
	switch {
	case m.GetSchemeRedirect() != "":
		scheme = m.GetSchemeRedirect()
	case m.GetHttpsRedirect():
		scheme = "https"
	}
	host, port := m.GetHostRedirect(), ""
	if m.GetPortRedirect() != 0 {
		port = ":" + strconv.FormatUint(uint64(m.GetPortRedirect()), 10)
	}
	if host == "" {
		host = e.redirectHost(scheme, port != "")
	}
	return &Redirect{Location: scheme + "://" + host + port + path, Code: redirectCodes[m.GetResponseCode()]}
}

// redirectPath gives the path; replaced says that path_redirect took its place
// as a whole, so that its own query overrides that of the request.
func (e *evaluation) redirectPath(m *routev3.RedirectAction, path string) (text string, replaced bool) {
	bare := pathOnly(path)
	own := &e.d.Route.effects.answered
	switch {
	case m.GetPathRedirect() != "":
		return m.GetPathRedirect(), true
	case own.regex != nil:
		if text := e.formatter("").replace(own.regex, bare); text != "" {
			return text + path[len(bare):], false
		}
	case own.format != nil:
		if text := e.formatter("redirect").text(*own.format); text != "" {
			return text, true
		}
	case m.GetPrefixRewrite() != "":
		if e.d.Route.path.kind == pathTemplate {
			e.unsupported("unsupported: RedirectAction.prefix_rewrite of a route with path_match_policy")
			break
		}
		if n := matchedLength(e.d.Route.Proto.GetMatch(), bare); n <= len(path) {
			return m.GetPrefixRewrite() + path[n:], false
		}
	}
	return path, false
}

// redirectHost is the request's host. Its port goes where another is given, and
// where the scheme changes and the port was the old scheme's own
// (RedirectAction.scheme_rewrite_specifier).
func (e *evaluation) redirectHost(scheme string, otherPort bool) string {
	host, _ := e.request.first(":authority")
	bare := withoutPort(host)
	if bare == host {
		return host
	}
	from, _ := e.request.first("x-forwarded-proto")
	port := host[len(bare):]
	standard := from == "http" && port == ":80" || from == "https" && port == ":443"
	if otherPort || scheme != from && standard {
		return bare
	}
	return host
}

// direct is the response of DirectResponseAction.
func (e *evaluation) direct(m *routev3.DirectResponseAction) *DirectResponse {
	out := &DirectResponse{Status: int(m.GetStatus())}
	out.Body, _ = inlineData(m.GetBody())
	if own := &e.d.Route.effects.answered; own.body != nil {
		f := e.formatter("direct_response.body_format")
		f.body, f.missing, f.status = &out.Body, own.bodyMissing, out.Status
		out.Body = f.text(*own.body)
		out.ContentType = m.GetBodyFormat().GetContentType()
	}
	return out
}

// ownLocation is the Location of a direct response with a status that has one:
// the request's own URL, since the route gives no other (Envoy's router filter
// adds Location to every response of its own with 201 or 3xx;
// DirectResponseAction.status). It is "" for all other answers.
func (e *evaluation) ownLocation() string {
	d := e.out.Direct
	if d == nil || d.Status != http.StatusCreated && d.Status/100 != 3 {
		return ""
	}
	scheme, _ := e.request.first(":scheme")
	host, _ := e.request.first(":authority")
	path, _ := e.request.first(":path")
	return scheme + "://" + host + path
}
