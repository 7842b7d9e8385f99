package load_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/meshstorm/meshstorm/internal/load"
)

// transport answers without a network, so that a fake clock runs.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// run sends for as long as the fake clock says.
func run(t *testing.T, d time.Duration, o load.Options) *load.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	o.URL = "http://shop.example/orders"
	g, err := load.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return g.Wait()
}

// aWhile end between two requests.
const aWhile = 10*time.Second - time.Millisecond

func TestRequestsKeepTheirTimesWhateverTheServerDoes(t *testing.T) {
	tests := []struct {
		about  string
		takes  time.Duration
		rate   float64
		sent   int
		lowest time.Duration // of the median
	}{
		{"a quick server", 0, 200, 2000, 1},
		{"a server that takes longer than the time between requests", 3 * time.Second, 200, 2000, 3 * time.Second},
		{"a rate that does not divide a second", 0, 3, 30, 1},
		{"less than one in a second", 0, 0.5, 5, 1},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := run(t, aWhile, load.Options{Rate: tt.rate, Transport: transport(func(*http.Request) (*http.Response, error) {
					time.Sleep(tt.takes)
					return answer(200, "ok"), nil
				})})
				if r.Sent != tt.sent || r.Codes[200] != tt.sent || r.Failed != 0 || r.Err() != nil {
					t.Errorf("%s\nexpected %d answers and no failure", r, tt.sent)
				}
				if p := r.Quantile(0.5); p < tt.lowest || p > tt.lowest*101/100+1 {
					t.Errorf("the median is %s, expected %s", p, tt.lowest)
				}
				if r.Lag != 0 {
					t.Errorf("a fake clock has no lag, got %s", r.Lag)
				}
			})
		})
	}
}

func TestAStallIsSeenByAllRequestsOfThatTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := run(t, aWhile, load.Options{Rate: 100, Transport: transport(func(*http.Request) (*http.Response, error) {
			if at := time.Since(begin); at >= 4*time.Second && at < 5*time.Second {
				time.Sleep(time.Until(begin.Add(5 * time.Second)))
			}
			return answer(200, ""), nil
		})})
		if p := r.Quantile(0.9); p > time.Millisecond {
			t.Errorf("p90 is %s, expected next to nothing", p)
		}
		if p := r.Quantile(0.95); p < 490*time.Millisecond || p > 520*time.Millisecond { // 50 requests waited longer
			t.Errorf("p95 is %s, expected half of the stall", p)
		}
		if r.Longest != time.Second || r.Quantile(1) != r.Longest {
			t.Errorf("the longest is %s and %s, expected 1s", r.Longest, r.Quantile(1))
		}
	})
}

func TestFailuresAreCountedAndTheFirstAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, n := time.Now(), atomic.Int64{}
		r := run(t, aWhile, load.Options{Rate: 10, Keep: 3, Timeout: 2 * time.Second, Count: "x-version", Transport: transport(func(q *http.Request) (*http.Response, error) {
			switch k := n.Add(1); {
			case k == 20:
				return answer(503, strings.Repeat("no healthy upstream ", 100)), nil
			case k == 30:
				return nil, fmt.Errorf("dial tcp 127.0.0.1:%d: %w", k, errors.New("connection refused"))
			case k == 40:
				<-q.Context().Done()
				return nil, q.Context().Err()
			case k == 80:
				return answer(500, "late"), nil
			case k > 80:
				return answer(404, ""), nil
			}
			a := answer(200, "")
			a.Header.Set("X-Version", "v2")
			return a, nil
		})})
		if r.Sent != 100 || r.Codes[200] != 76 || r.Codes[404] != 20 || r.Codes[503] != 1 || r.Codes[500] != 1 || r.Failed != 4 ||
			r.Errors["connection refused"] != 1 || r.Errors["timeout"] != 1 || r.Counted["v2"] != 76 || r.Counted[""] != 22 {
			t.Errorf("%s", r)
		}
		if len(r.Failures) != 3 {
			t.Fatalf("%d failures are kept, expected 3", len(r.Failures))
		}
		for i, want := range []struct {
			after, took time.Duration
			status      int
			text        string
		}{
			{1900 * time.Millisecond, 0, 503, "no healthy upstream"},
			{2900 * time.Millisecond, 0, 0, "connection refused"},
			{3900 * time.Millisecond, 2 * time.Second, 0, "deadline"},
		} {
			f := r.Failures[i]
			if f.At.Sub(begin) != want.after || f.Took != want.took || f.Status != want.status || !strings.Contains(f.String(), want.text) {
				t.Errorf("failure %d is %s at %s, expected %+v", i, f, f.At.Sub(begin), want)
			}
			if len(f.Body) > 512 {
				t.Errorf("%d bytes of the body are kept", len(f.Body))
			}
		}
		err := r.Err()
		if err == nil {
			t.Fatal("a load with failures has an error")
		}
		for _, want := range []string{"100 requests in 9.999s (10 per second)", "4 failed", "503: 1", "timeout: 1", `"v2": 76`, "no healthy upstream", "and 1 more"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error lacks %q:\n%v", want, err)
			}
		}
	})
}

func TestWhatFailsCanBeSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, aWhile, load.Options{Rate: 1, Fails: func(status int) bool { return status != 200 }, Transport: transport(func(*http.Request) (*http.Response, error) {
			return answer(404, ""), nil
		})})
		if r.Failed != 10 || r.Err() == nil {
			t.Errorf("%s", r)
		}
	})
}

func TestRequestsThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, aWhile, load.Options{Rate: 10, InFlight: 20, Timeout: time.Minute, Transport: transport(func(*http.Request) (*http.Response, error) {
			time.Sleep(30 * time.Second)
			return answer(200, ""), nil
		})})
		if r.Sent != 100 || r.Codes[200] != 20 || r.Failed != 80 || r.Errors["not sent: too many requests wait for an answer"] != 80 {
			t.Errorf("%s", r)
		}
	})
}

func TestTheEndWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g, err := load.Start(ctx, load.Options{URL: "http://shop.example/", Rate: 1, Transport: transport(func(q *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return answer(503, ""), q.Context().Err()
		})})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		if now := g.Report(); now.Sent != 3 || len(now.Codes) != 0 || now.Ran != 0 {
			t.Errorf("in the middle: %s", now)
		}
		cancel()
		r := g.Stop()
		if again := g.Stop(); again.Sent != 3 {
			t.Errorf("asked again: %s", again)
		}
		if r.Sent != 3 || r.Codes[503] != 3 || r.Failed != 3 {
			t.Errorf("a 503 that comes after the end counts: %s", r)
		}
		if r.Ran != 2500*time.Millisecond {
			t.Errorf("ran for %s", r.Ran)
		}
	})
}

func TestNoRequestIsNoSuccess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g, err := load.Start(ctx, load.Options{URL: "http://127.0.0.1:1/", Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r := g.Wait(); r.Err() == nil || r.Quantile(0.99) != 0 {
		t.Errorf("%s: %v", r, r.Err())
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for about, o := range map[string]load.Options{
		"no URL":        {Rate: 1},
		"no host":       {URL: "/orders", Rate: 1},
		"no HTTP":       {URL: "tcp://127.0.0.1:80", Rate: 1},
		"no rate":       {URL: "http://127.0.0.1/"},
		"a rate below":  {URL: "http://127.0.0.1/", Rate: -1},
		"a rate beyond": {URL: "http://127.0.0.1/", Rate: 1e9},
		"a bad method":  {URL: "http://127.0.0.1/", Rate: 1, Method: "G T"},
	} {
		if g, err := load.Start(t.Context(), o); err == nil || g != nil {
			t.Errorf("%s: no error", about)
		}
	}
}

func TestARealServerIsAskedAsSaid(t *testing.T) {
	var connections atomic.Int64
	bad := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Host != "shop.example" || r.Method != "POST" || string(body) != `{"qty":1}` || r.Header.Get("X-Canary") != "true" {
			select {
			case bad <- fmt.Sprint(r.Host, r.Method, string(body), r.Header):
			default:
			}
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	g, err := load.Start(t.Context(), load.Options{URL: server.URL + "/orders", Host: "shop.example", Method: "POST", Body: `{"qty":1}`, Header: http.Header{"X-Canary": {"true"}}, Rate: 200})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return g.Report().Codes[302] >= 100 })
	r := g.Stop()
	select {
	case seen := <-bad:
		t.Errorf("the server saw %s", seen)
	default:
	}
	if r.Err() != nil || r.Codes[302] != r.Sent {
		t.Errorf("%s", r)
	}
	if n := connections.Load(); n > int64(r.Sent)/2 {
		t.Errorf("%d connections for %d requests: they are not used again", n, r.Sent)
	}
}

func TestAServerThatGoesAwayIsAFailure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok"))
	}))
	g, err := load.Start(t.Context(), load.Options{URL: server.URL, Rate: 500})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return g.Report().Codes[200] >= 10 })
	server.Close()
	until(t, func() bool { return g.Report().Failed >= 10 })
	r := g.Stop()
	if r.Err() == nil || len(r.Errors) == 0 || r.Failures[0].Err == nil || r.Failures[0].At.IsZero() {
		t.Errorf("%s", r)
	}
}

func TestAnAnswerThatEndsEarlyIsAFailure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	g, err := load.Start(t.Context(), load.Options{URL: server.URL, Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return g.Report().Failed >= 1 })
	if f := g.Stop().Failures[0]; f.Status != 200 || f.Body != "half" || !strings.Contains(f.String(), "ends early") {
		t.Errorf("%s", f)
	}
}

// until asks again until the test's own time is over.
func until(t *testing.T, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatal("what was waited for did not come")
		case <-tick.C:
		}
	}
}
