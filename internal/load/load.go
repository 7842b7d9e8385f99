// Package load keeps a URL busy while a test does something else. It takes a
// URL, a Host header and a rate, and sends requests at that rate for as long as
// a context runs; it gives the answers by status code, latencies, and the first
// failures with their time and a part of their body.
//
// The loop is open: a request is sent when its time has come, whether or not
// those before it were answered, and its latency counts from that time. A
// server that stalls is thus seen by all requests of that time, and not by the
// few that a closed loop would have sent.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options say what is sent. URL and Rate are needed.
type Options struct {
	URL    string // absolute, http or https
	Host   string // the Host header; default: the URL's host
	Method string // default: GET
	Header http.Header
	Body   string
	// Rate is in requests per second, above 0 and at most 100,000.
	Rate float64
	// Timeout is the longest time for one request, after which it has failed.
	// Default: 10s. What is under way when the load ends may still take as long.
	Timeout time.Duration
	// InFlight is how many requests may wait for an answer at a time. One that
	// would be more is not sent and has failed. Default: 2000.
	InFlight int
	// Fails tells whether an answer is a failure. Default: 500 and above.
	Fails func(status int) bool
	// Keep is how many failures are kept in the report. Default: 10.
	Keep int
	// Count names a header of the answers whose values are counted, such as
	// x-meshstorm-version. Default: none.
	Count string
	// Transport sends the requests; redirects are not followed. Default: one of
	// its own that uses no proxy and keeps connections alive.
	Transport http.RoundTripper
}

// maxRate is more than one process can send.
const maxRate = 100_000

// errFull is the failure of a request that was not sent.
var errFull = errors.New("not sent: too many requests wait for an answer")

// Generator is a load that runs.
type Generator struct {
	options Options
	cancel  context.CancelFunc
	done    chan struct{}
	own     *http.Transport // nil where the caller brought one

	mu     sync.Mutex
	report *Report
	flying int
}

// Start begins to send, until ctx ends or Stop is called. It gives an error
// where the options are not usable.
func Start(ctx context.Context, o Options) (*Generator, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	g := &Generator{options: o, done: make(chan struct{}), report: newReport()}
	if o.Transport == nil {
		g.own = &http.Transport{
			MaxIdleConns: o.InFlight, MaxIdleConnsPerHost: o.InFlight, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		}
		g.options.Transport = g.own
	}
	ctx, g.cancel = context.WithCancel(ctx)
	go g.run(ctx)
	return g, nil
}

func (o *Options) complete() error {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("load: %q is no URL to send to; expected such as http://127.0.0.1:30080/orders", o.URL)
	}
	if !(o.Rate > 0 && o.Rate <= maxRate) {
		return fmt.Errorf("load: the rate is %v requests per second; expected more than 0 and at most %d", o.Rate, maxRate)
	}
	if o.Method == "" {
		o.Method = http.MethodGet
	}
	if _, err := http.NewRequest(o.Method, o.URL, nil); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.InFlight <= 0 {
		o.InFlight = 2000
	}
	if o.Fails == nil {
		o.Fails = func(status int) bool { return status >= 500 }
	}
	if o.Keep <= 0 {
		o.Keep = 10
	}
	return nil
}

// Report is what was seen so far; the load goes on.
func (g *Generator) Report() *Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.report.clone()
}

// Stop ends the load, waits for the answers to what is under way, and gives the
// whole report. It may be called more than once.
func (g *Generator) Stop() *Report {
	g.cancel()
	return g.Wait()
}

// Wait is Stop that leaves the end to the context.
func (g *Generator) Wait() *Report {
	<-g.done
	return g.Report()
}

func (g *Generator) run(ctx context.Context) {
	defer close(g.done)
	defer g.cancel()
	if g.own != nil {
		defer g.own.CloseIdleConnections()
	}
	var flying sync.WaitGroup
	defer flying.Wait()
	begin := time.Now()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.report.Ran = time.Since(begin)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		// Reckoned from the start, so that no error adds up.
		at := begin.Add(time.Duration(float64(n) / g.options.Rate * float64(time.Second)))
		timer.Reset(time.Until(at))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if ctx.Err() != nil { // both were ready
			return
		}
		if !g.takeOff(at) {
			continue
		}
		flying.Go(func() { g.send(context.WithoutCancel(ctx), at) })
	}
}

// takeOff counts a request that is to be sent; false where it is one too many.
func (g *Generator) takeOff(at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Sent++
	g.report.Lag = max(g.report.Lag, time.Since(at))
	if g.flying >= g.options.InFlight {
		g.report.fail(g.options.Keep, Failure{At: at, Err: errFull})
		return false
	}
	g.flying++
	return true
}

func (g *Generator) send(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	defer cancel()
	f, counted := g.exchange(ctx)
	f.At, f.Took = at, time.Since(at)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	if f.Status != 0 {
		g.report.observe(f.Status, f.Took)
		if g.options.Count != "" {
			g.report.Counted[counted]++
		}
	}
	if f.Err != nil || g.options.Fails(f.Status) {
		g.report.fail(g.options.Keep, f)
	}
}

// excerptSize is how many bytes of a failure's body are kept.
const excerptSize = 512

// exchange gives the answer as if it were a failure, and the value that is
// counted.
func (g *Generator) exchange(ctx context.Context) (f Failure, counted string) {
	o := &g.options
	request, err := http.NewRequestWithContext(ctx, o.Method, o.URL, strings.NewReader(o.Body))
	if err != nil {
		return Failure{Err: err}, ""
	}
	if o.Header != nil {
		request.Header = o.Header.Clone()
	}
	if o.Body == "" {
		request.Body = http.NoBody
	}
	request.Host = o.Host
	response, err := o.Transport.RoundTrip(request)
	if err != nil {
		return Failure{Err: err}, ""
	}
	defer func() { _ = response.Body.Close() }()
	excerpt, err := io.ReadAll(io.LimitReader(response.Body, excerptSize))
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body) // else the connection could not be used again
	}
	if err != nil {
		err = fmt.Errorf("the answer ends early: %w", err)
	}
	return Failure{Status: response.StatusCode, Header: response.Header, Body: string(excerpt), Err: err}, response.Header.Get(o.Count)
}
