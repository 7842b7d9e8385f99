package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/meshstorm/meshstorm/lab/controlplane"
	"github.com/meshstorm/meshstorm/lab/mesh"
)

// Status is what `lab status` tells, as JSON with -o json.
type Status struct {
	APIVersion string      `json:"apiVersion"`
	Running    bool        `json:"running"`
	Ready      bool        `json:"ready"`
	PID        int         `json:"pid,omitempty"`
	Since      *time.Time  `json:"since,omitempty"`
	Data       string      `json:"data"` // the lab's folder
	Gateway    Gateway     `json:"gateway"`
	Kubeconfig string      `json:"kubeconfig"`
	APIServer  string      `json:"apiServer,omitempty"`
	Kafka      string      `json:"kafka"`            // for clients on the host
	PodNet     string      `json:"podNet,omitempty"` // loopback addresses that stand for 10.244.0.0/16
	Components []Component `json:"components"`
	Ports      []Port      `json:"ports,omitempty"`
	// Paths are those of applied models that the gateway serves, for a first try.
	Paths []string `json:"paths,omitempty"`
	// Limits are what differs from other clusters, in sentences; the first is
	// that there is no mTLS.
	Limits      []string `json:"limits,omitempty"`
	Unsupported []string `json:"unsupported"`
}

// Gateway is the ingress gateway as reached from the host.
type Gateway struct {
	URL   string `json:"url"`
	HTTPS string `json:"https,omitempty"`
}

// Component is a part of the lab or a pod's container.
type Component struct {
	Name        string `json:"name"`
	Version     string `json:"version,omitempty"`
	PID         int    `json:"pid"`
	MemoryBytes int64  `json:"memoryBytes"` // Pss where the system tells it, else RSS
	Ready       bool   `json:"ready"`
}

// Port is a listener on the host.
type Port struct {
	Service string `json:"service"` // namespace/name:port
	Address string `json:"address"`
}

// NoMTLS is the first of a lab's limits.
const NoMTLS = "no mTLS: the mesh is installed with meshConfig.enableAutoMtls=false; what asks for mTLS " +
	"(PeerAuthentication STRICT, ISTIO_MUTUAL) fails closed with 503"

// file is what a running lab leaves for other commands: where to ask it.
type file struct {
	PID     int    `json:"pid"`
	Control string `json:"control"` // unix socket
}

func statePath(dir string) string { return filepath.Join(dir, "running.json") }

func (l *Lab) remember() error {
	data, err := json.Marshal(file{PID: os.Getpid(), Control: l.control()})
	if err != nil {
		return err
	}
	return writeFile(statePath(l.o.Dir), data)
}

func (l *Lab) forget() { _ = os.Remove(statePath(l.o.Dir)) }

func (l *Lab) control() string { return filepath.Join(l.sockets, "control") }

// serveControl answers the lab's other commands on a unix socket that only its
// user can open.
func (l *Lab) serveControl(ctx context.Context, guard guardFunc) error {
	listener, err := net.Listen("unix", l.control())
	if err != nil {
		return err
	}
	if err := os.Chmod(l.control(), 0o600); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(l.Status(r.Context()))
	})
	mux.HandleFunc("POST /apply", func(w http.ResponseWriter, r *http.Request) {
		var request applyRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := l.Apply(r.Context(), request.Files, request.Namespace, request.Force); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	guard(l.rest, "control socket", func() error {
		go func() {
			<-ctx.Done()
			_ = server.Close()
		}()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return l.remember()
}

type applyRequest struct {
	Files     []string `json:"files"`
	Namespace string   `json:"namespace"`
	Force     bool     `json:"force,omitempty"`
}

// ErrNotRunning says that no lab runs in the folder.
var ErrNotRunning = errors.New("the lab is not running: `meshstorm lab up` starts it")

// ask makes a request to the lab that runs in dir.
func ask(ctx context.Context, dir, method, path string, body io.Reader) (*http.Response, error) {
	f, err := running(dir)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", f.Control)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (its process %d does not answer: %w)", ErrNotRunning, f.PID, err)
	}
	return res, nil
}

func running(dir string) (*file, error) {
	data, err := os.ReadFile(statePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	f := &file{}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%s: %w", statePath(dir), err)
	}
	return f, nil
}

// Ask gives the status of the lab in dir; one that does not run has a status
// too.
func Ask(ctx context.Context, dir string) (*Status, error) {
	s := &Status{APIVersion: "meshstorm.io/v1", Data: dir, Kubeconfig: KubeconfigPath(dir), Components: []Component{}, Unsupported: []string{}}
	res, err := ask(ctx, dir, http.MethodGet, "/status", nil)
	if errors.Is(err, ErrNotRunning) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return s, json.NewDecoder(res.Body).Decode(s)
}

// Status collects what the lab is made of.
func (l *Lab) Status(ctx context.Context) *Status {
	l.mu.Lock()
	ready := l.ready
	l.mu.Unlock()
	s := &Status{
		APIVersion: "meshstorm.io/v1", Running: true, Ready: ready, PID: os.Getpid(), Since: &l.began, Data: l.o.Dir,
		Kubeconfig: KubeconfigPath(l.o.Dir), APIServer: l.plane.URL, Kafka: l.findPort(kafkaNamespace, "my-kafka-host", 9094),
		Limits: l.limits(), Unsupported: []string{}, Paths: l.models.Paths(),
		PodNet: fmt.Sprintf("127.%d.0.0/16", l.net.Pod),
	}
	if at := l.findPort(mesh.Namespace, "istio-ingressgateway", 80); at != "" {
		s.Gateway.URL = "http://" + at
	}
	if at := l.findPort(mesh.Namespace, "istio-ingressgateway", 443); at != "" {
		s.Gateway.HTTPS = "https://" + at
	}
	for _, p := range l.network.Ports() {
		s.Ports = append(s.Ports, Port{Service: fmt.Sprintf("%s/%s:%d", p.Namespace, p.Service, p.Port), Address: p.Address})
	}
	sort.Slice(s.Ports, func(i, j int) bool { return s.Ports[i].Service < s.Ports[j].Service })
	s.Components = append([]Component{{
		Name: "kubernetes (etcd, kube-apiserver, controllers, kubelet)", Version: controlplane.Version(),
		PID: os.Getpid(), MemoryBytes: memory(os.Getpid()), Ready: ready,
	}}, l.podComponents(ctx)...)
	s.Unsupported = append(s.Unsupported, l.unsupported(ctx)...)
	return s
}

func (l *Lab) limits() []string {
	return []string{
		NoMTLS,
		"pods are processes: no images, no shell (kubectl exec), no iptables, one node",
		"the data plane is the lab's own proxy, not Envoy; what it does not support is listed under unsupported",
	}
}
