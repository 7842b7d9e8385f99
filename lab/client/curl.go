package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// failure is an error with curl's exit code (curl manual, "EXIT CODES").
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func failed(code int, format string, args ...any) *failure {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

// curl makes the requests one after another; the last one's code is the exit
// code.
func curl(ctx context.Context, s *pod.Spec, args []string, stdout, stderr io.Writer) int {
	r, err := parseCurl(s, args)
	if err != nil {
		complain(stderr, "curl: %v", err)
		return usageCode
	}
	code := 0
	for i, u := range r.urls {
		if ctx.Err() != nil {
			return 130
		}
		t := &transfer{r: r, stdout: stdout, stderr: stderr, started: time.Now()}
		err := t.run(ctx, u, i)
		code = t.exit(err)
		if err != nil && (!r.silent || r.showError) {
			complain(stderr, "curl: (%d) %v", code, err)
		}
		t.tell(code, err)
	}
	return code
}

// transfer is one URL, redirects included.
type transfer struct {
	r              *request
	stdout, stderr io.Writer

	started              time.Time
	looked, connected    time.Duration
	secured, first       time.Duration
	total                time.Duration
	status, redirects    int
	downloaded, uploaded int64
	version              string
	method               string
	header               http.Header
	remote, local        net.Addr
	effective            *url.URL
	failedStatus         bool
}

func (t *transfer) exit(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return 56
}

func (t *transfer) run(ctx context.Context, raw string, index int) error {
	defer func() { t.total = time.Since(t.started) }()
	u, err := t.url(raw)
	if err != nil {
		return err
	}
	if t.r.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.r.maxTime)
		defer cancel()
	}
	out, done, err := t.output(index)
	if err != nil {
		return err
	}
	method, body := t.r.verb()
	err = t.follow(ctx, u, method, body, out)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = failed(28, "Operation timed out after %d milliseconds with %d bytes received", time.Since(t.started).Milliseconds(), t.downloaded)
	}
	if closeErr := done(); err == nil && closeErr != nil {
		err = failed(23, "Failure writing output: %v", closeErr)
	}
	return err
}

func (t *transfer) url(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil, failed(3, "URL using bad/illegal format or missing URL: %s", raw)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, failed(1, "Protocol %q not supported by the lab's curl", u.Scheme)
	}
	if u.User != nil && t.r.user == "" {
		password, _ := u.User.Password()
		t.r.user = u.User.Username() + ":" + password
	}
	if t.r.asQuery && t.r.hasData {
		query := strings.Join(t.r.data, "&")
		if u.RawQuery != "" {
			query = u.RawQuery + "&" + query
		}
		u.RawQuery = query
	}
	return u, nil
}

// output is where the index-th URL's body goes: standard output, or a file in
// one of the pod's volumes.
func (t *transfer) output(index int) (io.Writer, func() error, error) {
	if index >= len(t.r.outputs) || t.r.outputs[index] == "-" {
		return t.stdout, func() error { return nil }, nil
	}
	name := t.r.outputs[index]
	if name == "/dev/null" {
		return io.Discard, func() error { return nil }, nil
	}
	host, ok := t.r.spec.HostPath(name)
	if !ok {
		return nil, nil, failed(23, "Failed to open %s: it is in no volume of the pod", name)
	}
	f, err := os.OpenFile(host, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, failed(23, "Failed to open %s: %v", name, err)
	}
	return f, f.Close, nil
}

func (t *transfer) follow(ctx context.Context, u *url.URL, method, body string, out io.Writer) error {
	for {
		t.effective, t.method = u, method
		location, err := t.exchange(ctx, u, method, body, out)
		if err != nil {
			return err
		}
		if !t.r.follow || location == "" {
			break
		}
		if t.redirects >= t.r.maxRedirects {
			return failed(47, "Maximum (%d) redirects followed", t.r.maxRedirects)
		}
		next, err := u.Parse(location)
		if err != nil {
			return failed(3, "URL using bad/illegal format or missing URL: %s", location)
		}
		t.redirects++
		// RFC 9110, section 15.4: these turn a POST into a GET.
		if (t.status == 301 || t.status == 302) && method == "POST" || t.status == 303 && method != "HEAD" {
			if t.r.method == "" {
				method, body = "GET", ""
			}
		}
		u = next
	}
	if t.failedStatus {
		return failed(22, "The requested URL returned error: %d", t.status)
	}
	return nil
}

// dial opens the connection as the pod does.
func (t *transfer) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := u.Hostname()
	connect := ctx
	if t.r.connect > 0 {
		var cancel context.CancelFunc
		connect, cancel = context.WithTimeout(ctx, t.r.connect)
		defer cancel()
	}
	dialer := t.r.spec.Dialer()
	address := net.JoinHostPort(host, port)
	if other, ok := t.r.resolve[host+":"+port]; ok {
		address = other
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, failed(3, "URL using bad/illegal format or missing URL: %s", address)
	}
	ips, err := dialer.Lookup(connect, name)
	t.looked = time.Since(t.started)
	if err != nil {
		if connect.Err() != nil {
			return nil, failed(28, "Resolving timed out after %d milliseconds", t.looked.Milliseconds())
		}
		return nil, failed(6, "Could not resolve host: %s", host)
	}
	t.note("Host %s was resolved to %v", net.JoinHostPort(host, port), ips)
	c, err := dialer.DialContext(connect, "tcp", address)
	t.connected = time.Since(t.started)
	if err != nil {
		if connect.Err() != nil {
			return nil, failed(28, "Connection timed out after %d milliseconds", t.connected.Milliseconds())
		}
		return nil, failed(7, "Failed to connect to %s port %s after %d ms: %v", host, port, t.connected.Milliseconds(), err)
	}
	t.remote, t.local = c.RemoteAddr(), c.LocalAddr()
	t.note("Connected to %s (%s) port %s", host, ips[0], port)
	if u.Scheme == "https" {
		return t.secure(connect, c, host)
	}
	return c, nil
}

func (t *transfer) secure(ctx context.Context, c net.Conn, host string) (net.Conn, error) {
	config := &tls.Config{ServerName: host, InsecureSkipVerify: t.r.insecure} //nolint:gosec // -k asks for it
	config.NextProtos = []string{"http/1.1"}
	if t.r.http2 || t.r.prior {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	secured := tls.Client(c, config)
	err := secured.HandshakeContext(ctx)
	t.secured = time.Since(t.started)
	if err == nil {
		t.note("%s connection using %s", tls.VersionName(secured.ConnectionState().Version), tls.CipherSuiteName(secured.ConnectionState().CipherSuite))
		return secured, nil
	}
	_ = c.Close()
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) {
		return nil, failed(60, "SSL certificate problem: %v", err)
	}
	return nil, failed(35, "TLS connect error: %v", err)
}

// note is one of -v's remarks.
func (t *transfer) note(format string, args ...any) {
	if t.r.verbose {
		complain(t.stderr, "* "+format, args...)
	}
}
