package kubelet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// firstPodIP leaves the first addresses to the node and what the lab itself
// may want to bind.
var firstPodIP = netip.MustParseAddr("10.244.0.10")

// addresses hands out pod IPs in rising order, so that one is not used again
// before all others were. The place in the order survives a restart in a file.
type addresses struct {
	file string

	mu   sync.Mutex
	next netip.Addr
	used map[netip.Addr]bool
}

func newAddresses(file string) *addresses {
	a := &addresses{file: file, next: firstPodIP, used: map[netip.Addr]bool{}}
	if data, err := os.ReadFile(file); err == nil {
		if ip, err := netip.ParseAddr(strings.TrimSpace(string(data))); err == nil && usable(ip) {
			a.next = ip
		}
	}
	return a
}

func usable(ip netip.Addr) bool {
	if !loopback.PodCIDR.Contains(ip) || ip.Less(firstPodIP) {
		return false
	}
	last := ip.As4()[3]
	return last != 0 && last != 255 // never taken for a network's or broadcast address
}

// keep takes an address that a pod had before, if it is free.
func (a *addresses) keep(ip netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !usable(ip) || a.used[ip] {
		return false
	}
	a.used[ip] = true
	if !ip.Less(a.next) {
		a.advance(ip)
	}
	return true
}

func (a *addresses) take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range 1 << 16 {
		ip := a.next
		a.advance(ip)
		if usable(ip) && !a.used[ip] {
			a.used[ip] = true
			_ = os.MkdirAll(filepath.Dir(a.file), 0o700)
			_ = os.WriteFile(a.file, []byte(a.next.String()+"\n"), 0o600) // only the order is lost without it
			return ip, nil
		}
	}
	return netip.Addr{}, errors.New("no pod IP is left in " + loopback.PodCIDR.String())
}

func (a *addresses) advance(ip netip.Addr) {
	b := ip.As4()
	n := binary.BigEndian.Uint32(b[:]) + 1
	binary.BigEndian.PutUint32(b[:], n)
	a.next = netip.AddrFrom4(b)
	if !loopback.PodCIDR.Contains(a.next) {
		a.next = firstPodIP
	}
}

func (a *addresses) release(ip netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, ip)
}
