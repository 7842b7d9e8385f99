package studio

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
)

// policy lets the page load nothing from elsewhere and run no inline script.
const policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// guard stands before everything: requests under another host's name, of
// another page, or without a session get no further.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if s.TLS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !s.ourHost(r.Host) {
			writeProblem(w, problem(http.StatusForbidden, "this studio does not answer to the host name "+r.Host+"; open the URL that `meshstorm studio --print-url` prints"))
			return
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		if p := s.refuse(r); p != nil {
			writeProblem(w, p)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
	})
}

// refuse says why a request gets no answer.
func (s *Server) refuse(r *http.Request) *Problem {
	if origin, sent := r.Header["Origin"]; sent && (len(origin) != 1 || origin[0] != s.origin(r)) {
		return problem(http.StatusForbidden, "the request comes from another page; only the studio's own page may ask")
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	api := strings.HasPrefix(r.URL.Path, Prefix+"/")
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" && (api || !reads) {
		return problem(http.StatusForbidden, "the request comes from another page; only the studio's own page may ask")
	}
	if !reads && r.Header.Get(ChangeHeader) != "1" {
		return problem(http.StatusForbidden, "the header "+ChangeHeader+": 1 is missing, without which nothing is changed")
	}
	if api && r.URL.Path != Prefix+"/session" && !s.signedIn(r) {
		return problem(http.StatusUnauthorized, "not signed in; open the URL that `meshstorm studio --print-url` prints")
	}
	return nil
}

// ourHost tells whether the Host header names this studio.
func (s *Server) ourHost(host string) bool {
	host = strings.ToLower(host)
	if slices.Contains(s.Addresses, host) {
		return true
	}
	if s.Hosts == nil || host == "" {
		return false
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return s.Hosts(name)
}

// origin is the page's own, as browsers write it.
func (s *Server) origin(r *http.Request) string {
	if s.TLS {
		return "https://" + strings.TrimSuffix(strings.ToLower(r.Host), ":443")
	}
	return "http://" + strings.TrimSuffix(strings.ToLower(r.Host), ":80")
}

func portOf(host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return ""
	}
	return port
}
