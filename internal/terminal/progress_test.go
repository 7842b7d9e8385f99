package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/printed"
)

// screen gives what a terminal shows after these bytes: the cursor goes up by
// lines, and what is below it is cleared.
func screen(t *testing.T, written string) []string {
	t.Helper()
	lines := []string{""}
	up := regexp.MustCompile("^\x1b\\[(\\d+)A\x1b\\[J")
	for _, part := range strings.SplitAfter(written, "\n") {
		if m := up.FindStringSubmatch(part); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil || n > len(lines)-1 {
				t.Fatalf("the cursor goes up %s of %d lines", m[1], len(lines)-1)
			}
			lines, part = append(lines[:len(lines)-1-n], ""), part[len(m[0]):]
		}
		lines[len(lines)-1] += strings.TrimSuffix(part, "\n")
		if strings.HasSuffix(part, "\n") {
			lines = append(lines, "")
		}
	}
	return lines[:len(lines)-1]
}

func TestProgressIsWrittenOver(t *testing.T) {
	var b bytes.Buffer
	p := &Progress{to: &b, Terminal: true, rows: 7, columns: 40, lines: map[cluster.ID]string{}}
	id := func(n int) cluster.ID {
		return cluster.ID{Kind: "ConfigMap", Namespace: "shop", Name: fmt.Sprintf("c%d", n)}
	}
	for n := range 5 {
		p.Event(cluster.Event{Stage: "settings", Object: id(n), State: "created"})
	}
	p.Event(cluster.Event{Stage: "settings", State: "waiting", Message: "for 1 to be ready"})
	p.Event(cluster.Event{Stage: "settings", Object: id(4), State: "ready", Message: "주문 서비스가 이제 요청을 받을 수 있습니다"})
	p.Event(cluster.Event{Stage: "settings", Object: id(3), State: "unchanged"})
	during := screen(t, b.String())
	p.Event(cluster.Event{Stage: "routes", Object: id(9), State: "created"})
	p.End()
	want := []string{"settings:", "  2 more, and", "  created    shop/configmap/c2", "  created    shop/configmap/c3", "  ready      shop/configmap/c4: 주문 …"}
	if waits := append(slices.Clone(want), "waiting for 1 to be ready"); !slices.Equal(during, waits) {
		t.Errorf("while it waits the terminal shows\n%s\nwant\n%s", strings.Join(during, "\n"), strings.Join(waits, "\n"))
	}
	want = append(want, "routes:", "  created    shop/configmap/c9")
	if got := screen(t, b.String()); !slices.Equal(got, want) {
		t.Errorf("in the end it shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestProgressAsJSONIsALineForEachEvent(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, func(string) string { return "" })
	p.JSON = true
	p.Event(cluster.Event{Stage: "routes", Object: cluster.ID{Kind: "VirtualService", Namespace: "shop", Name: "vsvc-order"}, State: "unchanged"})
	p.Event(cluster.Event{Stage: "routes", State: "waiting", Message: "for\nthe proxies"})
	p.End()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", b.String())
	}
	var e printed.ProgressEntry
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || e.Msg != printed.ProgressMessage || e.Stage != "routes" || e.Object != "shop/virtualservice/vsvc-order" || e.State != "unchanged" || e.Time.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
	e = printed.ProgressEntry{}
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || e.Text() != "waiting for\nthe proxies" {
		t.Errorf("%q, %v", e.Text(), err)
	}
}
