package kubelet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// noShell is what exec, attach and run answer.
const noShell = "the lab runs no shell: its containers are processes of this machine without an image, so nothing can be executed in them or attached to"

// server is what the API server asks of a node: logs, port-forwards, stats.
type server struct {
	k        *Kubelet
	listener net.Listener
}

// listen binds the server before anything else starts: a port that is taken ends
// Run at once. Nil without TLS.
func (k *Kubelet) listen() (*server, error) {
	if k.o.TLS == nil {
		return nil, nil
	}
	address := k.o.Listen
	if address == "" {
		address = netip.AddrPortFrom(k.o.Net.Bind(loopback.NodeIP), Port).String()
	}
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("kubelet: server: %w", err)
	}
	config := k.o.TLS.Clone()
	config.NextProtos = []string{"http/1.1"} // streams upgrade, which HTTP/2 can't
	return &server{k: k, listener: tls.NewListener(plain, config)}, nil
}

func (s *server) serve(ctx context.Context) {
	srv := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(s.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.k.log.Error("kubelet's server ended", "err", err)
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("GET /pods", s.pods)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.logs)
	for _, path := range []string{"/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"} {
		mux.HandleFunc("GET "+path, s.portForward)
		mux.HandleFunc("POST "+path, s.portForward)
	}
	for _, path := range []string{
		"/exec/{namespace}/{pod}/{container}", "/exec/{namespace}/{pod}/{uid}/{container}",
		"/attach/{namespace}/{pod}/{container}", "/attach/{namespace}/{pod}/{uid}/{container}",
	} {
		mux.HandleFunc(path, s.exec)
	}
	mux.HandleFunc("/run/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, noShell, http.StatusNotImplemented) })
	mux.HandleFunc("GET /stats/summary", s.summary)
	mux.HandleFunc("GET /metrics/resource", s.metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.k.o.Authorize == nil {
			http.Error(w, "Forbidden: the kubelet has nobody to ask who may do this", http.StatusForbidden)
			return
		}
		if err := s.k.o.Authorize(r); err != nil {
			http.Error(w, "Unauthorized: "+err.Error(), http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *server) pods(w http.ResponseWriter, _ *http.Request) {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for _, wk := range s.k.allWorkers() {
		if p, v := wk.view(); p != nil {
			p = p.DeepCopy()
			p.Status = podStatus(p, v, s.k.o.Now())
			list.Items = append(list.Items, *p)
		}
	}
	answerJSON(w, list)
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

// worker finds a pod of the node by the request's path; it answers itself where
// there is none.
func (s *server) worker(w http.ResponseWriter, r *http.Request) *worker {
	namespace, name, uid := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("uid")
	var found *worker
	for _, wk := range s.k.allWorkers() {
		p := wk.current()
		if p.Namespace == namespace && p.Name == name && (uid == "" || uid == string(p.UID)) {
			found = wk
			if p.DeletionTimestamp == nil {
				break
			}
		}
	}
	if found == nil {
		http.Error(w, fmt.Sprintf("pod %q not found on node %s", namespace+"/"+name, s.k.o.NodeName), http.StatusNotFound)
	}
	return found
}
