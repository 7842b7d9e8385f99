package server

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// The ports of the proxy itself (Istio docs, "Ports used by Istio").
const (
	ownPortsFrom = 15000
	ownPortsTo   = 15090
	outboundPort = 15001
)

// socket is one bound address. It serves the listener that has its name in the
// newest snapshot.
type socket struct {
	s *Server
	net.Listener
	listener string         // whose name
	outbound bool           // PROXY v2 says the original destination
	local    netip.AddrPort // the original destination of all else, in API terms
}

func (k *socket) close() error { return k.Close() }

// want is a socket that a snapshot asks for.
type want struct {
	listener string
	outbound bool
	local    netip.AddrPort
}

// bind opens the sockets that are asked for and closes the others. What cannot
// be bound is tried again every second.
func (s *Server) bind(set *listenerSet, snap *xds.Snapshot) []error {
	if s.draining {
		return nil
	}
	wanted := s.wanted(set, snap)
	for address, k := range s.sockets {
		if w, ok := wanted[address]; !ok || w.listener != k.listener {
			_ = k.close()
			delete(s.sockets, address)
		}
	}
	var faults []error
	for _, address := range sortedNames(wanted) {
		if s.sockets[address] != nil {
			continue
		}
		if err := s.open(address, wanted[address]); err != nil {
			faults = append(faults, err)
		}
	}
	if s.retry != nil {
		s.retry.Stop()
		s.retry = nil
	}
	if len(faults) > 0 {
		s.retry = time.AfterFunc(time.Second, s.bindAgain)
	}
	return faults
}

func (s *Server) bindAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retry == nil || s.draining {
		return
	}
	s.bind(s.listeners.Load(), s.snapshot)
}

func (s *Server) open(address string, w want) error {
	listen := func(a string) (net.Listener, error) { return net.Listen("tcp", a) }
	if w.outbound {
		listen = loopback.Listen
	}
	ln, err := listen(address)
	if err != nil {
		s.o.Log.Error("cannot bind a listener; trying again", "listener", w.listener, "error", err)
		return fmt.Errorf("listener %s: %w", w.listener, err)
	}
	k := &socket{s: s, Listener: ln, listener: w.listener, outbound: w.outbound, local: w.local}
	s.sockets[address] = k
	s.o.Log.Info("listening", "listener", w.listener, "address", address)
	go k.accept()
	return nil
}

// wanted are the sockets of a snapshot, by loopback address.
func (s *Server) wanted(set *listenerSet, snap *xds.Snapshot) map[string]want {
	out := map[string]want{}
	for name, l := range set.byName {
		switch {
		case !s.o.Gateway && name == virtualOutbound:
			out[s.address(outboundPort)] = want{listener: name, outbound: true}
		case !s.o.Gateway && name == virtualInbound:
			for _, port := range s.inboundPorts(l, snap) {
				out[s.address(port)] = want{listener: name, local: netip.AddrPortFrom(s.o.Spec.IP, uint16(port))}
			}
		case l.proto.GetBindToPort() == nil || l.proto.GetBindToPort().GetValue():
			for _, a := range l.addresses() {
				local := a
				if a.Addr().IsUnspecified() {
					local = netip.AddrPortFrom(s.o.Spec.IP, a.Port())
				}
				out[s.address(int(a.Port()))] = want{listener: name, local: local}
			}
		}
	}
	return out
}

func (s *Server) address(port int) string { return s.o.Spec.Address(port) }

// inboundPorts are the ports of the pod that the sidecar owns: its container
// ports and those that istiod has configured, without the excluded ones and the
// proxy's own. iptables would give it any port; without it, only what is known
// can be bound.
func (s *Server) inboundPorts(l *listener, snap *xds.Snapshot) []int {
	ports := map[int]bool{}
	for _, p := range s.o.Ports {
		ports[p] = true
	}
	for i := range l.rules {
		if l.rules[i].hasPort {
			ports[int(l.rules[i].port)] = true
		}
	}
	for name := range snap.Clusters {
		rest, ok := strings.CutPrefix(name, "inbound|")
		if port, _, _ := strings.Cut(rest, "|"); ok {
			if n, err := strconv.Atoi(port); err == nil {
				ports[n] = true
			}
		}
	}
	for port := range ports {
		own := port >= ownPortsFrom && port <= ownPortsTo
		if own || port < 1 || port > 65535 || s.o.Spec.Intercepted != nil && !s.o.Spec.Intercepted.Inbound(port) {
			delete(ports, port)
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

func (k *socket) accept() {
	for {
		conn, err := k.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			k.s.o.Log.Warn("accept failed", "listener", k.listener, "error", err)
			time.Sleep(5 * time.Millisecond) // too many open files: let some close
			continue
		}
		go k.serve(conn)
	}
}

func (k *socket) serve(conn net.Conn) {
	l := k.s.listeners.Load().byName[k.listener]
	c, err := k.connection(conn)
	if l == nil || err != nil {
		if err != nil {
			k.s.o.Log.Warn("connection refused", "listener", k.listener, "client", conn.RemoteAddr().String(), "error", err)
		}
		_ = conn.Close()
		return
	}
	k.s.accept(l, c)
}

// connection says where a connection comes from and where it wanted to go.
func (k *socket) connection(conn net.Conn) (*connection, error) {
	c := &connection{Conn: conn}
	c.down.ID = k.s.ids.Add(1)
	if !k.outbound {
		c.down.Remote, c.down.Local = k.s.podAddress(addrPortOf(conn.RemoteAddr())), k.local
		c.direct = c.down.Remote
		return c, nil
	}
	p, ok := conn.(*proxyproto.Conn)
	if !ok || p.ProxyHeader() == nil {
		return nil, errors.New("no PROXY v2 header says the original destination")
	}
	c.down.Local, c.down.Remote = addrPortOf(conn.LocalAddr()), k.s.podAddress(addrPortOf(conn.RemoteAddr()))
	c.direct = c.down.Remote
	if !c.down.Local.IsValid() {
		return nil, errors.New("the PROXY v2 header has no TCP destination")
	}
	return c, nil
}

// podAddress gives the API's address for a loopback one.
func (s *Server) podAddress(a netip.AddrPort) netip.AddrPort {
	ip, _ := s.o.Spec.Net.PodIP(a.Addr())
	return netip.AddrPortFrom(ip, a.Port())
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
