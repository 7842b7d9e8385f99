package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// addresses are pods that nobody dials.
func addresses(n int) []netip.AddrPort {
	all := make([]netip.AddrPort, n)
	for i := range all {
		all[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, byte(i / 250), byte(2 + i%250)}), 8080)
	}
	return all
}

// group is one locality; each endpoint is "weight" or "weight HEALTH".
type group struct {
	priority, weight uint32
	endpoints        []member
}

type member struct {
	weight uint32
	health corev3.HealthStatus
}

func load(groups ...group) *endpointv3.ClusterLoadAssignment {
	all, next := addresses(100), 0
	cla := &endpointv3.ClusterLoadAssignment{ClusterName: "c"}
	for i, g := range groups {
		l := &endpointv3.LocalityLbEndpoints{Priority: g.priority, Locality: &corev3.Locality{Zone: fmt.Sprint(i)}}
		if g.weight > 0 {
			l.LoadBalancingWeight = wrapperspb.UInt32(g.weight)
		}
		for _, m := range g.endpoints {
			e := lbEndpoint(all[next], m.weight)
			e.HealthStatus = m.health
			l.LbEndpoints = append(l.LbEndpoints, e)
			next++
		}
		cla.Endpoints = append(cla.Endpoints, l)
	}
	return cla
}

const (
	up   = corev3.HealthStatus_HEALTHY
	half = corev3.HealthStatus_DEGRADED
	down = corev3.HealthStatus_UNHEALTHY
)

func seeded() func() uint64 { return rand.New(rand.NewPCG(1, 2)).Uint64 }

func TestDistribution(t *testing.T) {
	const picks = 10_000
	two := []member{{1, up}, {1, up}}
	for _, c := range []struct {
		name, cluster string
		load          *endpointv3.ClusterLoadAssignment
		want          []float64 // shares by endpoint
	}{
		{"round robin", `{}`, load(group{0, 1, []member{{1, up}, {1, up}, {1, up}, {1, up}}}), []float64{.25, .25, .25, .25}},
		{"round robin by weight", `{}`, load(group{0, 1, []member{{1, up}, {3, up}, {6, up}}}), []float64{.1, .3, .6}},
		{"least request of idle hosts", `{"lbPolicy":"LEAST_REQUEST"}`, load(group{0, 1, two}), []float64{.5, .5}},
		{"least request by weight", `{"lbPolicy":"LEAST_REQUEST"}`, load(group{0, 1, []member{{1, up}, {9, up}}}), []float64{.1, .9}},
		{"random", `{"lbPolicy":"RANDOM"}`, load(group{0, 1, two}), []float64{.5, .5}},
		{"an unhealthy host gets nothing", `{}`, load(group{0, 1, []member{{1, up}, {1, down}, {1, up}}}), []float64{.5, 0, .5}},
		{"a draining host gets nothing", `{}`, load(group{0, 1, []member{{1, up}, {1, corev3.HealthStatus_DRAINING}, {1, up}}}), []float64{.5, 0, .5}},
		{"panic below 50 % healthy", `{}`, load(group{0, 1, []member{{1, up}, {1, down}, {1, down}, {1, down}}}), []float64{.25, .25, .25, .25}},
		{"no panic with Istio's threshold of 0", `{"commonLbConfig":{"healthyPanicThreshold":{}}}`, load(group{0, 1, []member{{1, up}, {1, down}, {1, down}, {1, down}}}), []float64{1, 0, 0, 0}},
		{"the first priority while it is healthy", `{}`, load(group{0, 1, two}, group{1, 1, two}), []float64{.5, .5, 0, 0}},
		{"71 % healthy is enough with 140 %", `{}`, load(group{0, 1, []member{{1, up}, {1, up}, {1, up}, {1, down}}}, group{1, 1, two}), []float64{1. / 3, 1. / 3, 1. / 3, 0, 0, 0}},
		{"half healthy: 70 % stay, 30 % fail over", `{}`, load(group{0, 1, []member{{1, up}, {1, down}}}, group{1, 1, two}), []float64{.7, 0, .15, .15}},
		{"a priority without hosts is passed over", `{}`, load(group{0, 1, nil}, group{1, 1, two}), []float64{.5, .5}},
		{"degraded hosts take what healthy ones cannot", `{}`, load(group{0, 1, []member{{1, up}, {1, half}}}), []float64{.7, .3}},
		{"localities without weights are one", `{}`, load(group{0, 1, []member{{1, up}}}, group{0, 9, []member{{1, up}, {1, up}, {1, up}}}), []float64{.25, .25, .25, .25}},
		{"localities by weight", `{"commonLbConfig":{"localityWeightedLbConfig":{}}}`, load(group{0, 80, two}, group{0, 20, []member{{1, up}}}), []float64{.4, .4, .2}},
		{"a locality's health scales its weight", `{"commonLbConfig":{"localityWeightedLbConfig":{}}}`,
			load(group{0, 50, []member{{1, up}, {1, down}}}, group{0, 50, two}), []float64{.7 / 1.7, 0, .5 / 1.7, .5 / 1.7}},
		{"an extension's policy counts instead of lb_policy", `{"lbPolicy":"RANDOM","loadBalancingPolicy":{"policies":[{"typedExtensionConfig":{"name":"envoy.load_balancing_policies.round_robin","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin"}}}]}}`,
			load(group{0, 1, []member{{1, up}, {3, up}}}), []float64{.25, .75}},
		{"an extension's least request over all hosts", extension("least_request", "LeastRequest", `"selectionMethod":"FULL_SCAN","choiceCount":3`), load(group{0, 1, two}), []float64{.5, .5}},
		{"an extension's random with localities by weight", extension("random", "Random", `"localityLbConfig":{"localityWeightedLbConfig":{}}`), load(group{0, 80, two}, group{0, 20, []member{{1, up}}}), []float64{.4, .4, .2}},
		{"an extension's ring by weight", extension("ring_hash", "RingHash", `"minimumRingSize":"65536"`), load(group{0, 1, []member{{1, up}, {1, up}}}), []float64{.5, .5}},
		{"half of the overprovisioning", `{}`, overprovisioned(70, load(group{0, 1, two}, group{1, 1, two})), []float64{.35, .35, .15, .15}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{Random: seeded()}, c.cluster, c.load)
			got := map[netip.AddrPort]int{}
			for range picks {
				got[pick(t, k).Address()]++
			}
			for i, at := range addresses(len(c.want)) {
				sigma := math.Sqrt(picks * c.want[i] * (1 - c.want[i]))
				if d := math.Abs(float64(got[at]) - picks*c.want[i]); d > 3*sigma+1 {
					t.Errorf("host %d was picked %d times, want %.0f", i, got[at], picks*c.want[i])
				}
			}
		})
	}
}

func extension(folder, name, fields string) string {
	return `{"loadBalancingPolicy":{"policies":[{"typedExtensionConfig":{"name":"x","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.load_balancing_policies.` + folder + `.v3.` + name + `",` + fields + `}}}]}}`
}

func overprovisioned(percent uint32, l *endpointv3.ClusterLoadAssignment) *endpointv3.ClusterLoadAssignment {
	l.Policy = &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: wrapperspb.UInt32(percent)}
	return l
}

// What stands for a host on a ring is its address, its name or its hash_key:
// hosts that move keep their requests by the latter.
func TestHashKeys(t *testing.T) {
	for _, c := range []struct {
		name, cluster string
		change        func(i int, e *endpointv3.LbEndpoint)
		same          bool
	}{
		{"the address", `{"lbPolicy":"RING_HASH"}`, func(int, *endpointv3.LbEndpoint) {}, false},
		{"the name", `{"lbPolicy":"RING_HASH","commonLbConfig":{"consistentHashingLbConfig":{"useHostnameForHashing":true}}}`, func(i int, e *endpointv3.LbEndpoint) { e.GetEndpoint().Hostname = fmt.Sprint("order-", i) }, true},
		{"the name, by an extension", extension("maglev", "Maglev", `"tableSize":"1021","consistentHashingLbConfig":{"useHostnameForHashing":true}`), func(i int, e *endpointv3.LbEndpoint) { e.GetEndpoint().Hostname = fmt.Sprint("order-", i) }, true},
		{"the hash_key", `{"lbPolicy":"MAGLEV"}`, func(i int, e *endpointv3.LbEndpoint) {
			e.Metadata = config(t, fmt.Sprintf(`{"metadata":{"filterMetadata":{"envoy.lb":{"hash_key":"order-%d"}}}}`, i)).Metadata
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := func(first int) []int {
				all := addresses(20)[first : first+5]
				l := endpoints(all...)
				for i, e := range l.Endpoints[0].LbEndpoints {
					c.change(i, e)
				}
				k, _ := cluster(t, upstream.Options{}, c.cluster, l)
				var got []int
				for i := range 100 {
					h, err := k.Pick(upstream.Choice{HasHash: true, Hash: uint64(i) * 0x9e3779b97f4a7c15})
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, slices.Index(all, h.Address()))
				}
				return got
			}
			if same := slices.Equal(where(0), where(10)); same != c.same {
				t.Errorf("hosts with other addresses have the same requests: %t, want %t", same, c.same)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ name, cluster, want string }{
		{"a ring that is larger than it may be", `{"lbPolicy":"RING_HASH","ringHashLbConfig":{"minimumRingSize":"10","maximumRingSize":"5"}}`, "ring hash: minimum_ring_size (10) > maximum_ring_size (5)"},
		{"a table whose size is no prime", `{"lbPolicy":"MAGLEV","maglevLbConfig":{"tableSize":"1000"}}`, "maglev: the table's size 1000 is not a prime number"},
		{"a good cluster", `{"lbPolicy":"MAGLEV"}`, ""},
	} {
		got := ""
		if err := upstream.Check(config(t, c.cluster)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// One of two hosts is busy with requests that do not end.
func TestLeastRequest(t *testing.T) {
	for _, c := range []struct {
		name, cluster string
		least, most   int // of 1000, for the busy host
	}{
		{"two choices", `{"lbPolicy":"LEAST_REQUEST"}`, 200, 300},
		{"many choices find the idle host", `{"lbPolicy":"LEAST_REQUEST","leastRequestLbConfig":{"choiceCount":20}}`, 0, 3},
		{"all are looked at", extension("least_request", "LeastRequest", `"selectionMethod":"FULL_SCAN"`), 0, 0},
		{"with weights a busy host counts less", `{"lbPolicy":"LEAST_REQUEST"}`, 60, 400},
		{"a bias of 0 counts weights only", `{"lbPolicy":"LEAST_REQUEST","leastRequestLbConfig":{"activeRequestBias":{"defaultValue":0,"runtimeKey":"k"}}}`, 600, 700},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, arrived, release := held(t)
			defer close(release)
			load := endpoints(at, addresses(1)[0])
			if strings.Contains(c.name, "weights") {
				load.Endpoints[0].LbEndpoints[0].LoadBalancingWeight = wrapperspb.UInt32(2)
			}
			k, _ := cluster(t, upstream.Options{Random: locked(seeded())}, c.cluster, load)
			busy := pick(t, k)
			for busy.Address() != at {
				busy = pick(t, k)
			}
			for range 4 {
				go func() { _, _ = k.Do(context.Background(), busy, request(t, "GET", "/", nil)) }()
				<-arrived
			}
			n := 0
			for range 1000 {
				if pick(t, k) == busy {
					n++
				}
			}
			if n < c.least || n > c.most {
				t.Errorf("the busy host was picked %d times, want %d to %d", n, c.least, c.most)
			}
		})
	}
}

func locked(random func() uint64) func() uint64 {
	var mu sync.Mutex
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return random()
	}
}

func TestNoHealthyHost(t *testing.T) {
	for name, l := range map[string]*endpointv3.ClusterLoadAssignment{
		"no assignment": nil, "an empty one": load(), "an empty subset": load(group{0, 1, nil}),
		"only unhealthy hosts without panic": load(group{0, 1, []member{{1, down}}}),
	} {
		k, _ := cluster(t, upstream.Options{}, `{"commonLbConfig":{"healthyPanicThreshold":{}}}`, l)
		if h, err := k.Pick(upstream.Choice{}); !errors.Is(err, upstream.ErrNoHealthyHost) || err.Error() != "no healthy upstream" {
			t.Errorf("%s: got %v, %v", name, h, err)
		}
	}
}

var hashing = []string{`{"lbPolicy":"RING_HASH"}`, `{"lbPolicy":"RING_HASH","ringHashLbConfig":{"hashFunction":"MURMUR_HASH_2","minimumRingSize":"4096"}}`, `{"lbPolicy":"MAGLEV"}`, `{"lbPolicy":"MAGLEV","maglevLbConfig":{"tableSize":"1021"}}`}

// Of 10 hosts one goes: of what it did not have, nearly all stays where it was.
// Not all: a ring of a given size has more points for each of fewer hosts.
func TestHashStability(t *testing.T) {
	const keys = 10_000
	for _, text := range hashing {
		k, all := cluster(t, upstream.Options{}, text, endpoints(addresses(10)...))
		spread := rand.New(rand.NewPCG(3, 4))
		hashes := make([]uint64, keys)
		before := make([]*upstream.Host, keys)
		count := map[*upstream.Host]int{}
		for i := range hashes {
			hashes[i] = spread.Uint64()
			before[i], _ = k.Pick(upstream.Choice{Hash: hashes[i], HasHash: true})
			count[before[i]]++
		}
		for h, n := range count {
			if n < keys/30 || n > keys*3/10 {
				t.Errorf("%s: %s has %d of %d", text, h.Address(), n, keys)
			}
		}
		gone := addresses(10)[3]
		all.Update(snapshot(k.Proto(), endpoints(append(addresses(10)[:3:3], addresses(10)[4:]...)...)))
		moved := 0
		for i := range hashes {
			after, err := k.Pick(upstream.Choice{Hash: hashes[i], HasHash: true})
			if err != nil {
				t.Fatal(err)
			}
			if after.Address() == gone {
				t.Fatalf("%s: a host that is gone was picked", text)
			}
			if before[i].Address() != gone && after != before[i] {
				moved++
			}
		}
		if moved > keys/5 {
			t.Errorf("%s: %d of %d moved", text, moved, keys)
		}
	}
}

func TestHashesFollowWeights(t *testing.T) {
	for _, text := range hashing {
		k, _ := cluster(t, upstream.Options{}, text, load(group{0, 1, []member{{1, up}, {3, up}}}))
		spread, second := rand.New(rand.NewPCG(5, 6)), 0
		for range 10_000 {
			if h, _ := k.Pick(upstream.Choice{Hash: spread.Uint64(), HasHash: true}); h.Address() == addresses(2)[1] {
				second++
			}
		}
		if second < 6800 || second > 8200 {
			t.Errorf("%s: weights 1:3 gave the second %d of 10000", text, second)
		}
	}
}

func TestAvoidance(t *testing.T) {
	for _, text := range append([]string{`{}`, `{"lbPolicy":"LEAST_REQUEST"}`, `{"lbPolicy":"RANDOM"}`}, hashing...) {
		k, _ := cluster(t, upstream.Options{Random: seeded()}, text, endpoints(addresses(3)...))
		first := pick(t, k)
		asked := 0
		choice := upstream.Choice{HasHash: true, Hash: 7, Tries: 50, Avoid: func(h *upstream.Host) bool { return h == first }}
		if h, err := k.Pick(choice); err != nil || h == first {
			t.Errorf("%s: the host that was avoided was picked (%v)", text, err)
		}
		choice = upstream.Choice{HasHash: true, Hash: 7, Tries: 3, Avoid: func(*upstream.Host) bool { asked++; return true }}
		if h, err := k.Pick(choice); err != nil || h == nil || asked != 3 {
			t.Errorf("%s: with every host avoided got %v, %v after %d questions, want the last host after 3", text, h, err, asked)
		}
	}
}

func TestSlowStart(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	clock := func() time.Time { return now }
	for _, policy := range []string{"ROUND_ROBIN", "LEAST_REQUEST"} {
		key := map[string]string{"ROUND_ROBIN": "roundRobinLbConfig", "LEAST_REQUEST": "leastRequestLbConfig"}[policy]
		k, all := cluster(t, upstream.Options{Now: clock, Random: seeded()},
			`{"lbPolicy":"`+policy+`","`+key+`":{"slowStartConfig":{"slowStartWindow":"100s","minWeightPercent":{"value":10}}}}`, endpoints(addresses(1)...))
		now = now.Add(time.Hour)
		all.Update(snapshot(k.Proto(), endpoints(addresses(2)...)))
		for _, step := range []struct {
			after time.Duration
			want  float64 // of the new host
		}{{time.Second, .1 / 1.1}, {49 * time.Second, .5 / 1.5}, {60 * time.Second, .5}} {
			now = now.Add(step.after)
			for range 50 { // what was scheduled with the old weight
				pick(t, k)
			}
			fresh := 0
			for range 10_000 {
				if pick(t, k).Address() == addresses(2)[1] {
					fresh++
				}
			}
			if math.Abs(float64(fresh)-10_000*step.want) > 160 {
				t.Errorf("%s after %s: the new host got %d of 10000, want %.0f", policy, step.after, fresh, 10_000*step.want)
			}
		}
	}
}
