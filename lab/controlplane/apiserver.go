package controlplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/version"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

type server struct {
	chain  *aggregator.APIAggregator
	config *rest.Config
	ended  chan error
}

// newServer makes the API server with its own port, bound before this returns.
func newServer(o Options, keys *Keys, etcd string) (*server, error) {
	listener, err := listen(o)
	if err != nil {
		return nil, err
	}
	egress, err := writeEgress(o)
	if err != nil {
		return nil, err
	}
	opts := options.NewServerRunOptions()
	flags := opts.Flags()
	args := map[string]string{
		"etcd-servers":                       etcd,
		"etcd-cafile":                        keys.cert(caName),
		"etcd-certfile":                      keys.cert(clientName),
		"etcd-keyfile":                       keys.key(clientName),
		"bind-address":                       "127.0.0.1",
		"advertise-address":                  "127.0.0.1",
		"endpoint-reconciler-type":           "none",
		"secure-port":                        strconv.Itoa(listener.Addr().(*net.TCPAddr).Port),
		"tls-cert-file":                      keys.cert(serverName),
		"tls-private-key-file":               keys.key(serverName),
		"client-ca-file":                     keys.cert(caName),
		"token-auth-file":                    keys.tokens(),
		"anonymous-auth":                     "true",
		"authorization-mode":                 "Node,RBAC",
		"service-cluster-ip-range":           loopback.ServiceCIDR.String(),
		"service-account-issuer":             "https://kubernetes.default.svc.cluster.local",
		"service-account-signing-key-file":   keys.key(signerName),
		"service-account-key-file":           keys.key(signerName),
		"api-audiences":                      "https://kubernetes.default.svc.cluster.local",
		"kubelet-client-certificate":         keys.cert(clientName),
		"kubelet-client-key":                 keys.key(clientName),
		"kubelet-certificate-authority":      keys.cert(caName),
		"kubelet-preferred-address-types":    "InternalIP",
		"proxy-client-cert-file":             keys.cert(clientName),
		"proxy-client-key-file":              keys.key(clientName),
		"requestheader-client-ca-file":       keys.cert(caName),
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-allowed-names":        "kube-apiserver",
		"egress-selector-config-file":        egress,
		"enable-priority-and-fairness":       "false", // one user; it would cost memory and start-up time
		"event-ttl":                          "1h0m0s",
		"allow-privileged":                   "true",
		"shutdown-delay-duration":            "0s",
		"shutdown-send-retry-after":          "false",
		"profiling":                          "false",
		// Its finalizer is taken off by a controller that the lab does not run, so a
		// namespace with a claim would never go.
		"disable-admission-plugins": "StorageObjectInUseProtection",
	}
	for name, value := range args {
		if err := set(flags, name, value); err != nil {
			return nil, err
		}
	}
	opts.SecureServing.Listener = listener
	completed, err := opts.Complete(context.Background())
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("its options are not valid: %v", errs)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	whole, err := config.Complete()
	if err != nil {
		return nil, err
	}
	chain, err := app.CreateServerChain(whole)
	if err != nil {
		return nil, err
	}
	ca, err := keys.CA()
	if err != nil {
		return nil, err
	}
	return &server{chain: chain, ended: make(chan error, 1), config: &rest.Config{
		Host: "https://" + listener.Addr().String(), BearerToken: keys.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca}, QPS: -1,
	}}, nil
}

func set(flags cliflag.NamedFlagSets, name, value string) error {
	for _, fs := range flags.FlagSets {
		if fs.Lookup(name) != nil {
			return fs.Set(name, value)
		}
	}
	return fmt.Errorf("kube-apiserver has no flag --%s", name)
}

func (s *server) run(ctx context.Context) error {
	prepared, err := s.chain.PrepareRun()
	if err == nil {
		err = prepared.Run(ctx)
	}
	s.ended <- err
	return err
}

func (s *server) exit() error {
	select {
	case err := <-s.ended:
		return err
	default:
		return nil
	}
}

// listen binds the wanted port, or another one where that is taken.
func listen(o Options) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(o.Port))
	if err == nil || o.Port == 0 {
		return l, err
	}
	if o.Taken != nil {
		o.Taken(o.Port)
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// writeEgress has webhooks, aggregated APIs and the kubelet asked through the
// node's CONNECT proxy, since ClusterIPs and pod IPs exist in the API only.
func writeEgress(o Options) (string, error) {
	path := filepath.Join(o.Dir, "egress.yaml")
	text := `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: ` + strconv.Quote(o.Connect) + `
- name: controlplane
  connection:
    proxyProtocol: Direct
- name: etcd
  connection:
    proxyProtocol: Direct
`
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Version is Kubernetes' version.
func Version() string { return version.Get().GitVersion }
