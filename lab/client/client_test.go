package client_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/meshstorm/meshstorm/lab/client"
	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
)

// shop answers as the tests need it.
func shop(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", "v1")
		_, _ = io.WriteString(w, "orders\n")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s host=%s type=%s accept=%s x=%s agent=%s auth=%s body=%s\n", r.Method, r.URL.RequestURI(), r.Proto, r.Host,
			r.Header.Get("Content-Type"), r.Header.Get("Accept"), r.Header.Get("X"), r.UserAgent(), r.Header.Get("Authorization"), body)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/circle", http.StatusFound) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewUnstartedServer(mux)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func spec(t *testing.T) *pod.Spec {
	return &pod.Spec{Namespace: "default", Net: loopback.Default, Image: "curlimages/curl:8.11.0", DNS: noDNS(t),
		Mounts: []pod.Mount{{Path: "/tmp", Host: t.TempDir()}}}
}

// noDNS answers every question with NXDOMAIN.
func noDNS(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			b[2], b[3] = 0x81, 0x83
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	return c.LocalAddr().String()
}

func run(t *testing.T, s *pod.Spec, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = client.Run(t.Context(), s, argv, &out, &errs)
	return code, out.String(), errs.String()
}

func TestCurl(t *testing.T) {
	server := shop(t)
	u := server.URL
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + gone.Addr().String()
	_ = gone.Close()
	secured := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secured") }))
	t.Cleanup(secured.Close)
	secured.Config.ErrorLog = nil

	for _, c := range []struct {
		name   string
		argv   []string
		code   int
		out    string // a regular expression, of all of it
		stderr string // a part
	}{
		{"a plain request", []string{"curl", u + "/orders"}, 0, `orders\n`, ""},
		{"the arguments of the image's entry point", []string{"-s", u + "/orders"}, 0, `orders\n`, ""},
		{"only a URL", []string{u + "/orders"}, 0, `orders\n`, ""},
		{"the head as it came", []string{"curl", "-si", u + "/orders"}, 0, `HTTP/1\.1 200 OK\r\n(.*\r\n)*X-Version: v1\r\n(.*\r\n)*\r\norders\n`, ""},
		{"only the head", []string{"curl", "-I", u + "/orders"}, 0, `HTTP/1\.1 200 OK\r\n(.*\r\n)*\r\n`, ""},
		{"the code alone", []string{"curl", "-s", "-o", "/dev/null", "-w", `%{http_code}\n`, u + "/broken"}, 0, `503\n`, ""},
		{"more of what was measured", []string{"curl", "-so/dev/null", "-w", `%{size_download} %{num_redirects} %{method} %header{x-version} %{remote_ip} 100%% %{time_total}`, u + "/orders"}, 0,
			`7 0 GET v1 127\.0\.0\.1 100% 0\.\d{6}`, ""},
		{"an unknown variable", []string{"curl", "-so/dev/null", "-w", `[%{nope}]`, u + "/orders"}, 0, `\[\]`, "unknown --write-out variable: 'nope'"},
		{"a form is posted", []string{"curl", "-s", "-d", "a=1", "-d", "b=2", u + "/echo"}, 0,
			`POST /echo HTTP/1\.1 host=\S+ type=application/x-www-form-urlencoded accept=\*/\* x= agent=curl/\S+ .*body=a=1&b=2\n`, ""},
		{"JSON with its header", []string{"curl", "-sXPUT", "-H", "Content-Type: application/json", "-d", `{"a":1}`, u + "/echo"}, 0,
			`PUT /echo .* type=application/json .*body=\{"a":1\}\n`, ""},
		{"JSON at once", []string{"curl", "-s", "--json", `{"a":1}`, u + "/echo"}, 0, `POST .*type=application/json accept=application/json .*\n`, ""},
		{"data as a query", []string{"curl", "-sG", "-d", "page=1", "--data-urlencode", "q=a b&c", u + "/echo"}, 0, `GET /echo\?page=1&q=a%20b%26c .*\n`, ""},
		{"another host and a header", []string{"curl", "-s", "-H", "Host: order.default", "-H", "X: 1", "-H", "Accept:", u + "/echo"}, 0, `.*host=order\.default type= accept= x=1 .*\n`, ""},
		{"HTTP/2 without TLS", []string{"curl", "-s", "--http2-prior-knowledge", "-w", "%{http_version}", u + "/echo"}, 0, `GET /echo HTTP/2\.0 .*\n2`, ""},
		{"HTTP/2's head", []string{"curl", "-si", "--http2-prior-knowledge", u + "/orders"}, 0, `HTTP/2 200 \r\n(.*\r\n)*x-version: v1\r\n\r\norders\n`, ""},
		{"a redirect is shown", []string{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", u + "/moved"}, 0, `302 http://\S+/echo`, ""},
		{"a redirect is followed, as GET", []string{"curl", "-sL", "-d", "a=1", "-w", "%{num_redirects}", u + "/moved"}, 0, `GET /echo .*body=\n1`, ""},
		{"redirects without end", []string{"curl", "-sSL", "--max-redirs", "3", u + "/circle"}, 47, ``, "(47) Maximum (3) redirects followed"},
		{"a failure is told with -f", []string{"curl", "-sSf", u + "/broken"}, 22, ``, "curl: (22) The requested URL returned error: 503"},
		{"-s says nothing", []string{"curl", "-sf", u + "/broken"}, 22, ``, ""},
		{"a name that is not there", []string{"curl", "-sS", "http://nobody:8080/"}, 6, ``, "curl: (6) Could not resolve host: nobody"},
		{"nobody listens", []string{"curl", "-sS", closed}, 7, ``, "curl: (7) Failed to connect to 127.0.0.1 port"},
		{"the time is over", []string{"curl", "-sS", "-m", "0.05", u + "/slow"}, 28, ``, "curl: (28) Operation timed out after"},
		{"a certificate that nobody knows", []string{"curl", "-sS", secured.URL}, 60, ``, "curl: (60) SSL certificate problem"},
		{"any certificate with -k", []string{"curl", "-sk", secured.URL}, 0, `secured`, ""},
		{"an unknown flag", []string{"curl", "--proxy", "x", u}, 2, ``, "curl: option --proxy: is unknown to the lab's curl"},
		{"an unknown letter", []string{"curl", "-sx", "x", u}, 2, ``, "option -x: is unknown"},
		{"a flag without its value", []string{"curl", u, "-m"}, 2, ``, "option -m: requires parameter"},
		{"no URL", []string{"curl", "-s"}, 2, ``, "no URL specified"},
		{"a URL that is none", []string{"curl", "-sS", "http://"}, 3, ``, "(3) URL using bad/illegal format"},
		{"another protocol", []string{"curl", "-sS", "ftp://x/"}, 1, ``, `(1) Protocol "ftp" not supported`},
		{"what passes is shown with -v", []string{"curl", "-sv", u + "/orders"}, 0, `orders\n`, "> GET /orders HTTP/1.1\n> Host: "},
		{"a user", []string{"curl", "-s", "-u", "a:b", u + "/echo"}, 0, `.* auth=Basic YTpi body=\n`, ""},
		{"a user in the URL", []string{"curl", "-s", strings.Replace(u, "//", "//a:b@", 1) + "/echo"}, 0, `.* auth=Basic YTpi body=\n`, ""},
		{"two URLs, two outputs", []string{"curl", "-s", u + "/orders", u + "/orders"}, 0, `orders\norders\n`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t, spec(t), c.argv...)
			if code != c.code {
				t.Errorf("exit code %d, want %d; %s", code, c.code, errs)
			}
			if !regexp.MustCompile(`^(` + c.out + `)$`).MatchString(out) {
				t.Errorf("output %q does not match %q", out, c.out)
			}
			if !strings.Contains(errs, c.stderr) || c.stderr == "" && errs != "" {
				t.Errorf("stderr %q lacks %q", errs, c.stderr)
			}
		})
	}
}

func TestCurlWritesAndReadsTheContainersFiles(t *testing.T) {
	server, s := shop(t), spec(t)
	folder := s.Mounts[0].Host
	if err := os.WriteFile(filepath.Join(folder, "order.json"), []byte("{\n\"a\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, s, "curl", "-s", "--data-binary", "@/tmp/order.json", "-o", "/tmp/answer", server.URL+"/echo")
	if code != 0 || out != "" || errs != "" {
		t.Fatal(code, out, errs)
	}
	data, err := os.ReadFile(filepath.Join(folder, "answer"))
	if err != nil || !strings.HasSuffix(string(data), "body={\n\"a\":1}\n\n") {
		t.Errorf("%q, %v", data, err)
	}
	if code, _, errs = run(t, s, "curl", "-sS", "-o", "/etc/answer", server.URL+"/orders"); code != 23 || !strings.Contains(errs, "in no volume") {
		t.Error(code, errs)
	}
}

func TestCurlReadsAnEmptyReply(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1024)
			_, _ = c.Read(b)
			_ = c.Close()
		}
	}()
	code, _, errs := run(t, spec(t), "curl", "-sS", "http://"+l.Addr().String())
	if code != 52 || !strings.Contains(errs, "(52) Empty reply from server") {
		t.Error(code, errs)
	}
}

func TestLoad(t *testing.T) {
	server := shop(t)
	for _, c := range []struct {
		name  string
		image string
		argv  []string
		code  int
		out   []string
	}{
		{"a number of requests", "", []string{"load", "-c", "3", "-n", "30", server.URL + "/orders"}, 0, []string{"30 requests in", "on 3 connections", "Code 200 : 30 (100.0 %)", "99 %:"}},
		{"a time", "", []string{"load", "-c", "2", "-t", "50ms", server.URL + "/orders"}, 0, []string{"Code 200 : "}},
		{"answers of failure", "", []string{"load", "-n", "4", server.URL + "/broken"}, 0, []string{"Code 503 : 4 (100.0 %)"}},
		{"fortio", "fortio/fortio", []string{"load", "-c", "2", "-qps", "0", "-n", "10", server.URL + "/orders"}, 0, []string{"Code 200 : 10"}},
		{"siege", "ghcr.io/acmexii/siege-nginx:latest", []string{"siege", "-c2", "-r5", "-v", "--content-type", "application/json", server.URL + `/echo POST {"productId":1}`}, 0,
			[]string{"10 requests", "HTTP/1.1 200", "POST /echo", "Code 200 : 10"}},
		{"siege by its image", "siege", []string{"-c1", "-t50S", "-r2", server.URL + "/orders"}, 0, []string{"Code 200 : 2"}},
		{"HTTP/2", "", []string{"load", "-h2", "-n", "3", server.URL + "/orders"}, 0, []string{"Code 200 : 3"}},
		{"nobody answers", "", []string{"load", "-n", "2", "-c", "1", "http://127.0.0.1:1/"}, 1, []string{"No answer : 2 (100.0 %)"}},
		{"an unknown flag", "", []string{"load", "-z", server.URL}, 2, nil},
		{"no URL", "", []string{"load", "-n", "2"}, 2, nil},
		{"another of fortio's programs", "", []string{"fortio", "server"}, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spec(t)
			s.Image = c.image
			code, out, errs := run(t, s, c.argv...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs)
			}
			for _, part := range c.out {
				if !strings.Contains(out, part) {
					t.Errorf("output lacks %q:\n%s", part, out)
				}
			}
			if code == 2 && errs == "" {
				t.Error("nothing is said of the fault")
			}
		})
	}
}

func TestLoadKeepsToItsRate(t *testing.T) {
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	t.Cleanup(server.Close)
	code, out, errs := run(t, spec(t), "load", "-c", "2", "-qps", "50", "-t", "200ms", server.URL)
	if n := got.Load(); code != 0 || n < 1 || n > 12 {
		t.Errorf("%d requests at 50 per second in 200 ms: %d %s %s", n, code, out, errs)
	}
}

func TestOtherPrograms(t *testing.T) {
	s := spec(t)
	if code, _, errs := run(t, s, "sh", "-c", "curl x"); code != 127 || !strings.Contains(errs, "the lab runs no shell") {
		t.Error(code, errs)
	}
	if code, _, errs := run(t, s, "wget", "x"); code != 127 || !strings.Contains(errs, `no "wget"`) {
		t.Error(code, errs)
	}
	if code, _, errs := run(t, s, "sleep", "0.001"); code != 0 || errs != "" {
		t.Error(code, errs)
	}
	if code, _, errs := run(t, s, "sleep", "soon"); code != 1 || !strings.Contains(errs, "not a duration") {
		t.Error(code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Image = "apexacme/siege-nginx"
	for _, argv := range [][]string{{}, {"sleep", "infinity"}, {"tail", "-f", "/dev/null"}} {
		if code := client.Run(ctx, s, argv, io.Discard, io.Discard); code != 0 {
			t.Error(argv, code)
		}
	}
}

// TestDialing shows that a request goes through what the pod's Spec names, with
// the wanted address in a PROXY header.
func TestDialing(t *testing.T) {
	l, err := loopback.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wanted atomic.Value
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "through the sidecar")
	}), ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		wanted.Store(c.LocalAddr().String())
		return ctx
	}}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	s := spec(t)
	s.Outbound, s.IP = l.Addr().String(), netip.MustParseAddr("10.244.3.9")
	code, out, errs := run(t, s, "curl", "-s", "http://10.96.0.7:8080/orders")
	if code != 0 || out != "through the sidecar" || wanted.Load() != "10.96.0.7:8080" {
		t.Error(code, out, errs, wanted.Load())
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add("-s -o /dev/null -w %{http_code}", "-c20 -t40S -v")
	f.Add("-sSiXPOST -dx --json {}", "-qps 8 -n 3 --time=1S")
	f.Fuzz(func(t *testing.T, curl, load string) {
		s := &pod.Spec{Net: loopback.Default}
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the command line is read; nothing is sent
		client.Run(ctx, s, append([]string{"curl"}, strings.Fields(curl)...), io.Discard, io.Discard)
		client.Run(ctx, s, append([]string{"load"}, strings.Fields(load)...), io.Discard, io.Discard)
	})
}
