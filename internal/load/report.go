package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Report is what a load has seen.
type Report struct {
	Sent   int            // requests whose time had come
	Codes  map[int]int    // answers by status code
	Errors map[string]int // requests without a whole answer, by reason
	Failed int            // failures of either kind
	// Failures are the first ones, in the order in which they came.
	Failures []Failure
	// Counted are answers by the value of the header that Options.Count names;
	// "" stands for answers without it.
	Counted map[string]int
	// Longest is the longest latency of an answer. Latencies count from the time
	// at which a request should have been sent.
	Longest time.Duration
	// Lag is how late the generator was at most: a machine that is too busy to
	// send measures itself.
	Lag time.Duration
	// Ran is how long requests were sent; 0 while they still are.
	Ran time.Duration

	answers int
	buckets map[int]int // latencies, 1 % apart
}

// Failure is a request that failed.
type Failure struct {
	At     time.Time     // when it should have been sent
	Took   time.Duration // until it had failed
	Status int           // 0 where no answer came
	Header http.Header
	Body   string // its first 512 bytes
	Err    error  // why no whole answer came; nil for a failing status
}

// String is one line.
func (f Failure) String() string {
	what := "no answer"
	if f.Status != 0 {
		what = fmt.Sprint(f.Status)
	}
	if f.Err != nil {
		what += ": " + f.Err.Error()
	}
	if f.Body != "" {
		what += fmt.Sprintf(" %q", f.Body)
	}
	return fmt.Sprintf("%s after %s: %s", f.At.Format("15:04:05.000"), f.Took.Round(time.Millisecond), what)
}

func newReport() *Report {
	return &Report{Codes: map[int]int{}, Errors: map[string]int{}, Counted: map[string]int{}, buckets: map[int]int{}}
}

func (r *Report) clone() *Report {
	c := *r
	c.Codes, c.Errors, c.Counted, c.buckets = maps.Clone(r.Codes), maps.Clone(r.Errors), maps.Clone(r.Counted), maps.Clone(r.buckets)
	c.Failures = slices.Clone(r.Failures)
	return &c
}

// growth is the width of a bucket: what is kept does not depend on how long a
// load runs, and quantiles are at most 1 % too high.
const growth = 1.01

func (r *Report) observe(status int, took time.Duration) {
	took = max(took, 1)
	r.answers++
	r.Codes[status]++
	r.Longest = max(r.Longest, took)
	r.buckets[int(math.Log(float64(took))/math.Log(growth))]++
}

func (r *Report) fail(keep int, f Failure) {
	r.Failed++
	if f.Err != nil {
		r.Errors[reason(f.Err)]++
	}
	if len(r.Failures) < keep {
		r.Failures = append(r.Failures, f)
	}
}

// reason is the innermost error: the outer ones name ports, which differ.
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

// Quantile is the latency that a share of the answers, 0 to 1, does not exceed;
// 0 where there is no answer. It is at most 1 % too high.
func (r *Report) Quantile(share float64) time.Duration {
	want, seen := int(math.Ceil(share*float64(r.answers))), 0
	for _, k := range slices.Sorted(maps.Keys(r.buckets)) {
		if seen += r.buckets[k]; seen >= want {
			return min(time.Duration(math.Pow(growth, float64(k+1))), r.Longest)
		}
	}
	return r.Longest
}

// Err is nil where requests were sent and none failed; else it says what was
// seen.
func (r *Report) Err() error {
	switch {
	case r.Sent == 0:
		return errors.New("load: no request was sent, so nothing is known; let the load run longer")
	case r.Failed > 0:
		return fmt.Errorf("load: expected no failure\n%s", r)
	}
	return nil
}

// String is a summary with the failures, a line each.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests", r.Sent)
	if r.Ran > 0 {
		fmt.Fprintf(&b, " in %s (%.0f per second)", r.Ran.Round(time.Millisecond), float64(r.Sent)/r.Ran.Seconds())
	}
	fmt.Fprintf(&b, ", %d failed", r.Failed)
	for _, code := range slices.Sorted(maps.Keys(r.Codes)) {
		fmt.Fprintf(&b, "; %d: %d", code, r.Codes[code])
	}
	for _, why := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "; %s: %d", why, r.Errors[why])
	}
	for _, value := range slices.Sorted(maps.Keys(r.Counted)) {
		fmt.Fprintf(&b, "; %q: %d", value, r.Counted[value])
	}
	fmt.Fprintf(&b, "; p50 %s, p95 %s, p99 %s, longest %s, sent up to %s late",
		short(r.Quantile(0.5)), short(r.Quantile(0.95)), short(r.Quantile(0.99)), short(r.Longest), short(r.Lag))
	for _, f := range r.Failures {
		b.WriteString("\n  " + f.String())
	}
	if more := r.Failed - len(r.Failures); more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
