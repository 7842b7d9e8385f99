package kubelet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

// serving starts the kubelet with its server and gives the server's URL and a
// client whose requests are allowed.
func (l *lab) serving() (string, *http.Client) {
	l.t.Helper()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certs := certificate.TLS.Certificates
	certificate.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	l.start(func(o *kubeletOptions) {
		o.TLS, o.Listen = &tls.Config{Certificates: certs}, address
		o.Authorize = func(r *http.Request) error {
			if r.Header.Get("Authorization") != "Bearer good" {
				return errors.New("who are you")
			}
			return nil
		}
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	l.t.Cleanup(transport.CloseIdleConnections)
	return "https://" + address, &http.Client{Transport: bearer{transport}}
}

type bearer struct{ http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer good")
	return b.RoundTripper.RoundTrip(r)
}

func get(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data)
}

func TestTheServerAnswersLogsAndStats(t *testing.T) {
	l := newLab(t)
	base, c := l.serving()
	l.create(newPod(args("print one", "complain two", "print three", "wait")))
	p := l.wait("ready", "p", ready)
	eventually(t, "log", func() bool { return strings.Contains(l.log(p, "c", 0), "three") }, func() string { return "" })
	for _, c2 := range []struct {
		name, url string
		status    int
		contains  string
	}{
		{"health", "/healthz", 200, "ok"},
		{"all pods", "/pods", 200, `"name":"p"`},
		{"the last line", "/containerLogs/default/p/c?tailLines=1", 200, "t"},
		{"one stream", "/containerLogs/default/p/c?stream=Stderr", 200, "two\n"},
		{"times", "/containerLogs/default/p/c?timestamps=true", 200, "Z one\n"},
		{"a pod that is not there", "/containerLogs/default/q/c", 404, `pod "default/q" not found`},
		{"a container that is not there", "/containerLogs/default/p/x", 400, `container "x" in pod "p" not found`},
		{"no previous run", "/containerLogs/default/p/c?previous=true", 400, `previous terminated container "c" in pod "p" not found`},
		{"a wrong number", "/containerLogs/default/p/c?tailLines=x", 422, "tailLines"},
		{"summary", "/stats/summary", 200, `"nodeName":"lab"`},
		{"metrics", "/metrics/resource", 200, `container_memory_working_set_bytes{container="c",namespace="default",pod="p"}`},
		{"run", "/run/default/p/c", 501, "the lab runs no shell"},
	} {
		t.Run(c2.name, func(t *testing.T) {
			if status, body := get(t, c, base+c2.url); status != c2.status || !strings.Contains(body, c2.contains) {
				t.Errorf("%d %q, want %d with %q", status, body, c2.status, c2.contains)
			}
		})
	}
	anonymous := &http.Client{Transport: c.Transport.(bearer).RoundTripper}
	if status, _ := get(t, anonymous, base+"/pods"); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", status)
	}
}

func TestLogsAreFollowedToTheEndOfTheContainer(t *testing.T) {
	l := newLab(t)
	base, c := l.serving()
	l.create(newPod(args("print up", "wait"), policy(corev1.RestartPolicyNever)))
	l.wait("ready", "p", ready)
	resp, err := c.Get(base + "/containerLogs/default/p/c?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	l.delete("p", 1)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

func TestPortForward(t *testing.T) {
	l := newLab(t)
	base, _ := l.serving()
	l.create(newPod(args("serve 8080", "print up", "wait")))
	p := l.wait("ready", "p", ready)
	eventually(t, "up", func() bool { return strings.Contains(l.log(p, "c", 0), "up") }, func() string { return "" })
	u, _ := url.Parse(base + "/portForward/default/p")
	transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{BearerToken: "good", TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, u)
	stop, up := make(chan struct{}), make(chan struct{})
	var faults bytes.Buffer
	f, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, up, io.Discard, &faults)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.ForwardPorts() }()
	select {
	case <-up:
	case err := <-done:
		t.Fatal(err)
	}
	ports, err := f.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer through the port-forward", func() bool {
		_, body := get(t, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/x", ports[0].Local))
		return body == "hello from c GET /x\n"
	}, func() string { return faults.String() })
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestExecSaysThatThereIsNoShell(t *testing.T) {
	l := newLab(t)
	base, _ := l.serving()
	l.create(newPod())
	l.wait("ready", "p", ready)
	u, _ := url.Parse(base + "/exec/default/p/c?command=sh&output=1&error=1")
	x, err := remotecommand.NewSPDYExecutor(&rest.Config{BearerToken: "good", TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, http.MethodPost, u)
	if err != nil {
		t.Fatal(err)
	}
	err = x.StreamWithContext(context.Background(), remotecommand.StreamOptions{Stdout: io.Discard, Stderr: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "the lab runs no shell") {
		t.Errorf("error %v", err)
	}
}

func TestPortForwardOverAWebsocket(t *testing.T) {
	l := newLab(t)
	base, c := l.serving()
	l.create(newPod(args("serve 8080", "print up", "wait")))
	p := l.wait("ready", "p", ready)
	eventually(t, "up", func() bool { return strings.Contains(l.log(p, "c", 0), "up") }, func() string { return "" })
	if status, body := get(t, c, base+"/portForward/default/p"); status != http.StatusBadRequest {
		t.Errorf("without an upgrade: %d %q", status, body)
	}
	config, err := websocket.NewConfig("wss"+strings.TrimPrefix(base, "https")+"/portForward/default/p?ports=8080", base)
	if err != nil {
		t.Fatal(err)
	}
	config.Protocol, config.TlsConfig = []string{"v4.channel.k8s.io"}, &tls.Config{InsecureSkipVerify: true}
	config.Header.Set("Authorization", "Bearer good")
	conn, err := websocket.DialConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var first, second, answer []byte
	for _, b := range []*[]byte{&first, &second} {
		if err := websocket.Message.Receive(conn, b); err != nil {
			t.Fatal(err)
		}
	}
	if want := []byte{0, 0x90, 0x1f}; !bytes.Equal(first, want) {
		t.Errorf("the data channel begins with %v, want %v", first, want)
	}
	if err := websocket.Message.Send(conn, []byte("\x00GET /x HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := websocket.Message.Receive(conn, &answer); err != nil || !strings.Contains(string(answer), "200 OK") {
		t.Errorf("%q, %v", answer, err)
	}
}
