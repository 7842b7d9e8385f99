package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var target = Target{Namespace: "shop", Service: "order", Workloads: []string{"order", "order-canary"}}

func series(workload, reporter, source, code, grpc string, n int) string {
	return fmt.Sprintf("istio_requests_total{reporter=%q,source_workload=%q,destination_workload=%q,destination_workload_namespace=\"shop\",response_code=%q,grpc_response_status=%q} %d\n",
		reporter, source, workload, code, grpc, n)
}

func TestARequestIsCountedOnceAndFailuresAreTold(t *testing.T) {
	text := "# TYPE istio_requests_total counter\n" +
		series("order", "source", "gateway", "200", "", 90) +
		series("order", "source", "gateway", "404", "", 4) +
		series("order", "source", "gateway", "503", "", 5) +
		series("order", "source", "gateway", "0", "", 1) +
		series("order", "destination", "gateway", "200", "", 90) +
		series("order", "destination", "unknown", "500", "", 7) +
		series("order-canary", "source", "gateway", "200", "13", 3) +
		series("other", "source", "gateway", "500", "", 1000)
	got, err := parse(strings.NewReader(text), target)
	if err != nil {
		t.Fatal(err)
	}
	if got["order"].Requests != 107 || got["order"].Errors != 13 {
		t.Errorf("order: %+v, want 107 requests and 13 errors", got["order"])
	}
	if got["order-canary"].Requests != 3 || got["order-canary"].Errors != 3 {
		t.Errorf("order-canary: %+v, want three failed gRPC calls", got["order-canary"])
	}
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestTheTimesAreInterpolatedAsPrometheusDoes(t *testing.T) {
	text := "# TYPE istio_request_duration_milliseconds histogram\n"
	for le, n := range map[string]int{"0.5": 0, "1": 50, "5": 90, "10": 100, "+Inf": 100} {
		text += fmt.Sprintf("istio_request_duration_milliseconds_bucket{reporter=\"source\",destination_workload=\"order\",destination_workload_namespace=\"shop\",le=%q} %d\n", le, n)
	}
	got, err := parse(strings.NewReader(text), target)
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range map[float64]float64{0.5: 1, 0.95: 7.5, 0.9: 5, 0.25: 0.75} {
		if v := got["order"].quantile(q); math.Abs(v-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, v, want)
		}
	}
	if v := (counts{}).quantile(0.95); !math.IsNaN(v) {
		t.Errorf("without requests got %v, want NaN", v)
	}
}

func TestCountersThatBeganAnewCountFromZero(t *testing.T) {
	at := time.Unix(1000, 0)
	old := reading{At: at, Proxies: map[string]map[string]counts{
		"a-0": {"order": {Requests: 100, Errors: 10}}, "gone-0": {"order": {Requests: 50}}, "b-0": {"order": {Requests: 80}},
	}}
	now := reading{At: at.Add(30 * time.Second), Proxies: map[string]map[string]counts{
		"a-0": {"order": {Requests: 130, Errors: 10}}, // thirty more
		"a-1": {"order": {Requests: 5, Errors: 5}},    // a restarted proxy
		"b-0": {"order": {Requests: 20}},              // went back
	}}
	got := now.since(old)
	if got["order"].Requests != 55 || got["order"].Errors != 5 || got["order"].Duration != 30 {
		t.Errorf("got %+v, want 30 + 5 + 20 requests, 5 errors, 30 seconds", got["order"])
	}
	if _, known := got["order-canary"]; known {
		t.Error("a workload without counters is known")
	}
}

func TestAMarkStaysSmall(t *testing.T) {
	r := reading{At: time.Now(), Proxies: map[string]map[string]counts{}}
	for i := range 20 {
		r.Proxies[fmt.Sprintf("0123456%d-0", i)] = map[string]counts{
			"order":        {Requests: 12345, Errors: 12, Buckets: map[string]float64{"1": 1, "5": 900, "10": 300, "25": 3}},
			"order-canary": {Requests: 1234, Errors: 1, Buckets: map[string]float64{"5": 90, "10": 30}},
		}
	}
	text, err := json.Marshal(r)
	if err != nil || len(text) > 4<<10 {
		t.Errorf("a mark of 20 proxies has %d bytes (%v), want at most 4 KiB", len(text), err)
	}
}

// fakePrometheus answers as Prometheus' HTTP API does.
func fakePrometheus(t *testing.T, handle http.HandlerFunc) Source {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	s, err := Prometheus(server.URL, "secret-token", server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPrometheusIsAskedForWhatTheCallersSaw(t *testing.T) {
	var asked []string
	s := fakePrometheus(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret-token" {
			t.Errorf("authorization %q", got)
		}
		q := r.FormValue("query")
		asked = append(asked, q)
		result := `{"metric":{"reporter":"source","destination_workload":"order","response_code":"200"},"value":[1,"97.5"]},{"metric":{"reporter":"source","destination_workload":"order","response_code":"503"},"value":[1,"2.5"]}`
		if strings.HasPrefix(q, "histogram_quantile") {
			result = `{"metric":{"destination_workload":"order"},"value":[1,"42.5"]},{"metric":{"destination_workload":"order-canary"},"value":[1,"NaN"]}`
		}
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	})
	mark, err := s.Mark(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Since(t.Context(), target, mark)
	if err != nil {
		t.Fatal(err)
	}
	if o := got["order"]; o.Requests != 100 || o.Errors != 2.5 || o.P95 != 42.5 || o.ErrorRate() != 0.025 {
		t.Errorf("got %+v", o)
	}
	if _, known := got["order-canary"]; known {
		t.Error("order-canary has no requests in Prometheus, and is taken to be known")
	}
	if !strings.Contains(asked[0], `reporter="source"`) || !strings.Contains(asked[0], "order|order-canary") {
		t.Errorf("asked %q", asked)
	}
}

func TestWhatPrometheusCannotSayIsUnknown(t *testing.T) {
	empty := `{"status":"success","data":{"resultType":"vector","result":[]}}`
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // of the error; "" for an empty answer
	}{
		"nothing":      {200, empty, ""},
		"NaN alone":    {200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"destination_workload":"order"},"value":[1,"NaN"]}]}}`, ""},
		"an error":     {422, `{"status":"error","error":"too many samples"}`, "too many samples"},
		"no token":     {401, ``, TokenVariable},
		"a login page": {200, `<html>`, "not Prometheus' API"},
		"another path": {404, `404 page not found`, "/api/v1/query"},
		"a matrix":     {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "expected a vector"},
		"no number":    {200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"many"]}]}}`, "many"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fakePrometheus(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			got, err := s.Recent(t.Context(), target, time.Minute)
			if probe := Probe(t.Context(), s); (probe == nil) != (c.want == "") {
				t.Errorf("the probe says %v", probe)
			}
			if c.want == "" {
				if err != nil || len(got) > 0 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret-token") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestASlowPrometheusEndsWithItsContext(t *testing.T) {
	hold := make(chan struct{})
	s := fakePrometheus(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Recent(ctx, target, time.Minute); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAddressesOfPrometheus(t *testing.T) {
	for address, want := range map[string]string{
		"prometheus:9090":           "expected http",
		"127.0.0.1:9090":            "expected http",
		"http://a:secret@host":      TokenVariable,
		"http://host/?x=1":          "without a query",
		"https://host/prom":         "",
		"http://127.0.0.1:9090":     "",
		"http://[::1]:9090/prefix/": "",
	} {
		_, err := Prometheus(address, "", nil)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# TYPE istio_requests_total counter\n" + series("order", "source", "gateway", "200", "", 90))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parse(strings.NewReader(text), target)
		if err != nil {
			return
		}
		for w, c := range all {
			if c.Requests < 0 || math.IsNaN(c.Requests) {
				t.Errorf("%s: %+v", w, c)
			}
			_ = c.quantile(0.95)
		}
	})
}
