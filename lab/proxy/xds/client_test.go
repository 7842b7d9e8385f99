package xds_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// both runs a test with either protocol.
func both(t *testing.T, test func(t *testing.T, delta bool)) {
	t.Run("delta", func(t *testing.T) { test(t, true) })
	t.Run("state of the world", func(t *testing.T) { test(t, false) })
}

func protocol(delta bool) func(*xds.Options) { return func(o *xds.Options) { o.Delta = delta } }

// first brings a client up with one listener that leads to one cluster.
func first(t *testing.T, s *istiod, c *client) (*stream, *xds.Snapshot) {
	t.Helper()
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(edsCluster("a")))
	st.expect(xds.EndpointType)
	st.answer(xds.EndpointType, list(endpointsOf("a", 1)))
	st.expect(xds.ListenerType)
	st.answer(xds.ListenerType, list(listener(t, "l")))
	st.expect(xds.RouteType)
	st.answer(xds.RouteType, list(routesOf("l", "a")))
	return st, c.any()
}

func TestAConfigurationComesInEnvoysOrderAndWarm(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st := s.stream()
		r := st.expect(xds.ClusterType)
		if r.node.GetId() == "" || len(r.names) > 0 || r.nonce != "" {
			t.Errorf("the first request is %+v", r)
		}
		st.answer(xds.ClusterType, list(edsCluster("a"), staticCluster("b")))
		r = st.expect(xds.EndpointType)
		if r.node != nil || !slices.Equal(r.names, []string{"eds-a"}) {
			t.Errorf("endpoints are asked for with %+v", r)
		}
		st.quiet()
		st.answer(xds.EndpointType, list(endpointsOf("a", 1)))
		if r = st.expect(xds.ListenerType); len(r.names) > 0 {
			t.Errorf("listeners are asked for with %+v", r)
		}
		st.answer(xds.ListenerType, list(listener(t, "l")))
		if r = st.expect(xds.RouteType); !slices.Equal(r.names, []string{"rds-l"}) {
			t.Errorf("routes are asked for with %+v", r)
		}
		c.none()
		st.answer(xds.RouteType, list(routesOf("l", "a")))
		snapshot := c.any()
		if snapshot.Number != 1 || snapshot.Listeners["l"] == nil || snapshot.Routes["rds-l"] == nil || snapshot.Clusters["a"] == nil ||
			snapshot.Clusters["b"] == nil || snapshot.Endpoints["a"].GetClusterName() != "eds-a" || len(snapshot.Endpoints) != 1 {
			t.Errorf("the snapshot is %+v", snapshot)
		}
		got := c.Status()
		if !got.Connected || got.Types[xds.ClusterType] != (xds.TypeStatus{Version: "v1", Nonce: "n1", Resources: 2}) || len(got.Warming) > 0 {
			t.Errorf("the status is %+v", got)
		}
	})
}

func TestUnchangedResourcesKeepTheirPointers(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st, before := first(t, s, c)
		st.answer(xds.ClusterType, list(edsCluster("a")))
		st.answer(xds.EndpointType, list(endpointsOf("a", 1, 2)))
		after := c.any()
		if after.Number != 2 || after.Clusters["a"] != before.Clusters["a"] || after.Listeners["l"] != before.Listeners["l"] ||
			after.Routes["rds-l"] != before.Routes["rds-l"] {
			t.Error("what did not change is another pointer")
		}
		if after.Endpoints["a"] == before.Endpoints["a"] || len(after.Endpoints["a"].Endpoints[0].LbEndpoints) != 2 {
			t.Error("the endpoints did not change")
		}
		st.answer(xds.ListenerType, list(listener(t, "l")))
		c.none()
	})
}

func TestAnUpdatedListenerServesTheOldRoutesUntilTheNewOnesCome(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	st, before := first(t, s, c)
	next := proto.Clone(listener(t, "l")).(*listenerv3.Listener)
	moved := listener(t, "m")
	next.FilterChains = moved.FilterChains
	st.answer(xds.ListenerType, list(next))
	if r := st.expect(xds.RouteType); !slices.Equal(r.names, []string{"rds-m"}) || len(r.dropped) > 0 {
		t.Errorf("routes are asked for with %+v", r)
	}
	c.eventually("warming", func(s xds.Status) bool {
		return slices.Equal(s.Warming, []string{"listener l waits for route configuration rds-m"})
	})
	st.answer(xds.ClusterType, list(staticCluster("b")))
	during := c.any()
	if during.Listeners["l"] != before.Listeners["l"] || during.Routes["rds-l"] == nil || during.Clusters["b"] == nil {
		t.Errorf("while it warms the snapshot is %+v", during)
	}
	st.answer(xds.RouteType, list(routesOf("m", "a")))
	after := c.any()
	if proto.Equal(after.Listeners["l"], before.Listeners["l"]) || after.Routes["rds-m"] == nil || after.Routes["rds-l"] != nil {
		t.Errorf("when it is warm the snapshot is %+v", after)
	}
	if r := st.expect(xds.RouteType); !slices.Equal(r.dropped, []string{"rds-l"}) {
		t.Errorf("the old routes are left with %+v", r)
	}
}

func TestRoutesToANewClusterWaitForItsEndpoints(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st, before := first(t, s, c)
		st.answer(xds.ClusterType, list(edsCluster("a"), edsCluster("b")))
		st.expect(xds.EndpointType)
		st.answer(xds.RouteType, list(routesOf("l", "b")))
		c.eventually("warming", func(s xds.Status) bool { return len(s.Warming) == 2 })
		c.none()
		st.answer(xds.EndpointType, list(endpointsOf("b", 2)))
		after := c.any()
		if after.Clusters["b"] == nil || after.Endpoints["b"] == nil || after.Routes["rds-l"] == before.Routes["rds-l"] {
			t.Errorf("the snapshot is %+v", after)
		}
	})
}

func TestARemovedClusterStaysUntilItsRoutesAreGone(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st, before := first(t, s, c)
		if delta {
			st.answer(xds.ClusterType, list(staticCluster("b")), "a")
		} else {
			st.answer(xds.ClusterType, list(staticCluster("b")))
		}
		during := c.any()
		if during.Clusters["a"] != before.Clusters["a"] || during.Endpoints["a"] == nil || during.Clusters["b"] == nil {
			t.Errorf("before its routes are gone the snapshot is %+v", during)
		}
		st.answer(xds.RouteType, list(routesOf("l", "b")))
		after := c.any()
		if after.Clusters["a"] != nil || after.Endpoints["a"] != nil || after.Clusters["b"] == nil {
			t.Errorf("when its routes are gone the snapshot is %+v", after)
		}
		r := st.expect(xds.EndpointType)
		if delta && !slices.Equal(r.dropped, []string{"eds-a"}) || !delta && (len(r.names) > 0 || r.nonce == "") {
			t.Errorf("its endpoints are left with %+v", r)
		}
	})
}

func TestARemovedClusterGoesAfterAWhileThoughRoutesLeadToIt(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	st, _ := first(t, s, c)
	st.answer(xds.ClusterType, nil, "a")
	c.snapshot(func(s *xds.Snapshot) bool { return s.Clusters["a"] == nil && s.Routes["rds-l"] != nil })
}

func TestDeltaRemoval(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	st, before := first(t, s, c)
	st.answer(xds.RouteType, nil, "rds-l")
	st.answer(xds.EndpointType, nil, "eds-a")
	st.answer(xds.ClusterType, list(staticCluster("b")))
	during := c.any()
	if during.Routes["rds-l"] != before.Routes["rds-l"] || during.Endpoints["a"] != before.Endpoints["a"] {
		t.Error("routes or endpoints went that are still referred to; Envoy keeps them")
	}
	st.answer(xds.ListenerType, nil, "l")
	after := c.any()
	if len(after.Listeners) != 0 || len(after.Routes) != 0 || after.Clusters["a"] == nil {
		t.Errorf("without the listener the snapshot is %+v", after)
	}
	if r := st.expect(xds.RouteType); !slices.Equal(r.dropped, []string{"rds-l"}) {
		t.Errorf("the routes are left with %+v", r)
	}
}

func TestNACK(t *testing.T) {
	check := func(o *xds.Options) {
		o.Check = func(url, name string, m proto.Message) error {
			if strings.HasPrefix(name, "bad") || url == xds.RouteType && len(m.(interface{ GetRequestHeadersToRemove() []string }).GetRequestHeadersToRemove()) > 0 {
				return errors.New("the lab cannot do this")
			}
			return nil
		}
	}
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta), check)
		st, before := first(t, s, c)
		refused := func(url string, resources []proto.Message, want string) {
			t.Helper()
			nonce := st.push(url, resources)
			r := st.expect(url)
			if r.nonce != nonce || r.refusal != want {
				t.Errorf("the answer is %+v, want %q", r, want)
			}
			if !delta && r.version == "v"+nonce[1:] {
				t.Errorf("the refused version is accepted: %+v", r)
			}
			if got := c.Status().Types[url].Refused; got != want {
				t.Errorf("the status says %q", got)
			}
		}
		refused(xds.ClusterType, list(edsCluster("a"), staticCluster("bad1"), staticCluster("bad2"), staticCluster("good")),
			"Error adding/updating cluster(s) bad1: the lab cannot do this, bad2: the lab cannot do this")
		after := c.any()
		if after.Clusters["good"] == nil || after.Clusters["bad1"] != nil || after.Clusters["a"] != before.Clusters["a"] {
			t.Errorf("the good clusters are not taken: %+v", after.Clusters)
		}
		refused(xds.ListenerType, list(listener(t, "l"), listener(t, "bad")), "Error adding/updating listener(s) bad: the lab cannot do this")
		worse := routesOf("l", "a")
		worse.RequestHeadersToRemove = []string{"x"}
		refused(xds.RouteType, list(worse), "rds-l: the lab cannot do this")
		refused(xds.ClusterType, list(staticCluster("c"), staticCluster("c")), "duplicate cluster c found")
		refused(xds.ClusterType, list(routesOf("l")), `a resource "`+map[bool]string{true: "rds-l"}[delta]+`" is of type `+xds.RouteType+", not "+xds.ClusterType)
		c.none()
		st.answer(xds.ClusterType, list(edsCluster("a"), staticCluster("c")))
		if after = c.any(); after.Clusters["c"] == nil || after.Routes["rds-l"] != before.Routes["rds-l"] {
			t.Errorf("afterwards the snapshot is %+v", after)
		}
		if got := c.Status().Types[xds.ClusterType].Refused; got != "" {
			t.Errorf("after an ACK the status says %q", got)
		}
	})
}

func TestEnvoysConstraintsAreApplied(t *testing.T) {
	s := startIstiod(t)
	s.run()
	st := s.stream()
	st.expect(xds.ClusterType)
	bad := staticCluster("a")
	bad.AltStatName = "x"
	bad.ConnectTimeout = nil
	bad.LbPolicy = 99
	st.push(xds.ClusterType, list(bad))
	if r := st.expect(xds.ClusterType); !strings.HasPrefix(r.refusal, "Error adding/updating cluster(s) a: Proto constraint validation failed") {
		t.Errorf("the answer is %+v", r)
	}
}

func TestWhatDoesNotComeIsGivenUp(t *testing.T) {
	s := startIstiod(t)
	c := s.run(func(o *xds.Options) { o.FetchTimeout = 10 * time.Millisecond })
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(edsCluster("a")))
	st.expect(xds.EndpointType)
	st.expect(xds.ListenerType) // after the timeout
	st.answer(xds.ListenerType, list(listener(t, "l")))
	st.expect(xds.RouteType)
	snapshot := c.any()
	if snapshot.Clusters["a"] == nil || snapshot.Endpoints["a"] != nil || snapshot.Listeners["l"] == nil || len(snapshot.Routes) > 0 {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	st.answer(xds.EndpointType, list(endpointsOf("a", 1)))
	st.answer(xds.RouteType, list(routesOf("l", "a")))
	c.snapshot(func(s *xds.Snapshot) bool { return s.Endpoints["a"] != nil && s.Routes["rds-l"] != nil })
}

func TestWhatIstiodSaysIsNotThereIsNotWaitedFor(t *testing.T) {
	s := startIstiod(t)
	c := s.run()
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(edsCluster("a")))
	st.expect(xds.EndpointType)
	st.answer(xds.EndpointType, nil, "eds-a")
	st.expect(xds.ListenerType)
	st.answer(xds.ListenerType, nil)
	if snapshot := c.any(); snapshot.Clusters["a"] == nil || len(snapshot.Endpoints) > 0 {
		t.Errorf("the snapshot is %+v", snapshot)
	}
}

func TestWhatWasRefusedIsNotWaitedFor(t *testing.T) {
	s := startIstiod(t)
	c := s.run(func(o *xds.Options) {
		o.Check = func(url, _ string, _ proto.Message) error {
			if url == xds.RouteType {
				return errors.New("the lab cannot do this")
			}
			return nil
		}
	})
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(staticCluster("a")))
	st.expect(xds.ListenerType)
	st.answer(xds.ListenerType, list(listener(t, "l")))
	st.expect(xds.RouteType)
	st.push(xds.RouteType, list(routesOf("l", "a")))
	if snapshot := c.any(); snapshot.Listeners["l"] == nil || len(snapshot.Routes) > 0 {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	if r := st.expect(xds.RouteType); r.refusal != "rds-l: the lab cannot do this" {
		t.Errorf("the answer is %+v", r)
	}
}
