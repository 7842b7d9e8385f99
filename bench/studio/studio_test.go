// Package studio_test measures the studio's page and server as people meet
// them: the built program, a real Chromium with software rendering, and big
// workspaces.
//
//	MESHSTORM_BIN=$PWD/bin/meshstorm go test ./bench/studio -run '^$' -bench . -benchtime 1x
package studio_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }

// mall makes a workspace of so many contexts in the studio's folder.
func mall(b *testing.B, s *browser.Studio, name string, contexts int) {
	b.Helper()
	model := filepath.Join(b.TempDir(), "storm.json")
	if err := os.WriteFile(model, stormtest.Mall(contexts), 0o644); err != nil {
		b.Fatal(err)
	}
	s.Meshstorm("new", name, "--from", model)
	s.Meshstorm("generate", name)
}

// frames counts the frames of two seconds while the view is dragged, or zoomed,
// to and fro: frames per second, boxes on the page on average, and how many
// views there were.
const frames = `new Promise((done) => {
	const pane = document.querySelector('.react-flow__pane'), r = pane.getBoundingClientRect();
	const x = r.x + r.width * 0.6, y = r.y + r.height * 0.8;
	const mouse = (type, target, dx, dy) => target.dispatchEvent(new MouseEvent(type, {bubbles: true, cancelable: true, view: window, button: 0, buttons: type === 'mouseup' ? 0 : 1, clientX: x + dx, clientY: y + dy}));
	const zooming = %v;
	if (!zooming) mouse('mousedown', pane, 0, 0);
	const where = () => getComputedStyle(document.querySelector('.react-flow__viewport')).transform;
	const seen = new Set();
	let boxes = 0;
	let n = 0, begin;
	const step = (now) => {
		begin ??= now;
		if (now - begin > 2000) {
			if (!zooming) mouse('mouseup', window, 0, 0);
			done([n * 1000 / (now - begin), boxes / n, seen.size]);
			return;
		}
		n++;
		seen.add(where());
		boxes += document.querySelectorAll('.react-flow__node').length;
		const angle = (now - begin) / 2000 * 2 * Math.PI;
		if (zooming) pane.dispatchEvent(new WheelEvent('wheel', {bubbles: true, cancelable: true, view: window, clientX: x, clientY: y, deltaY: 18 * Math.sign(Math.cos(2 * angle))}));
		else mouse('mousemove', window, 600 * Math.sin(angle), 350 * Math.sin(2 * angle));
		requestAnimationFrame(step);
	};
	requestAnimationFrame(step);
})`

// zoomTo brings the view to a scale, around a box of the graph.
const zoomTo = `(() => {
	const pane = document.querySelector('.react-flow__pane'), r = pane.getBoundingClientRect();
	const scale = new DOMMatrix(getComputedStyle(document.querySelector('.react-flow__viewport')).transform).a;
	pane.dispatchEvent(new WheelEvent('wheel', {bubbles: true, cancelable: true, view: window, clientX: r.x + (208 + r.width) / 2, clientY: r.y + r.height * 0.5, deltaY: -Math.log2(%v / scale) / 0.002}));
	return true;
})()`

const drawn = `(document.querySelector('.react-flow__node') || document.querySelector('.overview')) !== null`

// BenchmarkFrames drags and zooms the deploy graph at reading zoom, and as a
// whole.
func BenchmarkFrames(b *testing.B) {
	for _, contexts := range []int{50, 200, 600} {
		b.Run(fmt.Sprintf("%d-contexts", contexts), func(b *testing.B) {
			s := browser.Start(b)
			mall(b, s, "big", contexts)
			p := s.Open(b, "en-US")
			p.Goto("/w/big/deploy")
			p.Until(drawn)
			p.Settle()
			var all, reading, zoomed, boxes []float64
			move := func(zooming bool) (fps, boxes float64) {
				got := browser.Eval[[]float64](p, fmt.Sprintf(frames, zooming))
				if got[2] < 10 {
					b.Fatalf("the view hardly moved: %v", got)
				}
				return got[0], got[1]
			}
			for b.Loop() {
				p.Click("button", "Show all")
				p.Settle()
				fps, _ := move(false)
				all = append(all, fps)
				p.Shot("all")
				p.Click("button", "Show all")
				p.Settle()
				browser.Eval[bool](p, fmt.Sprintf(zoomTo, 0.8))
				p.Settle()
				p.Shot("reading")
				fps, seen := move(false)
				reading, boxes = append(reading, fps), append(boxes, seen)
				fps, _ = move(true)
				zoomed = append(zoomed, fps)
			}
			b.ReportMetric(best(boxes), "boxes-seen")
			b.ReportMetric(best(all), "fps-all")
			b.ReportMetric(best(reading), "fps-reading")
			b.ReportMetric(best(zoomed), "fps-zooming")
			b.ReportMetric(browser.Eval[float64](p, `fetch('/api/v1/workspaces/big/graph').then((r) => r.json()).then((g) => g.nodes.filter((n) => n.layer === 'routing' && n.kind !== 'DestinationRule').length)`), "nodes")
		})
	}
}

// best is what a machine that does other things, too, can do.
func best(runs []float64) float64 { return slices.Max(runs) }

// BenchmarkFirstPaint opens the screens of 50 contexts in a tab that knows
// nothing of the page yet.
func BenchmarkFirstPaint(b *testing.B) {
	for _, screen := range []string{"model", "deploy", "code"} {
		b.Run(screen, func(b *testing.B) {
			s := browser.Start(b)
			mall(b, s, "big", 50)
			var took []float64
			for b.Loop() {
				p := s.Open(b, "en-US")
				p.Goto("/w/big/" + screen)
				p.Until(`document.querySelector('.react-flow__node, .overview, .tree button') !== null`)
				took = append(took, browser.Eval[float64](p, `new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))`))
			}
			b.ReportMetric(slices.Min(took), "ms-first-paint")
		})
	}
}

// BenchmarkKeystroke changes a file of a hundred contexts and waits for the
// graph and the findings, as the page does after a key.
func BenchmarkKeystroke(b *testing.B) {
	s := browser.Start(b)
	mall(b, s, "big", 100)
	p := s.Open(b, "en-US")
	p.Goto("/w/big/code")
	p.Until(`document.querySelector('.tree button') !== null`)
	const change = `(async () => {
		const base = '/api/v1/workspaces/big', path = base + '/files/kubernetes/template/istio.yml';
		await (await fetch(base + '/findings')).json();
		const file = await fetch(path), {text} = await file.json();
		const body = JSON.stringify({text: text.replace(/timeout: \d+s|hosts:/, (was) => was === 'hosts:' ? 'hosts: ' : 'timeout: ' + (parseInt(was.slice(9)) + 1) + 's')});
		const begin = performance.now();
		await fetch(path, {method: 'PUT', headers: {'Content-Type': 'application/json', 'X-Meshstorm': '1', 'If-Match': file.headers.get('ETag')}, body});
		const saved = performance.now();
		await (await fetch(base + '/findings')).json();
		const found = performance.now();
		await (await fetch(base + '/graph')).json();
		return [saved - begin, found - saved, performance.now() - found];
	})()`
	var save, find, graph []float64
	for b.Loop() {
		for range 5 {
			took := browser.Eval[[]float64](p, change)
			save, find, graph = append(save, took[0]), append(find, took[1]), append(graph, took[2])
		}
	}
	b.ReportMetric(slices.Min(save), "ms-save")
	b.ReportMetric(slices.Min(find), "ms-findings")
	b.ReportMetric(slices.Min(graph), "ms-graph")
}

// BenchmarkMemory has ten workspaces open, and compares with what `meshstorm
// check` needs for one of them.
func BenchmarkMemory(b *testing.B) {
	s := browser.Start(b)
	for i := range 10 {
		mall(b, s, fmt.Sprintf("w%d", i), 20)
	}
	p := s.Open(b, "en-US")
	for b.Loop() {
		for i := range 10 {
			p.Goto(fmt.Sprintf("/w/w%d/deploy", i))
			p.Until(drawn)
			browser.Eval[bool](p, fmt.Sprintf(`fetch('/api/v1/workspaces/w%d/findings').then((r) => r.ok)`, i))
		}
	}
	check := exec.Command(os.Getenv("MESHSTORM_BIN"), "check", "w0")
	check.Dir = s.Root
	_ = check.Run() // findings are no matter here
	cli := float64(check.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	server := resident(b, s.Base)
	b.ReportMetric(server, "MB-server")
	b.ReportMetric(cli, "MB-cli")
	b.ReportMetric(server-cli, "MB-above-cli")
}

// resident is the memory, in MB, of the process that serves an address.
func resident(b *testing.B, base string) float64 {
	b.Helper()
	pids, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range pids {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), "studio") || !strings.HasPrefix(string(line), os.Getenv("MESHSTORM_BIN")) {
			continue
		}
		cwd, _ := os.Readlink(filepath.Dir(path) + "/cwd")
		if !strings.Contains(cwd, b.Name()) {
			continue
		}
		status, err := os.ReadFile(filepath.Dir(path) + "/status")
		if err != nil {
			b.Fatal(err)
		}
		_, after, _ := strings.Cut(string(status), "VmRSS:")
		kb, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
		if err != nil {
			b.Fatal(err)
		}
		return kb / 1024
	}
	b.Skipf("no process that serves %s is seen; this needs Linux", base)
	return 0
}
