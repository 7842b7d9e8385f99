package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// runningStudio is a studio that was started as people start one.
type runningStudio struct {
	env []string
	url string // opens it once
	cmd *exec.Cmd
}

func startStudio(t *testing.T, dir string, args ...string) *runningStudio {
	t.Helper()
	sockets, err := os.MkdirTemp("", "ms") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	s := &runningStudio{env: []string{"XDG_RUNTIME_DIR=" + sockets}, cmd: exec.Command(binary, append([]string{"studio"}, args...)...)}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, append(os.Environ(), s.env...), os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // does nothing where the test ended it
		_ = s.cmd.Wait()
		_ = os.RemoveAll(sockets)
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the studio printed no URL: %v", err)
	}
	s.url = strings.TrimSpace(line)
	return s
}

// signIn exchanges a one-time URL, as the page does, and asks for the workspaces.
func signIn(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	page, code, ok := strings.Cut(url, "#code=")
	if !ok {
		t.Fatalf("no code in %q", url)
	}
	base := page[:strings.Index(page[len("https://"):], "/")+len("https://")]
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/session", strings.NewReader(`{"code":"`+code+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	post.Header.Set("X-Meshstorm", "1")
	resp, err := client.Do(post)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("sign in: %s", resp.Status)
	}
	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/workspaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = client.Do(get); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func browser(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func TestTheStudioOpensOnceAndGivesFreshURLs(t *testing.T) {
	dir := exampleCopy(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	s := startStudio(t, dir, "--addr", busy.Addr().String())
	if strings.Contains(s.url, busy.Addr().String()+"/") || !strings.Contains(s.url, "/w/"+filepath.Base(dir)+"/model#code=") {
		t.Errorf("URL %s", s.url)
	}
	if list := signIn(t, browser(t, nil), s.url); !strings.Contains(list, `"services":["order","delivery","product"]`) {
		t.Errorf("workspaces: %s", list)
	}
	for _, args := range [][]string{{"studio", "--print-url"}, {"studio", "--print-url", "."}, {"studio"}} {
		r := command{dir: dir, env: s.env}.run(t, args...)
		if r.code != 0 || strings.Count(r.stdout, "\n") != 1 || r.stdout == s.url+"\n" {
			t.Fatalf("%v: %d %s%s", args, r.code, r.stdout, r.stderr)
		}
		signIn(t, browser(t, nil), strings.TrimSpace(r.stdout))
	}
	if runtime.GOOS == "windows" {
		return // no signals there
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("an interrupted studio: %v", err)
	}
	r := command{dir: dir, env: s.env}.run(t, "studio", "--print-url")
	if r.code != 1 || !strings.Contains(r.stderr, "`meshstorm studio` starts one") {
		t.Errorf("after the end: %d %s", r.code, r.stderr)
	}
}

func TestTheStudioIsForThisMachineUnlessItIsGuarded(t *testing.T) {
	dir := t.TempDir()
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	cert, key, pool := certificate(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--addr", "0.0.0.0:0"}, "needs --allow-remote"},
		{[]string{"--addr", ":0", "--allow-remote"}, "--password-file"},
		{[]string{"--addr", ":0", "--allow-remote", "--password-file", password}, "--tls-cert"},
		{[]string{"--addr", ":0", "--password-file", password, "--tls-cert", cert, "--tls-key", key}, "--allow-remote"},
		{[]string{"--addr", ":0", "--allow-remote", "--password-file", short, "--tls-cert", cert, "--tls-key", key}, "at least 12"},
		{[]string{"--tls-cert", cert}, "go together"},
		{[]string{"nowhere"}, "is no folder"},
		{[]string{"--print-url"}, "no studio runs"},
	} {
		r := command{dir: dir, env: env}.run(t, append([]string{"studio"}, c.args...)...)
		if r.code == 0 || r.code > 2 || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%v: %d %s", c.args, r.code, r.stderr)
		}
	}
	s := startStudio(t, dir, "--addr", "0.0.0.0:0", "--allow-remote", "--password-file", password, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://localhost:") {
		t.Fatalf("URL %s", s.url)
	}
	client := browser(t, &tls.Config{RootCAs: pool})
	if list := signIn(t, client, s.url); !strings.Contains(list, `"items":[]`) {
		t.Errorf("workspaces: %s", list)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url[:strings.LastIndex(s.url, "/")]+"/api/v1/workspaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a host name that the certificate does not have: %s", resp.Status)
	}
}

// certificate makes one for localhost, and the pool that trusts it.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}
