package standin_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestAnIdleServiceIsSmall reports what a pod's process needs of its own; many
// of them share a learner's machine.
func TestAnIdleServiceIsSmall(t *testing.T) {
	c := newCluster(t)
	c.model("12st-mall", read(t, mall))
	p := c.process(c.spec("order", nil))
	p.send("POST", "/orders", `{"productId":1,"qty":1}`, 201)
	p.has("/myPages/1", `"orderId":1`)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	var private, pss int
	for line := range strings.Lines(string(data)) {
		var kb int
		name, rest, _ := strings.Cut(line, ":")
		if _, err := fmt.Sscan(strings.TrimSpace(rest), &kb); err != nil {
			continue
		}
		switch name {
		case "Private_Dirty", "Private_Clean":
			private += kb
		case "Pss":
			pss = kb
		}
	}
	t.Logf("private memory %d kB, Pss %d kB", private, pss)
	if private > 40<<10 && !raced {
		t.Errorf("a service's process has %d kB of its own, over 40 MB", private)
	}
}
