package standin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers as the original's Spring service does.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Meshstorm-Workload", s.workload)
	h.Set("X-Meshstorm-Version", s.spec.Tag)
	d := s.domain.Load()
	if s.actuator(w, r, d) {
		return
	}
	if !s.behave(w, r) {
		return
	}
	req := &request{Request: r.WithContext(withTrace(r.Context(), r.Header)), d: d, base: base(r)}
	if req.root(w) {
		return
	}
	route, vars := d.lookup(r.URL)
	if route == nil {
		problem(w, http.StatusNotFound, "nothing is served at "+r.URL.EscapedPath()+"; "+d.label+" serves "+d.paths())
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch h := route.methods[method]; {
	case method == http.MethodOptions:
		s.options(w, route)
	case h == nil:
		w.Header().Set("Allow", route.allow())
		problem(w, http.StatusMethodNotAllowed, r.Method+" is not supported at "+route.path)
	default:
		req.vars = vars
		h(s, w, req)
	}
}

func (s *service) options(w http.ResponseWriter, route *route) {
	w.Header().Set("Allow", route.allow())
	if route.methods["PATCH"] != nil {
		w.Header().Set("Accept-Patch", "application/merge-patch+json, application/json")
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// behave makes a business request as slow and as faulty as the pod's
// annotations say. It reports whether the request goes on.
func (s *service) behave(w http.ResponseWriter, r *http.Request) bool {
	if wait := s.faults.latency(s.random); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	if s.faults.errorRate > 0 && s.random() < s.faults.errorRate {
		problem(w, http.StatusInternalServerError, "the pod's annotation "+errorRateAnnotation+" makes this request fail")
		return false
	}
	return true
}

// base is the address that links begin with: the request's host, as the client
// wrote it.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// paths lists what is served, for people who mistyped.
func (d *domain) paths() string {
	var list []string
	for _, r := range d.routes {
		if !strings.Contains(r.path, "{") {
			list = append(list, r.path)
		}
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// answer sends a body with its length; HEAD gets the same without it.
func answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// problem answers an error as RFC 9457 asks.
func problem(w http.ResponseWriter, status int, detail string, fields ...invalid) {
	body := (&object{}).add("type", "about:blank").add("title", http.StatusText(status)).add("status", status).add("detail", detail)
	if len(fields) > 0 {
		body.add("errors", fields)
	}
	answer(w, status, "application/problem+json", body.json())
}
