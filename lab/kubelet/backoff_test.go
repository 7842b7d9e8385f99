package kubelet

import (
	"testing"
	"time"
)

func TestBackOff(t *testing.T) {
	b := BackOff{}.orDefault()
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		runs []time.Duration // how long each run lasts
		want []time.Duration // the wait after each
	}{
		{"the first restart is at once, then 10 s doubling to 5 min",
			make([]time.Duration, 8), []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second}},
		{"a run of more than 10 min starts anew",
			[]time.Duration{0, 0, 0, 11 * time.Minute, 0}, []time.Duration{0, 10 * time.Second, 20 * time.Second, 0, 10 * time.Second}},
		{"a run of 9 min does not",
			[]time.Duration{0, 0, 9 * time.Minute}, []time.Duration{0, 10 * time.Second, 20 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w wait
			now := begin
			for i, run := range c.runs {
				now = now.Add(run)
				until := w.until(b, now)
				if got := until.Sub(now); got != c.want[i] {
					t.Fatalf("after run %d: wait of %s, want %s", i+1, got, c.want[i])
				}
				w.tried(b, now, until)
				now = until
			}
		})
	}
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		name             string
		success, failure int
		results, reached string // one letter for each probe: + or -, and what is then reported, or .
	}{
		{"each counts with thresholds of one", 1, 1, "+-+", "+-+"},
		{"three failures in a row are one failure", 1, 3, "--+--+---", "..+..+..-"},
		{"two successes in a row are one success", 2, 1, "+-++", ".-.+"},
	} {
		t.Run(c.name, func(t *testing.T) {
			th := threshold{success: c.success, failure: c.failure}
			got := ""
			for _, r := range c.results {
				switch {
				case !th.add(r == '+'):
					got += "."
				case th.state:
					got += "+"
				default:
					got += "-"
				}
			}
			if got != c.reached {
				t.Errorf("%s gives %s, want %s", c.results, got, c.reached)
			}
		})
	}
}
