package standin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/standin"
	"github.com/meshstorm/meshstorm/lab/store"
)

// A test's cluster has real sockets in the place of the lab's parts: a DNS
// server, a node's network that takes PROXY v2, Kafka, and the database.
type cluster struct {
	t        testing.TB
	models   string
	socket   string
	data     string
	kafka    *kfake.Cluster
	brokers  string
	dns      string
	node     string
	net      loopback.Net
	third    byte
	mu       sync.Mutex
	services map[string]netip.Addr // by name, the ClusterIP
	backends map[netip.Addr]string // by ClusterIP, where it really listens
	last     byte
	log      *slog.Logger
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{
		t: t, models: filepath.Join(dir, "models"), data: filepath.Join(dir, "data"),
		net: loopback.Net{Pod: byte(100 + rand.IntN(50)), Twin: byte(150 + rand.IntN(50))}, third: byte(rand.IntN(250)),
		services: map[string]netip.Addr{}, backends: map[netip.Addr]string{}, log: testLog(t),
	}
	if err := os.MkdirAll(c.models, 0o700); err != nil {
		t.Fatal(err)
	}
	short, err := os.MkdirTemp("", "s") // a socket's path may have 100 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	c.socket = filepath.Join(short, "db")
	c.serveStore()
	c.serveDNS()
	c.serveNode()
	c.startKafka()
	return c
}

func testLog(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(&testWriter{t: t}, nil))
}

type testWriter struct {
	t testing.TB
}

func (w *testWriter) Write(p []byte) (int, error) {
	fmt.Fprintf(os.Stderr, "%s", p)
	return len(p), nil
}

func (c *cluster) serveStore() {
	l, err := store.Listen(c.socket)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	log := c.log // a test may give its pods another one
	go func() { done <- store.Serve(ctx, c.data, l, log) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	})
}

func (c *cluster) startKafka(ports ...int) {
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(3), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}
	if len(ports) > 0 {
		opts = append(opts, kfake.Ports(ports...))
	}
	k, err := kfake.NewCluster(opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.kafka, c.brokers = k, k.ListenAddrs()[0]
	c.t.Cleanup(k.Close)
}

// model applies a model file under a workspace's name.
func (c *cluster) model(workspace string, data []byte) {
	c.t.Helper()
	file := filepath.Join(c.models, workspace+".json")
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		c.t.Fatal(err)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// running is a pod of a cluster.
type running struct {
	c    *cluster
	spec *pod.Spec
	url  string
	stop func() error
	kill func() // of a pod in a process of its own
	pid  int
}

func (c *cluster) spec(app string, annotations map[string]string) *pod.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	ip := netip.AddrFrom4([4]byte{10, 244, c.third, c.last})
	service, known := c.services[app]
	if !known {
		service = netip.AddrFrom4([4]byte{10, 96, c.third, c.last})
		c.services[app] = service
	}
	c.backends[service] = c.net.Bind(ip).String() + ":8080"
	return &pod.Spec{
		Namespace: "default", Name: app + "-stable-7d9f8b6c5d-x2v9z", UID: fmt.Sprint(app, c.last), Labels: map[string]string{"app": app},
		Annotations: annotations, Container: app, Image: "registry.example.com/" + app + ":v2", Tag: "v2",
		Ports: []pod.Port{{Name: "http", Port: 8080}}, IP: ip, Net: c.net, Listen: c.net.Bind(ip),
		Outbound: c.node, Node: c.node, DNS: c.dns, Models: c.models, Store: c.socket,
	}
}

func (c *cluster) env(more map[string]string) func(string) string {
	return func(name string) string {
		if name == "SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS" {
			return c.brokers
		}
		return more[name]
	}
}

func (c *cluster) start(app string, annotations map[string]string) *running {
	c.t.Helper()
	return c.run(c.spec(app, annotations), c.env(nil))
}

func (c *cluster) run(spec *pod.Spec, env func(string) string) *running {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- standin.Run(ctx, spec, env, io.Discard, c.log.With("pod", spec.Name))
	}()
	var once sync.Once
	var failed error
	p := &running{c: c, spec: spec, url: "http://" + spec.ListenOn(8080), stop: func() error {
		once.Do(func() {
			cancel()
			failed = <-done
		})
		return failed
	}}
	c.t.Cleanup(func() {
		if err := p.stop(); err != nil {
			c.t.Error(err)
		}
	})
	c.wait("the pod answers", func() error {
		select {
		case err := <-done:
			done <- err
			c.t.Fatalf("the pod ended: %v", err)
		default:
		}
		_, _, err := p.try("GET", "/actuator/health", "", nil)
		return err
	})
	return p
}

func (c *cluster) kafkaPort() int {
	_, port, _ := net.SplitHostPort(c.brokers)
	n, _ := strconv.Atoi(port)
	return n
}

// podVariable makes the test's program a pod; it names the brokers.
const podVariable = "STANDIN_TEST_BROKERS"

func TestMain(m *testing.M) {
	brokers := os.Getenv(podVariable)
	if brokers == "" {
		os.Exit(m.Run())
	}
	spec, err := pod.Load()
	if err == nil {
		ctx, cancel := pod.Context()
		defer cancel()
		env := func(name string) string { return map[string]string{"KAFKA_BROKERS": brokers}[name] }
		err = standin.Run(ctx, spec, env, os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// process runs a pod in a process of its own, which can be killed.
func (c *cluster) process(spec *pod.Spec) *running {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "pod.json")
	data, err := json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), podVariable+"="+c.brokers, pod.Variable+"="+file)
	if testing.Verbose() {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	p := &running{c: c, spec: spec, url: "http://" + spec.ListenOn(8080), pid: cmd.Process.Pid}
	p.kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	c.t.Cleanup(p.kill)
	c.wait("the pod's process answers", func() error {
		_, _, err := p.try("GET", "/actuator/health", "", nil)
		return err
	})
	return p
}

// wait asks again until there is no error. Its deadline only keeps a broken
// program from running forever.
func (c *cluster) wait(what string, ask func() error) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waiting until %s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *running) try(method, path, body string, header map[string]string) (*http.Response, string, error) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, p.url+path, in)
	if err != nil {
		return nil, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range header {
		if v == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, v)
		}
	}
	req.Host = "shop.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// send is a request that must be answered with this status.
func (p *running) send(method, path, body string, status int) string {
	p.c.t.Helper()
	resp, text, err := p.try(method, path, body, nil)
	if err != nil {
		p.c.t.Fatal(err)
	}
	if resp.StatusCode != status {
		p.c.t.Fatalf("%s %s: %s, want %d\n%s", method, path, resp.Status, status, text)
	}
	return text
}

// has waits until a GET of the path holds a text.
func (p *running) has(path, want string) {
	p.c.t.Helper()
	p.c.wait(path+" has "+want, func() error {
		_, text, err := p.try("GET", path, "", nil)
		if err == nil && !strings.Contains(text, want) {
			err = errors.New(compact(text))
		}
		return err
	})
}

func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}
