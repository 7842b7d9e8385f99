package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// load makes requests on a number of connections until the time is over or
// enough are made, and prints rate, latencies and codes. The exit code is 1
// where no request got an answer.
func load(ctx context.Context, s *pod.Spec, args []string, d loadDefaults, stdout, stderr io.Writer) int {
	p, err := parseLoad(args, d)
	if err != nil {
		complain(stderr, "load: %v", err)
		return usageCode
	}
	if p.time > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.time)
		defer cancel()
	}
	started := time.Now()
	all := p.run(ctx, s, stdout)
	all.print(stdout, p, time.Since(started))
	if all.answers() == 0 && all.count+all.failed > 0 {
		return 1
	}
	return 0
}

func (p *plan) run(ctx context.Context, s *pod.Spec, out io.Writer) *tally {
	transport := &http.Transport{
		DialContext: s.Dialer().DialContext, MaxIdleConnsPerHost: p.connections, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: p.insecure}, //nolint:gosec // -k asks for it
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(!p.http2)
	transport.Protocols.SetHTTP2(p.http2)
	transport.Protocols.SetUnencryptedHTTP2(p.http2)
	defer transport.CloseIdleConnections()
	var (
		group   sync.WaitGroup
		taken   atomic.Int64
		mu      sync.Mutex // guards out and all
		all     = newTally()
		workers = p.connections
	)
	for i := range workers {
		group.Go(func() {
			w := &worker{p: p, transport: transport, taken: &taken, tally: newTally(), out: out, outMu: &mu}
			w.run(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			all.add(w.tally)
		})
	}
	group.Wait()
	return all
}

// worker is one connection.
type worker struct {
	p         *plan
	transport *http.Transport
	taken     *atomic.Int64
	tally     *tally
	out       io.Writer
	outMu     *sync.Mutex
}

func (w *worker) run(ctx context.Context, index int) {
	var interval time.Duration
	if w.p.rate > 0 {
		interval = time.Duration(float64(time.Second) * float64(w.p.connections) / w.p.rate)
	}
	// Connections start spread over the first interval, so that the rate is even.
	next := time.Now().Add(interval * time.Duration(index) / time.Duration(w.p.connections))
	for n := 0; ctx.Err() == nil; n++ {
		if w.p.each > 0 && n >= w.p.each || w.p.total > 0 && w.taken.Add(1) > int64(w.p.total) {
			return
		}
		if interval > 0 {
			if !wait(ctx, time.Until(next)) {
				return
			}
			next = next.Add(interval)
		}
		w.one(ctx)
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// one makes a request. One that the end of the time cuts off is not counted.
func (w *worker) one(ctx context.Context) {
	started := time.Now()
	status, size, proto, err := w.exchange(ctx)
	took := time.Since(started)
	if err != nil && ctx.Err() != nil {
		return
	}
	if err != nil {
		w.tally.failed++
		w.tally.errors[reason(err)]++
		wait(ctx, 10*time.Millisecond) // a refused connection comes back at once: don't spin
		return
	}
	w.tally.observe(status, size, took)
	if w.p.verbose {
		w.outMu.Lock()
		defer w.outMu.Unlock()
		_, _ = fmt.Fprintf(w.out, "%s %d %8.2f secs: %7d bytes ==> %-4s %s\n", proto, status, took.Seconds(), size, w.p.method, w.p.url.RequestURI())
	}
}

func (w *worker) exchange(ctx context.Context) (status int, size int64, proto string, err error) {
	if w.p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.p.timeout)
		defer cancel()
	}
	var body io.Reader
	if w.p.body != "" {
		body = strings.NewReader(w.p.body)
	}
	request, err := http.NewRequestWithContext(ctx, w.p.method, w.p.url.String(), body)
	if err != nil {
		return 0, 0, "", err
	}
	request.Header.Set("User-Agent", "meshstorm-lab-load")
	for _, h := range w.p.headers {
		if strings.EqualFold(h[0], "Host") {
			request.Host = h[1]
			continue
		}
		request.Header.Add(h[0], h[1])
	}
	response, err := w.transport.RoundTrip(request)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	size, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, size, response.Proto, err
}

func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// tally is what was seen. Latencies are kept in buckets 1 % apart, so that a
// run of hours needs no more memory than one of seconds.
type tally struct {
	count, failed int
	bytes         int64
	sum, min, max time.Duration
	codes         map[int]int
	errors        map[string]int
	buckets       map[int]int
}

func newTally() *tally {
	return &tally{codes: map[int]int{}, errors: map[string]int{}, buckets: map[int]int{}}
}

const growth = 1.01

func (t *tally) observe(status int, size int64, took time.Duration) {
	took = max(took, 1)
	if t.count == 0 || took < t.min {
		t.min = took
	}
	t.max = max(t.max, took)
	t.count++
	t.bytes += size
	t.sum += took
	t.codes[status]++
	t.buckets[int(math.Log(float64(took))/math.Log(growth))]++
}

func (t *tally) add(o *tally) {
	if o.count > 0 && (t.count == 0 || o.min < t.min) {
		t.min = o.min
	}
	t.max = max(t.max, o.max)
	t.count, t.failed, t.bytes, t.sum = t.count+o.count, t.failed+o.failed, t.bytes+o.bytes, t.sum+o.sum
	for k, n := range o.codes {
		t.codes[k] += n
	}
	for k, n := range o.errors {
		t.errors[k] += n
	}
	for k, n := range o.buckets {
		t.buckets[k] += n
	}
}

func (t *tally) answers() int { return t.count }

// percentile is the latency that a share of the answers does not exceed.
func (t *tally) percentile(share float64) time.Duration {
	keys := make([]int, 0, len(t.buckets))
	for k := range t.buckets {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want, seen := int(math.Ceil(share*float64(t.count))), 0
	for _, k := range keys {
		if seen += t.buckets[k]; seen >= want {
			return min(time.Duration(math.Pow(growth, float64(k)+1)), t.max)
		}
	}
	return t.max
}

func (t *tally) print(w io.Writer, p *plan, took time.Duration) {
	total := t.count + t.failed
	_, _ = fmt.Fprintf(w, "%d requests in %.2f s on %d connections: %.1f per second, %d bytes\n",
		total, took.Seconds(), p.connections, float64(total)/max(took.Seconds(), 1e-9), t.bytes)
	if t.count > 0 {
		_, _ = fmt.Fprintf(w, "latency: min %s, mean %s, max %s\n", ms(t.min), ms(t.sum/time.Duration(t.count)), ms(t.max))
		for _, share := range []float64{0.5, 0.75, 0.9, 0.95, 0.99, 0.999} {
			_, _ = fmt.Fprintf(w, "  %g %%: %s\n", share*100, ms(t.percentile(share)))
		}
	}
	codes := make([]int, 0, len(t.codes))
	for c := range t.codes {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	for _, c := range codes {
		_, _ = fmt.Fprintf(w, "Code %d : %d (%.1f %%)\n", c, t.codes[c], 100*float64(t.codes[c])/float64(total))
	}
	reasons := make([]string, 0, len(t.errors))
	for r := range t.errors {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		_, _ = fmt.Fprintf(w, "No answer : %d (%.1f %%) %s\n", t.errors[r], 100*float64(t.errors[r])/float64(total), r)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
