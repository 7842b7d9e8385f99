package standin

import (
	"net/http"
	"strings"
)

const actuatorType = "application/vnd.spring-boot.actuator.v3+json"

// actuator answers what probes and people ask of Spring Boot's actuator. It is
// never slow and never fails on purpose.
func (s *service) actuator(w http.ResponseWriter, r *http.Request, d *domain) bool {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path != "/actuator" && !strings.HasPrefix(path, "/actuator/") {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET,HEAD")
		problem(w, http.StatusMethodNotAllowed, r.Method+" is not supported at "+path)
		return true
	}
	switch path {
	case "/actuator":
		links := &object{}
		for _, l := range [][2]string{{"self", ""}, {"health", "/health"}, {"health-path", "/health/{*path}"}, {"info", "/info"}} {
			links.add(l[0], (&object{}).add("href", base(r)+"/actuator"+l[1]).add("templated", strings.Contains(l[1], "{")))
		}
		answer(w, http.StatusOK, actuatorType, (&object{}).add("_links", links).json())
	case "/actuator/health":
		s.health(w, s.ready(), (&object{}).add("status", state(s.ready())).add("groups", []string{"liveness", "readiness"}))
	case "/actuator/health/liveness":
		s.health(w, true, (&object{}).add("status", "UP"))
	case "/actuator/health/readiness":
		s.health(w, s.ready(), (&object{}).add("status", state(s.ready())))
	case "/actuator/info":
		app := (&object{}).add("name", d.service).add("context", d.label).add("version", s.spec.Tag).add("model", d.workspace)
		answer(w, http.StatusOK, actuatorType, (&object{}).add("app", app).json())
	default:
		problem(w, http.StatusNotFound, "the lab's services have the actuator's endpoints health and info")
	}
	return true
}

func state(ready bool) string {
	if ready {
		return "UP"
	}
	return "OUT_OF_SERVICE"
}

func (s *service) health(w http.ResponseWriter, up bool, body *object) {
	status := http.StatusOK
	if !up {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, actuatorType, body.json())
}

// ready is true from the end of the annotated start on, until the pod stops.
func (s *service) ready() bool {
	return !s.stopping.Load() && s.now().Sub(s.started) >= s.faults.startup
}
