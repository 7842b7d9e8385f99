package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// The ports of a sidecar (Istio docs, "Application Requirements", ports used by
// Istio).
const (
	adminPort      = 15000
	agentPort      = 15020
	healthPort     = 15021
	prometheusPort = 15090
)

// AdminOptions is what the proxy's own ports tell about it.
type AdminOptions struct {
	Ready       func() bool // nil is always ready
	Unsupported func() []string
	Dump        func() map[string]any // proto messages in it become protojson
	Quit        func()                // on POST /quitquitquit; nil answers 501

	Clusters  func(w io.Writer) // /clusters; nil answers 501
	Listeners func(w io.Writer) // /listeners, "NAME::ADDRESS" a line; nil answers 501
	Level     *slog.LevelVar    // POST /logging?level=debug; nil answers 501
}

// Serve opens the ports 15000, 15020, 15021 and 15090 on the pod's own address
// and serves them until ctx ends; then it writes what the access logs hold. It
// gives an error if one cannot be bound or the injector's settings
// (ISTIO_KUBE_APP_PROBERS, ISTIO_PROMETHEUS_ANNOTATIONS) cannot be read.
func (t *Telemetry) Serve(ctx context.Context, o AdminOptions) error {
	if o.Ready == nil {
		o.Ready = func() bool { return true }
	}
	a := &admin{t: t, o: o, metrics: t.Metrics()}
	agent, err := t.agent(a)
	if err != nil {
		return err
	}
	defer agent.close()
	handlers := []struct {
		port    int
		handler http.Handler
	}{{adminPort, a.handler()}, {agentPort, agent.handler()}, {healthPort, a.health()}, {prometheusPort, a.prometheus()}}
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	defer func() {
		for _, s := range servers {
			_ = s.Close()
		}
		t.flush()
	}()
	for _, h := range handlers {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", t.o.Spec.Address(h.port))
		if err != nil {
			return fmt.Errorf("the proxy's port %d: %w", h.port, err)
		}
		s := &http.Server{Handler: h.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(t.o.Log.Handler(), slog.LevelDebug)}
		servers = append(servers, s)
		go func() { failed <- s.Serve(l) }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}

// Metrics is the page of all metrics, as Prometheus reads it.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.metrics.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(t.o.Log.Handler(), slog.LevelError),
	})
}

type admin struct {
	t       *Telemetry
	o       AdminOptions
	metrics http.Handler
}

func (a *admin) health() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz/ready", a.ready)
	return mux
}

func (a *admin) prometheus() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/stats/prometheus", a.metrics)
	return mux
}

// handler is Envoy's admin interface, as far as it makes sense here. In a real
// pod it listens on the pod's own localhost; here other pods could reach it, so
// they are refused, and so are web pages of other sites.
func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", a.live)
	mux.HandleFunc("GET /server_info", a.serverInfo)
	mux.HandleFunc("GET /config_dump", a.dump)
	mux.HandleFunc("GET /clusters", written(a.o.Clusters))
	mux.HandleFunc("GET /listeners", written(a.o.Listeners))
	mux.HandleFunc("GET /stats", a.stats)
	mux.Handle("GET /stats/prometheus", a.metrics)
	mux.HandleFunc("GET /unsupported", a.unsupported)
	mux.HandleFunc("POST /logging", a.logging)
	mux.HandleFunc("POST /quitquitquit", a.quit)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "/clusters\n/config_dump\n/listeners\n/logging (POST)\n/quitquitquit (POST)\n/ready\n/server_info\n/stats\n/stats/prometheus\n/unsupported\n")
	})
	return a.own(mux)
}

// own lets in the pod itself and the node.
func (a *admin) own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.isOwn(r) {
			http.Error(w, "Only requests from the pod itself or its node are allowed", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *admin) isOwn(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin" {
		return false
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	ip, isPod := a.t.o.Spec.Net.PodIP(from.Addr())
	return !isPod || ip == a.t.o.Spec.IP || ip == loopback.NodeIP
}

func (a *admin) ready(w http.ResponseWriter, _ *http.Request) {
	if !a.o.Ready() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// live is Envoy's /ready, which tells the state by name.
func (a *admin) live(w http.ResponseWriter, _ *http.Request) {
	if !a.o.Ready() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, a.state()+"\n")
}

func (a *admin) state() string {
	if a.o.Ready() {
		return "LIVE"
	}
	return "INITIALIZING"
}

func (a *admin) serverInfo(w http.ResponseWriter, _ *http.Request) {
	node, err := protojson.Marshal(a.t.o.Node)
	if err != nil || a.t.o.Node == nil {
		node = []byte("{}")
	}
	up := a.t.o.Now().Sub(a.t.started).Truncate(time.Second)
	writeJSON(w, map[string]any{
		"version": "meshstorm-lab", "state": a.state(), "node": json.RawMessage(node),
		"uptime_current_epoch": fmt.Sprintf("%ds", int(up.Seconds())),
	})
}

func (a *admin) dump(w http.ResponseWriter, _ *http.Request) {
	if a.o.Dump == nil {
		writeJSON(w, map[string]any{})
		return
	}
	out, err := plain(any(a.o.Dump()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, out)
}

// plain turns the proto messages in a value into their JSON.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case proto.Message:
		data, err := protojson.Marshal(v)
		return json.RawMessage(data), err
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			one, err := plain(inner)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			out[k] = one
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			one, err := plain(inner)
			if err != nil {
				return nil, err
			}
			out[i] = one
		}
		return out, nil
	}
	return v, nil
}

func written(write func(io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if write == nil {
			http.Error(w, r.URL.Path+" is not known to this proxy", http.StatusNotImplemented)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		write(w)
	}
}

func (a *admin) unsupported(w http.ResponseWriter, _ *http.Request) {
	list := []string{}
	if a.o.Unsupported != nil {
		list = append(list, a.o.Unsupported()...)
	}
	writeJSON(w, list)
}

func (a *admin) logging(w http.ResponseWriter, r *http.Request) {
	if a.o.Level == nil {
		http.Error(w, "the log level of this proxy is fixed", http.StatusNotImplemented)
		return
	}
	if text := r.URL.Query().Get("level"); text != "" {
		var level slog.Level
		if text == "warning" {
			text = "warn" // Envoy's name of it
		}
		if err := level.UnmarshalText([]byte(text)); err != nil {
			http.Error(w, "usage: /logging?level=debug|info|warn|error", http.StatusBadRequest)
			return
		}
		a.o.Level.Set(level)
	}
	_, _ = fmt.Fprintf(w, "active loggers:\n  proxy: %s\n", a.o.Level.Level())
}

func (a *admin) quit(w http.ResponseWriter, _ *http.Request) {
	if a.o.Quit == nil {
		http.Error(w, "this proxy cannot be told to quit", http.StatusNotImplemented)
		return
	}
	_, _ = io.WriteString(w, "OK\n")
	_ = http.NewResponseController(w).Flush()
	go a.o.Quit()
}

// stats is the metrics as Envoy's "name{labels}: value" lines.
func (a *admin) stats(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("format") == "prometheus" {
		a.metrics.ServeHTTP(w, r)
		return
	}
	families, err := a.t.metrics.registry.Gather()
	if err != nil {
		a.t.o.Log.Error("metrics", "error", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, f := range families {
		for _, m := range f.GetMetric() {
			writeStat(w, f, m)
		}
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	_ = e.Encode(v) // the client is gone
}
