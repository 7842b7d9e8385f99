package network

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// table is what Services and EndpointSlices say at one moment.
type table struct {
	byAddress map[netip.AddrPort]*servicePort
	byName    map[string]*service // NAMESPACE/NAME
	byIP      map[netip.Addr]*service
	pods      map[netip.Addr]string // pod IP -> NAMESPACE, of pods behind Services
}

type service struct {
	*corev1.Service
	ports     []*servicePort
	endpoints []endpoint // of all ports, each address once
}

type servicePort struct {
	spec     corev1.ServicePort
	affinity bool
	ready    []netip.AddrPort
	next     atomic.Uint32
}

type endpoint struct {
	ip       netip.Addr
	hostname string
	ready    bool
}

// pick chooses an endpoint in turn, or by the client's address where the
// Service wants its clients to stay.
func (p *servicePort) pick(from netip.Addr) netip.AddrPort {
	if p == nil || len(p.ready) == 0 {
		return netip.AddrPort{}
	}
	if p.affinity && from.Is4() {
		b := from.As4()
		return p.ready[(uint(b[2])<<8|uint(b[3]))%uint(len(p.ready))]
	}
	return p.ready[int(p.next.Add(1)-1)%len(p.ready)]
}

func newTable(services []*corev1.Service, slices []*discoveryv1.EndpointSlice) *table {
	t := &table{
		byAddress: map[netip.AddrPort]*servicePort{}, byName: map[string]*service{},
		byIP: map[netip.Addr]*service{}, pods: map[netip.Addr]string{},
	}
	bySlice := map[string][]*discoveryv1.EndpointSlice{}
	for _, s := range slices {
		name := s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]
		bySlice[name] = append(bySlice[name], s)
	}
	for _, s := range services {
		name := s.Namespace + "/" + s.Name
		svc := &service{Service: s}
		t.byName[name] = svc
		svc.addEndpoints(bySlice[name])
		for _, e := range svc.endpoints {
			t.pods[e.ip] = s.Namespace
		}
		ip, err := netip.ParseAddr(s.Spec.ClusterIP)
		if err == nil {
			t.byIP[ip] = svc
		}
		for _, spec := range s.Spec.Ports {
			p := &servicePort{spec: spec, affinity: s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP}
			p.ready = readyEndpoints(bySlice[name], spec, s.Spec.PublishNotReadyAddresses)
			svc.ports = append(svc.ports, p)
			if err == nil && (spec.Protocol == "" || spec.Protocol == corev1.ProtocolTCP) {
				t.byAddress[netip.AddrPortFrom(ip, uint16(spec.Port))] = p
			}
		}
	}
	return t
}

func (s *service) addEndpoints(from []*discoveryv1.EndpointSlice) {
	seen := map[netip.Addr]bool{}
	for _, slice := range from {
		for _, e := range slice.Endpoints {
			for _, address := range e.Addresses {
				ip, err := netip.ParseAddr(address)
				if err != nil || seen[ip] {
					continue
				}
				seen[ip] = true
				one := endpoint{ip: ip, ready: isReady(e) || s.Spec.PublishNotReadyAddresses}
				if e.Hostname != nil {
					one.hostname = *e.Hostname
				}
				s.endpoints = append(s.endpoints, one)
			}
		}
	}
	sort.Slice(s.endpoints, func(i, j int) bool { return s.endpoints[i].ip.Less(s.endpoints[j].ip) })
}

func isReady(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// readyEndpoints are those of a Service's port: a slice has the target port
// under the Service port's name.
func readyEndpoints(from []*discoveryv1.EndpointSlice, spec corev1.ServicePort, all bool) []netip.AddrPort {
	var found []netip.AddrPort
	for _, slice := range from {
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != spec.Name || p.Name == nil && spec.Name != "" {
				continue
			}
			for _, e := range slice.Endpoints {
				if !all && !isReady(e) {
					continue
				}
				for _, address := range e.Addresses {
					if ip, err := netip.ParseAddr(address); err == nil {
						found = append(found, netip.AddrPortFrom(ip, uint16(*p.Port)))
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b netip.AddrPort) int { return a.Compare(b) })
	return slices.Compact(found)
}

// watch keeps the table and the node ports current.
func (n *Network) watch(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	services := factory.Core().V1().Services()
	endpointSlices := factory.Discovery().V1().EndpointSlices()
	dirty := make(chan struct{}, 1)
	mark := func(any) {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: mark, UpdateFunc: func(_, o any) { mark(o) }, DeleteFunc: mark}
	for _, i := range []cache.SharedIndexInformer{services.Informer(), endpointSlices.Informer()} {
		if _, err := i.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	cache.WaitForCacheSync(ctx.Done(), services.Informer().HasSynced, endpointSlices.Informer().HasSynced)
	mark(nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		began := time.Now()
		all, err := services.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		parts, err := endpointSlices.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b *corev1.Service) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
		})
		n.set(newTable(all, parts))
		n.syncPorts(ctx, client, all)
		// The first change is taken at once. What comes in crowds is taken
		// together, or a table of many Services would be made anew for each.
		rest := min(restShare*time.Since(began), restLimit)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}

// After a table was made, the network rests for restShare times what that took,
// at most restLimit.
const (
	restShare = 10
	restLimit = 50 * time.Millisecond
)

func (n *Network) set(t *table) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.table.Store(t)
	close(n.changed)
	n.changed = make(chan struct{})
}

// await gives an endpoint of a Service's port as soon as one is ready, at most
// for a second: pods behind a node port are replaced one after the other.
func (n *Network) await(ctx context.Context, k portKey) netip.AddrPort {
	timeout := time.NewTimer(time.Second)
	defer timeout.Stop()
	for {
		n.mu.Lock()
		t, changed := n.table.Load(), n.changed
		n.mu.Unlock()
		if s := t.byName[k.namespace+"/"+k.service]; s != nil {
			for _, p := range s.ports {
				if int(p.spec.Port) != k.port {
					continue
				}
				if to := p.pick(netip.Addr{}); to.IsValid() {
					return to
				}
			}
		}
		select {
		case <-changed:
		case <-timeout.C:
			return netip.AddrPort{}
		case <-ctx.Done():
			return netip.AddrPort{}
		}
	}
}

// named finds a Service by a name like istiod.istio-system.svc.
func (t *table) named(host string) *service {
	parts := strings.Split(strings.TrimSuffix(strings.TrimSuffix(host, "."), ".cluster.local"), ".")
	if len(parts) == 3 && parts[2] == "svc" || len(parts) == 2 {
		return t.byName[parts[1]+"/"+parts[0]]
	}
	return nil
}

// isPod tells whether an address lies in the range of pods.
func isPod(ip netip.Addr) bool { return loopback.PodCIDR.Contains(ip) }
