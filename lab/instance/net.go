package instance

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/meshstorm/meshstorm/lab/kubelet"
	"github.com/meshstorm/meshstorm/lab/loopback"
)

// claimPort on the node's address says that the net is taken. Nobody connects to
// it: a port can be held by one process only, from before anything else of the
// lab listens until the lab has ended.
const claimPort = 4442

// chooseNet finds a second octet that no other lab on the machine has, and keeps
// it until claim is closed. Two labs that choose at the same time get different
// ones.
func chooseNet() (n loopback.Net, claim net.Listener, err error) {
	for second := byte(244); second >= 200; second -= 2 {
		n := loopback.Net{Pod: second, Twin: second + 1}
		if claim, err = claimNet(n); err == nil {
			return n, claim, nil
		}
	}
	return loopback.Net{}, nil, fmt.Errorf("no loopback address for the node: %w; on macOS, addresses like 127.244.0.1 need aliases of lo0 (docs/lab.md)", err)
}

// claimNet also tries the ports that the node needs: something that is no lab
// may listen on all addresses.
func claimNet(n loopback.Net) (net.Listener, error) {
	claim, err := listenNode(n, claimPort)
	if err != nil {
		return nil, err
	}
	for _, port := range []uint16{kubelet.Port, metricsPort} {
		l, err := listenNode(n, port)
		if err != nil {
			_ = claim.Close()
			return nil, err
		}
		_ = l.Close()
	}
	return claim, nil
}

func listenNode(n loopback.Net, port uint16) (net.Listener, error) {
	return net.Listen("tcp", netip.AddrPortFrom(n.Bind(loopback.NodeIP), port).String())
}
