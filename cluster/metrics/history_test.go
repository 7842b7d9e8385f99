package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// exposed is a counter of an edge into the namespace shop.
func exposed(metric, reporter, from, to, more string, n int64) string {
	return fmt.Sprintf("%s{reporter=%q,source_workload=%q,destination_workload=%q,destination_service_name=\"order\",destination_service_namespace=\"shop\",destination_workload_namespace=\"shop\"%s} %d\n",
		metric, reporter, from, to, more, n)
}

func TestTheHistoryOfEdgesIsWhatARealPrometheusKnows(t *testing.T) {
	var n atomic.Int64
	s, err := Prometheus(realPrometheus(t, func(w http.ResponseWriter, _ *http.Request) {
		// 9 of 10 go to order, of which every third fails; 1 to the canary. It is
		// all told twice, once by each end.
		k := n.Add(1)
		text := "# TYPE istio_requests_total counter\n"
		for _, reporter := range []string{"source", "destination"} {
			text += exposed(requestsTotal, reporter, "gateway", "order", `,response_code="200"`, 6*k) +
				exposed(requestsTotal, reporter, "gateway", "order", `,response_code="503"`, 3*k) +
				exposed(requestsTotal, reporter, "gateway", "order-canary", `,response_code="200"`, k)
		}
		text += exposed(requestsTotal, "destination", "unknown", "order", `,response_code="200"`, 2*k)
		text += "# TYPE istio_request_duration_milliseconds histogram\n"
		for le, share := range map[string]int64{"5": 0, "10": 9, "+Inf": 9} {
			text += exposed(requestDurations+"_bucket", "source", "gateway", "order", fmt.Sprintf(",le=%q", le), share*k)
		}
		_, _ = w.Write([]byte(text))
	}), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	order, canary, direct := Edge{"gateway", "order", "order"}, Edge{"gateway", "order", "order-canary"}, Edge{"unknown", "order", "order"}
	var all []Interval
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if all, err = History(t.Context(), s, "shop", 20*time.Second, time.Second); err == nil && len(all) >= 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d intervals, %v", len(all), err)
		}
	}
	if knows, err := KnowsIstio(t.Context(), s); err != nil || !knows {
		t.Errorf("it knows Istio: %v, %v", knows, err)
	}
	last := all[len(all)-1]
	o, c := last.Edges[order], last.Edges[canary]
	if share := c.Requests / (o.Requests + c.Requests); share < 0.08 || share > 0.12 {
		t.Errorf("the canary has %.3f of %+v", share, last.Edges)
	}
	if rate := o.Errors / o.Requests; rate < 0.3 || rate > 0.37 {
		t.Errorf("errors %.3f", rate)
	}
	if p50, p95 := o.Quantile(0.5), o.Quantile(0.95); p50 < 7 || p50 > 8 || p95 < 9.5 || p95 > 10 {
		t.Errorf("times %g %g", p50, p95)
	}
	if d := last.Edges[direct]; d.Requests <= 0 || d.Requests > o.Requests {
		t.Errorf("those without a proxy: %+v", d)
	}
	if len(last.Edges) != 3 || last.Seconds != 1 || !all[0].At.Before(last.At) {
		t.Errorf("%+v", all)
	}
	if other, err := History(t.Context(), s, "elsewhere", time.Minute, time.Second); err != nil || len(other) != 0 {
		t.Errorf("another namespace: %v, %v", other, err)
	}
}

func TestAHistoryThatCannotBeReadIsUnavailable(t *testing.T) {
	for name, body := range map[string]string{
		"an error":  `{"status":"error","error":"too many samples"}`,
		"a page":    `<html>`,
		"a vector":  `{"status":"success","data":{"resultType":"vector","result":[]}}`,
		"no number": `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"many"]]}]}}`,
	} {
		s := fakePrometheus(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		if all, err := History(t.Context(), s, "shop", time.Minute, time.Second); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}
