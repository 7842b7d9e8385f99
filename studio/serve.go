package studio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// portsTried is how many ports after a busy one are tried.
const portsTried = 50

// Listen takes the address, or where its port is in use the next free one.
func Listen(address string) (net.Listener, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q: expected HOST:PORT, such as 127.0.0.1:8080", address)
	}
	port, err := strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return nil, fmt.Errorf("%q: expected a port from 0 to 65535", address)
	}
	l, first := net.Listen("tcp", address)
	for next := port + 1; first != nil && inUse(first) && port != 0 && next <= min(port+portsTried, 65535); next++ {
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
			return l, nil
		}
	}
	return l, first
}

// Loopback tells whether an address can be reached from this machine only.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Addresses are the Host headers of a listener on loopback: its address, and
// localhost where that means it.
func Addresses(l net.Listener) []string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil
	}
	return []string{l.Addr().String(), "localhost:" + port}
}

// Serve answers until ctx ends; what is under way then has five seconds. A nil
// certificate serves plain HTTP.
func (s *Server) Serve(ctx context.Context, l net.Listener, certificate *tls.Certificate) error {
	streams, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return streams },
	}
	if certificate != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	s.folder.hub.close() // event streams would last for ever
	s.stop()
	last, cancel := context.WithTimeout(streams, 5*time.Second)
	defer cancel()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return err
}
