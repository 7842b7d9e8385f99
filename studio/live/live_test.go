package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
)

func TestAllWhoLookAtAPlaceShareOneWorkerThatEndsWithTheLast(t *testing.T) {
	life, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var begun atomic.Int32
	ended, go1 := make(chan bool), make(chan bool)
	s := &shares[int]{life: life, running: &running, all: map[Place]*share[int]{}, work: func(ctx context.Context, _ Place, tell func(int)) {
		begun.Add(1)
		tell(1)
		<-go1
		tell(2)
		tell(3)
		<-ctx.Done()
		ended <- true
	}}
	enough := errors.New("enough")
	var viewers sync.WaitGroup
	first := make(chan bool, 3)
	for range 3 {
		viewers.Go(func() {
			var last int
			err := s.follow(life, Place{Namespace: "shop"}, func(n int) error {
				if n < last {
					t.Errorf("%d after %d", n, last)
				}
				if last = n; n == 1 {
					first <- true
				}
				if n == 3 {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-first
	}
	close(go1)
	viewers.Wait()
	<-ended
	if n := begun.Load(); n != 1 {
		t.Errorf("%d workers", n)
	}
	end()
	running.Wait()
	if err := s.follow(t.Context(), Place{}, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// apiServer answers as one with a Prometheus in istio-system does, and with more
// of them elsewhere, as far as the search for them goes. prometheus answers what
// comes through its proxy; what leads to a Service is by its name.
func apiServer(t *testing.T, prometheus http.HandlerFunc, more ...corev1.Service) *cluster.Client {
	t.Helper()
	first := service("istio-system", "prometheus", "app.kubernetes.io/name", "prometheus")
	all := append(more, first)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/services", func(w http.ResponseWriter, r *http.Request) {
		selector, err := labels.Parse(r.FormValue("labelSelector"))
		if err != nil || selector.Empty() {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		list := corev1.ServiceList{TypeMeta: metav1.TypeMeta{Kind: "ServiceList", APIVersion: "v1"}}
		for _, s := range all {
			if selector.Matches(labels.Set(s.Labels)) {
				list.Items = append(list.Items, s)
			}
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	for _, s := range all {
		proxy := "/api/v1/namespaces/" + s.Namespace + "/services/http:" + s.Name + ":9090/proxy"
		mux.Handle("POST "+proxy+"/", http.StripPrefix(proxy, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-Service", s.Name)
			prometheus(w, r)
		})))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := cluster.New(&rest.Config{Host: server.URL, BearerToken: "kube-token"}, "shop", true, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func service(namespace, name, key, value string) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{key: value}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "reloader", Port: 8080}, {Name: "http", Port: 9090}}},
	}
}

func TestTheFirstPrometheusThatKnowsTheProxiesIsAsked(t *testing.T) {
	var asked []string
	c := apiServer(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.Header.Get("X-Service")
		if len(asked) == 0 || asked[len(asked)-1] != name {
			asked = append(asked, name)
		}
		switch {
		case name == "prometheus":
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case name == "a-nodes" || !strings.HasPrefix(r.FormValue("query"), "count("):
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`))
		default:
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}}`))
		}
	}, service("monitoring", "prometheus-operated", "operated-prometheus", "true"), service("monitoring", "a-nodes", "app.kubernetes.io/name", "prometheus"))
	l := New(Options{})
	defer l.Close()
	var p prometheus
	if all, note := p.edges(t.Context(), l, c, "shop"); all == nil || note != "" || p.name != "monitoring/prometheus-operated" {
		t.Errorf("%v, %q, %q", all, note, p.name)
	}
	if got := strings.Join(asked, " "); got != "prometheus a-nodes prometheus-operated" {
		t.Errorf("asked %s", got)
	}
}

func TestThePrometheusOfTheClusterIsFoundAndLeftAgainWhenItFails(t *testing.T) {
	var broken, strange atomic.Bool
	c := apiServer(t, func(w http.ResponseWriter, r *http.Request) {
		edge := `"reporter":"source","source_workload":"gateway","destination_service_name":"order","destination_workload":"order"`
		switch q := r.FormValue("query"); {
		case r.Header.Get("Authorization") != "Bearer kube-token":
			t.Error("asked without the kubeconfig's credentials")
		case broken.Load():
			http.Error(w, "no", http.StatusServiceUnavailable)
		case strange.Load():
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[]}}`))
		case strings.HasPrefix(q, "count("):
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}}`))
		case strings.Contains(q, "_bucket"):
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{%s,"le":"10"},"values":[[1000,"4"],[1015,"4"]]}]}}`, edge)
		default:
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{%s,"response_code":"200"},"values":[[1000,"4"],[1015,"4"]]}]}}`, edge)
		}
	})
	l := New(Options{})
	defer l.Close()
	var p prometheus
	all, note := p.edges(t.Context(), l, c, "shop")
	if len(all) != 2 || note != "" || p.name != "istio-system/prometheus" {
		t.Fatalf("%v, %q, %q", all, note, p.name)
	}
	m := &measuring{place: Place{Namespace: "shop"}}
	out := m.edges(Traffic{}, all)
	if len(out.Edges) != 1 || out.Edges[0].Requests != 120 || out.Edges[0].Rate != 4 || len(out.Edges[0].Series) != 2 || *out.Edges[0].Real != 100 {
		t.Errorf("%+v", out.Edges)
	}
	broken.Store(true)
	p.asked = p.asked.Add(-askEvery)
	if all, note = p.edges(t.Context(), l, c, "shop"); all != nil || !strings.Contains(note, "503") || !strings.Contains(note, "own counters") || strings.Contains(note, "kube-token") {
		t.Errorf("broken: %v, %q", all, note)
	}
	broken.Store(false)
	if all, _ = p.edges(t.Context(), l, c, "shop"); all != nil {
		t.Error("it is asked again at once")
	}
	p.searched = p.searched.Add(-searchEvery)
	if all, note = p.edges(t.Context(), l, c, "shop"); len(all) != 2 || note != "" {
		t.Errorf("well again: %v, %q", all, note)
	}
	strange.Store(true)
	p = prometheus{}
	if all, note = p.edges(t.Context(), l, c, "shop"); all != nil || !strings.Contains(note, "nothing of Istio") {
		t.Errorf("one that scrapes other things: %v, %q", all, note)
	}
	if _, err := metrics.KnowsIstio(t.Context(), metrics.Proxies(c, nil)); err != nil {
		t.Error(err)
	}
}

func TestAPrometheusThatSendsElsewhereGetsNoCredentialsThere(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("%d: another host was asked, with %q", status, r.Header.Get("Authorization"))
		}))
		c := apiServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		l := New(Options{})
		var p prometheus
		if all, note := p.edges(t.Context(), l, c, "shop"); all != nil || !strings.Contains(note, "own counters") {
			t.Errorf("%d: %v, %q", status, all, note)
		}
		l.Close()
		other.Close()
	}
}
