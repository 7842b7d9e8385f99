package studio_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/studio"
)

// stream is the page's EventSource.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (p *page) watch(id string) *stream {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.http.URL+studio.Prefix+"/workspaces/"+id+"/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		p.t.Fatalf("%d, Content-Type %q", resp.StatusCode, ct)
	}
	s := &stream{p.t, bufio.NewScanner(resp.Body)}
	if event, _ := s.next(); event != "ping" {
		p.t.Fatalf("the stream begins with %q", event)
	}
	return s
}

// next waits for an event; the test's own time limit is the limit.
func (s *stream) next() (event string, data studio.Changed) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			event = name
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(text), &data); err != nil {
				s.t.Fatal(err)
			}
		}
		if line == "" {
			return event, data
		}
	}
	return "", data
}

// until waits until these paths were told, in however many events.
func (s *stream) until(paths ...string) studio.Changed {
	s.t.Helper()
	for missing := slices.Clone(paths); ; {
		event, c := s.next()
		if event == "" {
			s.t.Fatalf("the stream ended; still waiting for %v", missing)
		}
		missing = slices.DeleteFunc(missing, func(p string) bool { return slices.Contains(c.Paths, p) })
		if len(missing) == 0 {
			return c
		}
	}
}

func TestChangesOfOtherProgramsAreTold(t *testing.T) {
	p := open(t)
	a, b := p.watch("mall"), p.watch("mall")
	p.write("mall/meshstorm.yaml", p.read("mall/meshstorm.yaml")+"# by an editor\n")
	for _, s := range []*stream{a, b} {
		c := s.until("meshstorm.yaml")
		if w, _ := get[studio.Workspace](p, "/workspaces/mall"); w.Revision != c.Revision {
			t.Errorf("told revision %s, now %s", c.Revision, w.Revision)
		}
	}
	// An editor that writes aside and renames.
	p.write("mall/kubernetes/template/.swap", "a: 1\n")
	if err := os.Rename(filepath.Join(p.root, "mall/kubernetes/template/.swap"), filepath.Join(p.root, "mall/kubernetes/template/extra.yml")); err != nil {
		t.Fatal(err)
	}
	a.until("kubernetes/template/extra.yml")
	// A folder that was not there.
	p.write("mall/kubernetes/new/deep/x.yaml", "a: 1\n")
	a.until("kubernetes/new/deep/x.yaml")
	p.write("mall/kubernetes/new/deep/x.yaml", "a: 2\n")
	a.until("kubernetes/new/deep/x.yaml")
	if err := os.RemoveAll(filepath.Join(p.root, "mall/kubernetes/new")); err != nil {
		t.Fatal(err)
	}
	a.until("kubernetes/new/deep/x.yaml")
}

func TestTheStudiosOwnChangesAreTold(t *testing.T) {
	p := open(t)
	s := p.watch("mall")
	_, tag := get[studio.Layout](p, "/workspaces/mall/layout")
	do[studio.Layout](p, 200, "PUT", "/workspaces/mall/layout", tag, studio.LayoutChange{Objects: map[string]canvas.Box{}})
	s.until(".meshstorm/layout.json")
	_, tag = get[studio.Graph](p, "/workspaces/mall/graph")
	do[studio.Graph](p, 200, "PUT", "/workspaces/mall/weights", tag, map[string]any{"virtualService": "default/vsvc-order", "weights": map[string]int{"stable": 80, "canary": 20}})
	s.until("kubernetes/template/istio.yml")
}

func TestACheckoutIsTold(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	p := open(t)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", filepath.Join(p.root, "mall"), "-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "one")
	p.write("mall/kubernetes/template/istio.yml", "# two\n")
	p.write("mall/routes/order.yaml", "# two\n")
	s := p.watch("mall")
	git("checkout", "-q", ".")
	s.until("kubernetes/template/istio.yml", "routes/order.yaml")
}

func TestAWorkspaceThatIsNotThereHasNoStream(t *testing.T) {
	p := open(t)
	if a := p.send("GET", "/workspaces/nothing/events", nil, nil); a.status != 404 || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestStreamsEndWithTheStudio(t *testing.T) {
	p := open(t)
	s := p.watch("mall")
	if err := p.server.Close(); err != nil {
		t.Fatal(err)
	}
	if event, _ := s.next(); event != "" {
		t.Errorf("after the end: %q", event)
	}
}
