package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/simulate/answer"
)

// What users of kubectl, curl and git type without thinking works here, too.

// manifests is all that the example would apply, as one stream.
func manifests(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "kubernetes/template/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("manifests of %s: %v, %v", dir, files, err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(read(t, f) + "---\n")
	}
	return all.String()
}

func TestManifestsComeFromStandardInput(t *testing.T) {
	dir := exampleCopy(t)
	in := command{dir: t.TempDir(), stdin: manifests(t, dir)}
	write(t, "host: http://shop.example\ntests: [{request: GET /orders/1, to: order@stable}]\n", in.dir, "t.yaml")
	for _, args := range [][]string{
		{"route", "GET", "http://shop.example/orders/1", "-f", "-"},
		{"test", "--tests", "t.yaml", "-f", "-"},
		{"check", "-"},
		{"check", "-f", "-"},
		{"compare", "-", dir},
	} {
		if r := in.run(t, args...); r.code != 0 {
			t.Errorf("meshstorm %v: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	meshstorm(t, dir, 2, "test", "--init", "--coverage")
	empty := command{dir: in.dir}
	for _, args := range [][]string{{"route", "http://shop.example/", "-f", "-"}, {"check", "-"}, {"check", "--fix", "-"}, {"compare", "-", "-"}} {
		if r := empty.run(t, args...); r.code != 2 || r.stderr == "" {
			t.Errorf("meshstorm %v without input: exit code %d, stderr %q", args, r.code, r.stderr)
		}
	}
	faulty := command{dir: in.dir, stdin: "kind: VirtualService\n\tx: 1\n"}
	if r := faulty.run(t, "check", "-"); r.code != 1 || !strings.Contains(r.stdout, "stdin:2") {
		t.Errorf("a fault on stdin: exit code %d, %s", r.code, r.stdout)
	}
}

func TestRouteTakesRequestsAsCurlDoes(t *testing.T) {
	dir := exampleCopy(t)
	for _, args := range [][]string{
		{"shop.example/orders", "-X", "POST"},
		{"http://shop.example/orders", "-X", "post"},
		{"POST", "http://shop.example/orders", "-X", "POST"},
		{"POST", "http://192.0.2.1/orders", "-H", "Host: shop.example"},
	} {
		if a := ask(t, dir, args...); a.Request.Method != "POST" || a.Winner == nil || a.Winner.Rule != "writes" {
			t.Errorf("route %v: %+v %+v", args, a.Request, a.Winner)
		}
	}
	if a := ask(t, dir, "shop.example/orders/1"); a.Request.Method != "GET" || a.Outcome != answer.OutcomeRoute {
		t.Errorf("a URL alone: %+v", a.Request)
	}
	a := ask(t, dir, "GET", "http://shop.example/orders", "-f", "kubernetes/template/istio.yml,kubernetes/template/template.yml")
	if a.Outcome != answer.OutcomeRoute {
		t.Errorf("files with a comma: %+v", a)
	}
	for _, args := range [][]string{{"GET"}, {"POST", "http://a.example/", "-X", "PUT"}, {}} {
		meshstorm(t, dir, 2, append([]string{"route"}, args...)...)
	}
	r := meshstorm(t, dir, 2, "check", "-f", "https://shop.example/mesh.yaml")
	if !strings.Contains(r.stderr, "curl -s https://shop.example/mesh.yaml") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestRouteSendsKoreanAsBrowsersDo(t *testing.T) {
	dir := exampleCopy(t)
	a := ask(t, dir, "GET", "http://가게.example:80/주문/1?이름=값&x=%EA%B0%80 b")
	const want = "http://xn--o39akk.example:80/%EC%A3%BC%EB%AC%B8/1?%EC%9D%B4%EB%A6%84=%EA%B0%92&x=%EA%B0%80%20b"
	if a.Request.URL != want {
		t.Errorf("URL is %s, want %s", a.Request.URL, want)
	}
	text := meshstorm(t, dir, 0, "route", "http://shop.example/주문/1").stdout
	if !strings.Contains(text, "http://shop.example/주문/1") {
		t.Errorf("the text does not show the letters:\n%s", text)
	}
	meshstorm(t, dir, 2, "route", "http://-한.example/")
}

// Commands that the program prints can be pasted where the person is.
func TestPrintedCommandsCanBePasted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the lines are for a POSIX shell")
	}
	dir := exampleCopy(t)
	above := filepath.Dir(dir)
	spaced := filepath.Join(above, "내 가게")
	if err := os.Rename(dir, spaced); err != nil {
		t.Fatal(err)
	}
	write(t, "host: http://shop.example\ntests: [{request: GET /orders/1, to: nobody}]\n", spaced, "routes", "wrong.yaml")
	write(t, read(t, spaced, "routes", "wrong.yaml"), above, "t.yaml")
	git(t, spaced, "init", "-q")
	git(t, spaced, "add", ".")
	git(t, spaced, "commit", "-q", "-m", "a")
	edit(t, filepath.Join(spaced, "kubernetes/template/istio.yml"), "prefix: /myPages/", "prefix: /pages/")
	for _, args := range [][]string{
		{"test", "내 가게"},
		{"test", "-C", "내 가게"},
		{"test", "--tests", "t.yaml", "-f", "내 가게/kubernetes", "--profile", "default"},
		{"compare", "git:HEAD", "내 가게"},
		{"compare", "-C", "내 가게", "git:HEAD", "."},
		{"compare", "-C", "내 가게", "git:HEAD:kubernetes/template/istio.yml", "kubernetes/template/istio.yml"},
	} {
		r := meshstorm(t, above, 1, args...)
		lines := 0
		for line := range strings.Lines(r.stdout) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "see: ")
			if !strings.HasPrefix(line, "meshstorm route") {
				continue
			}
			lines++
			sh := exec.Command("sh", "-c", strings.Replace(line, "meshstorm", binary, 1))
			sh.Dir = above
			if out, err := sh.CombinedOutput(); err != nil {
				t.Errorf("meshstorm %v prints a line that fails: %s: %v\n%s", args, line, err, out)
			}
		}
		if lines == 0 {
			t.Errorf("meshstorm %v prints no line to paste:\n%s", args, r.stdout)
		}
	}
}

func TestCompareTakesAFileOfARevision(t *testing.T) {
	w := mall(t)
	file := "kubernetes/template/istio.yml"
	if r := comparison(t, w, 0, "git:HEAD", file); !r.Summary.Unchanged {
		t.Errorf("report: %+v", r.Summary)
	}
	edit(t, filepath.Join(w, file), "prefix: /myPages/", "prefix: /내페이지/")
	for _, old := range []string{"git:HEAD", "git:HEAD:" + file} {
		r := comparison(t, w, 1, old, file)
		if len(r.Differences) != 2 || r.Differences[0].Before.File != "git:HEAD:"+file {
			t.Errorf("compare %s: %+v", old, r.Differences)
		}
		// No URL is sent with these bytes, so there is no line to paste.
		if d := r.Differences[len(r.Differences)-1]; d.Command != "" || !strings.Contains(d.Request.URL, "내페이지") {
			t.Errorf("raw bytes: %+v", d)
		}
	}
}

func TestCompareTakesARevisionOfTheRepositoryThatItRunsIn(t *testing.T) {
	w := mall(t)
	elsewhere := exampleCopy(t)
	r := comparison(t, w, 0, "git:HEAD:kubernetes", filepath.Join(elsewhere, "kubernetes"))
	if !r.Summary.Unchanged {
		t.Errorf("report: %+v", r.Summary)
	}
	if r := meshstorm(t, w, 2, "compare", "git:HEAD", elsewhere); !strings.Contains(r.stderr, "in no git repository") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestCompletionKnowsWhatIsThere(t *testing.T) {
	dir := exampleCopy(t)
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"route ", []string{"GET", "POST"}},
		{"route GET ", []string{"http://order:8080/", "http://delivery:8080/"}},
		{"route -X POST ", []string{"http://order:8080/"}},
		{"route -o ", []string{"text", "json"}},
		{"test -o ", []string{"junit"}},
		{"check -o ", []string{"sarif"}},
		{"check --fail-on ", []string{"error", "warning", "info"}},
		{"compare --profile ", []string{"demo", "minimal"}},
		{"explain ", []string{"virtualservice/vsvc-order", "deployment/order"}},
	} {
		args := append([]string{"__complete"}, strings.Fields(tt.line)...)
		got := meshstorm(t, dir, 0, append(args, "")...).stdout
		for _, want := range tt.want {
			if !strings.Contains("\n"+got, "\n"+want+"\n") {
				t.Errorf("completion of %q lacks %s: %q", tt.line, want, got)
			}
		}
	}
}

func TestAGatewayIsAskedByTheNameThatPeopleGaveIt(t *testing.T) {
	dir := t.TempDir()
	write(t, `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: web}]
  rules: [{backendRefs: [{name: front, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: front}, ports: [{name: http, port: 80}]}
`, dir, "mesh.yaml")
	for _, from := range []string{"gateway", "gateway:web", "gateway:web.shop", "gateway:web-istio"} {
		if a := ask(t, dir, "http://shop.example/", "-f", "mesh.yaml", "--from", from); a.Proxy.Name != "web-istio" {
			t.Errorf("--from %s asks %+v", from, a.Proxy)
		}
	}
	r := meshstorm(t, dir, 0, "__complete", "route", "-f", "mesh.yaml", "--from", "")
	if n := strings.Count(r.stdout, "front.shop\n"); n != 1 {
		t.Errorf("completion names the service %d times: %q", n, r.stdout)
	}
	r = meshstorm(t, dir, 2, "explain", "vs", "web")
	if !strings.Contains(r.stderr, "vs/web") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestAFileThatIsNamedTwiceCountsOnce(t *testing.T) {
	dir := exampleCopy(t)
	r := meshstorm(t, dir, 0, "check", "kubernetes", "./kubernetes/template/istio.yml", "-f", "kubernetes/template")
	if strings.Contains(r.stdout, "MS0108") {
		t.Errorf("stdout: %s", r.stdout)
	}
}

func TestUnknownCommandsNameTheirNeighbour(t *testing.T) {
	if r := meshstorm(t, t.TempDir(), 2, "completion", "fsh"); !strings.Contains(r.stderr, "fish") {
		t.Errorf("stderr: %s", r.stderr)
	}
	if r := meshstorm(t, t.TempDir(), 0, "completion", "bash"); !strings.Contains(r.stdout, "__start_meshstorm") {
		t.Errorf("no script: %.200s", r.stdout)
	}
	r := meshstorm(t, t.TempDir(), 2, "rout", "GET", "http://a.example/")
	if !strings.Contains(r.stderr, "did you mean route?") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestAFullDiskIsNoSuccess(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	dir := exampleCopy(t)
	for _, args := range [][]string{
		{"route", "http://shop.example/orders"}, {"test"}, {"test", "--init"}, {"check"}, {"compare", ".", "."},
		{"explain", "vs/vsvc-order"}, {"generate", "--dry-run"}, {"version"}, {"--help"},
	} {
		cmd := exec.Command(binary, args...)
		cmd.Dir, cmd.Stdout = dir, full
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("meshstorm %v to a full disk: exit code %d, want 3", args, code)
		}
	}
}

func TestWaitingForInputCanBeInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals here")
	}
	dir := t.TempDir()
	for _, args := range [][]string{{"check", "-"}, {"route", "http://a.example/", "-f", "-"}, {"new", "w", "--from", "-"}} {
		cmd := exec.Command(binary, args...)
		cmd.Dir = dir
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: once it is written, the program is reading.
		if _, err := in.Write([]byte(strings.Repeat("# not yet\n", 50000))); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 {
			t.Errorf("meshstorm %v, interrupted: exit code %d, want 130", args, code)
		}
		if err := in.Close(); err != nil && !strings.Contains(err.Error(), "already closed") {
			t.Error(err)
		}
	}
}
