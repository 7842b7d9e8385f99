package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Environment variables that Istio's injector sets for the agent.
const (
	probersVariable    = "ISTIO_KUBE_APP_PROBERS"
	prometheusVariable = "ISTIO_PROMETHEUS_ANNOTATIONS"
)

// maxScrape bounds what is read of an application's metrics, in bytes.
const maxScrape = 10 << 20

// agent is what pilot-agent does in a sidecar: the application's probes and its
// metrics, merged with the proxy's.
type agent struct {
	admin   *admin
	probers map[string]*prober
	targets []target
	scraper *http.Client
}

// target is where the application tells metrics.
type target struct {
	Port string `json:"port"`
	Path string `json:"path"`
}

var probePath = regexp.MustCompile(`^/(app-health|app-lifecycle)/[^/]+/(livez|readyz|startupz|prestopz|poststartz)$`)

func (t *Telemetry) agent(a *admin) (*agent, error) {
	g := &agent{admin: a, scraper: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if text := t.o.Env(probersVariable); text != "" {
		if err := json.Unmarshal([]byte(text), &g.probers); err != nil {
			return nil, fmt.Errorf("%s: %w", probersVariable, err)
		}
	}
	for path, p := range g.probers {
		if !probePath.MatchString(path) {
			return nil, fmt.Errorf("%s: %q is not the path of a probe", probersVariable, path)
		}
		if err := p.prepare(t); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", probersVariable, path, err)
		}
	}
	if text := t.o.Env(prometheusVariable); text != "" && !t.gateway {
		var err error
		if g.targets, err = scrapeTargets(text); err != nil {
			return nil, fmt.Errorf("%s: %w", prometheusVariable, err)
		}
	}
	return g, nil
}

// scrapeTargets reads the pod's prometheus.io annotations as the injector hands
// them on: port 80 and /metrics unless they say otherwise.
func scrapeTargets(text string) ([]target, error) {
	var c struct {
		target
		Scrape  string   `json:"scrape"`
		Targets []target `json:"targets"`
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, err
	}
	if c.Scrape == "false" {
		return nil, nil
	}
	list := c.Targets
	if len(list) == 0 {
		list = []target{{Port: or(c.Port, "80"), Path: c.Path}}
	}
	for i := range list {
		list[i].Path = or(list[i].Path, "/metrics")
		port, err := strconv.ParseUint(list[i].Port, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("%q is not a port", list[i].Port)
		}
		if port >= adminPort && port <= prometheusPort && reserved[port] {
			return nil, fmt.Errorf("port %d is the proxy's own", port)
		}
	}
	return list, nil
}

// reserved are the ports that a sidecar owns.
var reserved = map[uint64]bool{
	15000: true, 15001: true, 15004: true, 15006: true, 15008: true, 15020: true, 15021: true, 15053: true, 15090: true,
}

func (g *agent) close() {
	g.scraper.CloseIdleConnections()
	for _, p := range g.probers {
		p.close()
	}
}

func (g *agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz/ready", g.admin.ready)
	mux.HandleFunc("/stats/prometheus", g.merged)
	mux.HandleFunc("/metrics", g.merged)
	mux.HandleFunc("/app-health/", g.probe)
	mux.HandleFunc("/app-lifecycle/", g.probe)
	// A sidecar's preStop hook asks for draining. SIGTERM, which follows at once,
	// is what drains here.
	mux.Handle("POST /drain", g.admin.own(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})))
	mux.Handle("/quitquitquit", g.admin.own(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		g.admin.quit(w, r)
	})))
	return mux
}

func (g *agent) probe(w http.ResponseWriter, r *http.Request) {
	p := g.probers[r.URL.Path]
	if p == nil {
		http.Error(w, "app prober config does not exists for "+r.URL.Path, http.StatusBadRequest)
		return
	}
	p.serve(w, r)
}

// merged is the proxy's metrics and then the application's. An application that
// does not answer leaves the proxy's: its failure is logged.
func (g *agent) merged(w http.ResponseWriter, r *http.Request) {
	own := r.Clone(r.Context())
	own.Header.Set("Accept", "text/plain;version=0.0.4") // what is put together must be of one kind
	own.Header.Del("Accept-Encoding")
	g.admin.metrics.ServeHTTP(w, own)
	for _, one := range g.targets {
		data, err := g.scrape(r, one)
		if err != nil {
			g.admin.t.o.Log.Error("the application's metrics", "port", one.Port, "path", one.Path, "error", err)
			continue
		}
		_, _ = w.Write(data)
	}
}

func (g *agent) scrape(from *http.Request, one target) ([]byte, error) {
	ctx := from.Context()
	if seconds, err := strconv.ParseFloat(from.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64); err == nil && seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second)))
		defer cancel()
	}
	port, _ := strconv.Atoi(one.Port)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin.t.o.Spec.ListenOn(port)+one.Path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	if agent := from.UserAgent(); agent != "" {
		request.Header.Set("User-Agent", agent)
	}
	response, err := g.scraper.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the application answered %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxScrape+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxScrape {
		return nil, fmt.Errorf("more than %d bytes", maxScrape)
	}
	data = bytes.TrimSuffix(bytes.TrimRight(data, "\n"), []byte("# EOF")) // OpenMetrics' end, in the middle
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	return data, nil
}
