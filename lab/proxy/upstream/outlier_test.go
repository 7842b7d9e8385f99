package upstream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// reachable counts the hosts that are picked.
func reachable(t testing.TB, k *upstream.Cluster) int {
	found := map[*upstream.Host]bool{}
	for range 200 {
		found[pick(t, k)] = true
	}
	return len(found)
}

func TestOutlierDetection(t *testing.T) {
	reset := &upstream.Error{Kind: upstream.ErrReset}
	refused := &upstream.Error{Kind: upstream.ErrConnect}
	type result struct {
		status int
		err    error
	}
	times := func(n int, r result) []result {
		var all []result
		for range n {
			all = append(all, r)
		}
		return all
	}
	for _, c := range []struct {
		name, detection string
		results         []result // of one of 10 hosts
		ejected         bool
	}{
		{"5 times 500", `{}`, times(5, result{500, nil}), true},
		{"4 times 500", `{}`, times(4, result{500, nil}), false},
		{"a success in between", `{}`, append(times(4, result{500, nil}), append(times(1, result{200, nil}), times(4, result{500, nil})...)...), false},
		{"404 is the client's fault", `{}`, times(20, result{404, nil}), false},
		{"as many as Istio was told", `{"consecutive5xx":2,"enforcingConsecutive5xx":100}`, times(2, result{503, nil}), true},
		{"5xx turned off", `{"consecutive5xx":0,"enforcingConsecutive5xx":0}`, times(20, result{503, nil}), false},
		{"gateway failures", `{"consecutive5xx":0,"enforcingConsecutive5xx":0,"consecutiveGatewayFailure":3,"enforcingConsecutiveGatewayFailure":100}`, times(3, result{502, nil}), true},
		{"500 is no gateway failure", `{"consecutive5xx":0,"enforcingConsecutive5xx":0,"consecutiveGatewayFailure":3,"enforcingConsecutiveGatewayFailure":100}`, times(9, result{500, nil}), false},
		{"a connection that fails is a 503", `{}`, times(5, result{0, refused}), true},
		{"a reset is a 503", `{}`, times(5, result{0, reset}), true},
		{"a timeout is a 504", `{"consecutive5xx":0,"enforcingConsecutive5xx":0,"consecutiveGatewayFailure":5,"enforcingConsecutiveGatewayFailure":100}`, times(5, result{504, context.DeadlineExceeded}), true},
		{"an overflow is not the host's fault", `{}`, times(9, result{503, &upstream.Error{Kind: upstream.ErrOverflow}}), false},
		{"a client that went away is not", `{}`, times(9, result{0, context.Canceled}), false},
		{"local failures apart", `{"splitExternalLocalOriginErrors":true,"consecutiveLocalOriginFailure":3}`, times(3, result{0, refused}), true},
		{"apart, a 503 is no local failure", `{"splitExternalLocalOriginErrors":true,"consecutiveLocalOriginFailure":3}`, times(4, result{503, nil}), false},
		{"apart, a connection that is made ends the row", `{"splitExternalLocalOriginErrors":true,"consecutiveLocalOriginFailure":3}`,
			append(times(2, result{0, refused}), append(times(1, result{0, nil}), times(2, result{0, refused})...)...), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }}, `{"outlierDetection":`+c.detection+`}`, endpoints(addresses(10)...))
			h := pick(t, k)
			for _, r := range c.results {
				h.Result(r.status, r.err)
			}
			if n := reachable(t, k); (n == 9) != c.ejected || n < 9 {
				t.Errorf("%d of 10 hosts are left, want one ejected: %v", n, c.ejected)
			}
		})
	}
}

func TestEjectionTime(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }},
		`{"outlierDetection":{"interval":"10s","baseEjectionTime":"30s","consecutive5xx":1}}`, endpoints(addresses(10)...))
	h := pick(t, k)
	for round, stay := range []time.Duration{30 * time.Second, 60 * time.Second, 90 * time.Second} {
		h.Result(500, nil)
		if reachable(t, k) != 9 {
			t.Fatalf("round %d: not ejected", round)
		}
		now = now.Add(stay - time.Second)
		if reachable(t, k) != 9 {
			t.Fatalf("round %d: back before %s", round, stay)
		}
		now = now.Add(10 * time.Second) // the next interval, not the one after
		if reachable(t, k) != 10 {
			t.Fatalf("round %d: not back after %s", round, stay)
		}
	}
	now = now.Add(time.Hour) // good conduct brings the multiplier down again
	reachable(t, k)
	h.Result(500, nil)
	now = now.Add(41 * time.Second)
	if reachable(t, k) != 10 {
		t.Error("after an hour the first ejection's time should hold again")
	}
}

func TestMaxEjectionPercent(t *testing.T) {
	for percent, left := range map[string]int{"10": 9, "50": 5, "100": 0} {
		k, _ := cluster(t, upstream.Options{}, `{"commonLbConfig":{"healthyPanicThreshold":{}},"outlierDetection":{"consecutive5xx":1,"maxEjectionPercent":`+percent+`}}`, endpoints(addresses(10)...))
		var all []*upstream.Host
		for range 10 {
			all = append(all, pick(t, k))
		}
		for _, h := range all {
			h.Result(500, nil)
		}
		if left == 0 {
			if _, err := k.Pick(upstream.Choice{}); err == nil {
				t.Error("with 100 % all may be ejected")
			}
			continue
		}
		if n := reachable(t, k); n != left {
			t.Errorf("%s %%: %d hosts are left, want %d", percent, n, left)
		}
	}
	k, _ := cluster(t, upstream.Options{}, `{"outlierDetection":{"consecutive5xx":1}}`, endpoints(addresses(2)...))
	pick(t, k).Result(500, nil)
	if n := reachable(t, k); n != 2 {
		t.Errorf("one of two hosts is more than 10 %%, but %d are left", n)
	}
}

func TestEjectionsSurviveUpdates(t *testing.T) {
	k, all := cluster(t, upstream.Options{}, `{"outlierDetection":{"consecutive5xx":1,"maxEjectionPercent":50}}`, endpoints(addresses(4)...))
	pick(t, k).Result(500, nil)
	all.Update(snapshot(k.Proto(), endpoints(addresses(5)...)))
	if n := reachable(t, k); n != 4 {
		t.Errorf("%d of 5 hosts are picked, want 4: one is ejected", n)
	}
}

func TestSuccessRate(t *testing.T) {
	for _, c := range []struct {
		name, detection string
		left            int
	}{
		{"the one far below the others", `{"consecutive5xx":0,"interval":"10s","successRateStdevFactor":1000}`, 9},
		{"turned off, as Istio does", `{"consecutive5xx":0,"interval":"10s","successRateStdevFactor":1000,"enforcingSuccessRate":0}`, 10},
		{"too few requests", `{"consecutive5xx":0,"interval":"10s","successRateStdevFactor":1000,"successRateRequestVolume":101}`, 10},
		{"a failure percentage", `{"consecutive5xx":0,"interval":"10s","enforcingSuccessRate":0,"enforcingFailurePercentage":100,"failurePercentageThreshold":50}`, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }}, fmt.Sprintf(`{"outlierDetection":%s}`, c.detection), endpoints(addresses(10)...))
			for i := range 10 {
				h := pick(t, k)
				for range 100 {
					h.Result(map[bool]int{true: 500, false: 200}[i == 0], nil)
				}
			}
			now = now.Add(11 * time.Second)
			if n := reachable(t, k); n != c.left {
				t.Errorf("%d hosts are left, want %d", n, c.left)
			}
		})
	}
}

func TestEjectionLimits(t *testing.T) {
	for _, c := range []struct {
		name, detection string
		hosts           int
		back            time.Duration // after the third ejection in a row, at the interval
		longer          bool
	}{
		{"no longer than the longest", `"maxEjectionTime":"40s"`, 10, 50 * time.Second, false},
		{"with jitter", `"maxEjectionTime":"40s","maxEjectionTimeJitter":"1000s"`, 10, 50 * time.Second, true},
		{"one host in any case", `"maxEjectionTime":"40s","maxEjectionPercent":10,"alwaysEjectOneHost":true`, 2, 50 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			random := uint64(0)
			k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }, Random: func() uint64 { return random }},
				`{"outlierDetection":{"interval":"10s","baseEjectionTime":"30s","consecutive5xx":1,`+c.detection+`}}`, endpoints(addresses(c.hosts)...))
			h := pick(t, k)
			for range 2 {
				h.Result(500, nil)
				if n := reachable(t, k); n != c.hosts-1 {
					t.Fatalf("%d hosts are left", n)
				}
				for reachable(t, k) != c.hosts {
					now = now.Add(10 * time.Second)
				}
			}
			if c.longer {
				random = uint64(500 * time.Second)
			}
			h.Result(500, nil)
			now = now.Add(c.back)
			if back := reachable(t, k) == c.hosts; back == c.longer {
				t.Errorf("after %s the host is back: %t", c.back, back)
			}
		})
	}
}
