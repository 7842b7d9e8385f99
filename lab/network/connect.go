package network

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// serveConnect is an HTTP CONNECT proxy (RFC 9110, section 9.3.6) for the API
// server's egress selector: ClusterIPs, pod IPs and Services' names become
// loopback addresses.
func (n *Network) serveConnect(ctx context.Context) error {
	if n.connect == nil {
		<-ctx.Done()
		return nil
	}
	return accept(ctx, n.connect, func(conn net.Conn) {
		if err := n.connectOne(ctx, conn); err != nil {
			n.o.Log.Debug("CONNECT refused", "error", err)
		}
	})
}

func (n *Network) connectOne(ctx context.Context, conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(conn)
	req, err := http.ReadRequest(reader)
	if err != nil {
		_ = conn.Close()
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	refuse := func(status int, err error) error {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status))
		_ = conn.Close()
		return err
	}
	if req.Method != http.MethodConnect {
		return refuse(http.StatusMethodNotAllowed, errors.New("not a CONNECT request"))
	}
	dst, err := n.resolve(req.Host)
	if err != nil {
		return refuse(http.StatusBadGateway, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	up, err := n.dial(ctx, netip.Addr{}, dst)
	if err != nil {
		return refuse(http.StatusBadGateway, fmt.Errorf("%s: %w", req.Host, err))
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = up.Close()
		_ = conn.Close()
		return err
	}
	if rest := reader.Buffered(); rest > 0 {
		early, _ := reader.Peek(rest)
		if _, err := up.Write(early); err != nil {
			_ = up.Close()
			_ = conn.Close()
			return err
		}
	}
	n.flows.join(conn, up)
	return nil
}

// resolve finds the address of HOST:PORT, where HOST is an IP or a Service.
func (n *Network) resolve(hostport string) (netip.AddrPort, error) {
	host, portName, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(portName, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", portName)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(ip, uint16(port)), nil
	}
	if s := n.table.Load().named(host); s != nil {
		if ip, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
			return netip.AddrPortFrom(ip, uint16(port)), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("no Service is called %s", host)
}
