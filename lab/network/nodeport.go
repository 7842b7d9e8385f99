package network

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ServicePort is a listener on the host that leads to a Service.
type ServicePort struct {
	Namespace, Service, Name string
	Port                     int    // of the Service
	NodePort                 int    // as the API has it
	Address                  string // HOST:PORT that listens; the port differs from NodePort where that was taken
}

type portKey struct {
	namespace, service string
	port               int
}

type nodePort struct {
	ServicePort
	listener net.Listener
	cancel   context.CancelFunc
}

// Ports are the listeners on the host, sorted.
func (n *Network) Ports() []ServicePort {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]ServicePort, 0, len(n.ports))
	for _, p := range n.ports {
		all = append(all, p.ServicePort)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.Namespace+"/"+a.Service != b.Namespace+"/"+b.Service {
			return a.Namespace+"/"+a.Service < b.Namespace+"/"+b.Service
		}
		return a.Port < b.Port
	})
	return all
}

// syncPorts opens and closes listeners as the Services ask.
func (n *Network) syncPorts(ctx context.Context, client kubernetes.Interface, services []*corev1.Service) {
	wanted := map[portKey]ServicePort{}
	for _, s := range services {
		if s.Spec.Type != corev1.ServiceTypeNodePort && s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil {
			continue
		}
		for _, p := range s.Spec.Ports {
			if p.NodePort == 0 || p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
				continue
			}
			wanted[portKey{s.Namespace, s.Name, int(p.Port)}] = ServicePort{
				Namespace: s.Namespace, Service: s.Name, Name: p.Name, Port: int(p.Port), NodePort: int(p.NodePort),
			}
		}
	}
	n.mu.Lock()
	for k, have := range n.ports {
		if want, ok := wanted[k]; !ok || want.NodePort != have.NodePort {
			have.cancel()
			delete(n.ports, k)
		}
	}
	missing := map[portKey]ServicePort{}
	for k, want := range wanted {
		if n.ports[k] == nil {
			missing[k] = want
		}
	}
	n.mu.Unlock()
	for k, want := range missing {
		n.openPort(ctx, k, want)
	}
	for _, s := range services {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.DeletionTimestamp == nil {
			n.publish(ctx, client, s)
		}
	}
}

func (n *Network) openPort(ctx context.Context, k portKey, want ServicePort) {
	l, err := n.listen(want.NodePort)
	if err != nil {
		n.o.Log.Error("no listener for a node port", "service", k.namespace+"/"+k.service, "error", err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	want.Address = l.Addr().String()
	n.mu.Lock()
	n.ports[k] = &nodePort{ServicePort: want, listener: l, cancel: cancel}
	n.mu.Unlock()
	go func() {
		err := accept(ctx, l, func(conn net.Conn) {
			to := n.await(ctx, k)
			if !to.IsValid() {
				reset(conn)
				return
			}
			up, err := n.dial(ctx, netip.Addr{}, to)
			if err != nil {
				reset(conn)
				return
			}
			n.flows.join(conn, up)
		})
		if err != nil {
			n.o.Log.Error("a node port stopped", "service", k.namespace+"/"+k.service, "error", err)
		}
	}()
}

// listen binds the node port, or a free one where that is taken or reserved.
func (n *Network) listen(port int) (net.Listener, error) {
	if !slices.Contains(n.o.Avoid, port) {
		if l, err := net.Listen("tcp", net.JoinHostPort(n.o.NodePortHost, strconv.Itoa(port))); err == nil {
			return l, nil
		}
		n.o.Log.Warn("a node port is taken; another port is used on this machine", "port", port)
	}
	for {
		l, err := net.Listen("tcp", net.JoinHostPort(n.o.NodePortHost, "0"))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(n.o.Avoid, l.Addr().(*net.TCPAddr).Port) {
			return l, nil
		}
		_ = l.Close()
	}
}

func (n *Network) closePorts() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, p := range n.ports {
		p.cancel()
		_ = p.listener.Close()
		delete(n.ports, k)
	}
}

// publish says in the Service's status where it can be reached. The ports in it
// are the host's, since those differ from the Service's.
func (n *Network) publish(ctx context.Context, client kubernetes.Interface, s *corev1.Service) {
	mode := corev1.LoadBalancerIPModeProxy
	ingress := []corev1.LoadBalancerIngress{{IP: n.o.NodePortHost, IPMode: &mode}}
	have := s.Status.LoadBalancer.Ingress
	if len(have) == 1 && have[0].IP == ingress[0].IP && have[0].IPMode != nil && *have[0].IPMode == mode {
		return
	}
	s = s.DeepCopy()
	s.Status.LoadBalancer.Ingress = ingress
	if _, err := client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, s, metav1.UpdateOptions{}); err != nil {
		n.o.Log.Warn("the status of a LoadBalancer Service is not written", "service", s.Namespace+"/"+s.Name, "error", err)
	}
}
