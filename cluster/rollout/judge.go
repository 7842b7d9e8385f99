package rollout

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/meshstorm/meshstorm/cluster/metrics"
)

// target is what is measured.
func (s *State) target() metrics.Target {
	return metrics.Target{Namespace: s.Plan.Namespace, Service: s.Plan.Service, Workloads: []string{s.Plan.Service, s.Plan.Deployment()}}
}

// measure judges what the canary answered since the step's mark.
func (r *run) measure(ctx context.Context) Verdict {
	s := r.state
	v := Verdict{Time: time.Now(), Step: s.Step, Weight: s.percent(), Judgement: Unmeasured}
	if r.Metrics == nil {
		v.Reason = "there is nothing to measure with"
		return v
	}
	if s.Mark == "" {
		v.Reason = fmt.Sprintf("%s gave no beginning to measure from", r.Metrics.Name())
		return v
	}
	measured, err := r.Metrics.Since(ctx, s.target(), s.Mark)
	if err != nil {
		v.Reason = err.Error()
		return v
	}
	return judge(v, s, measured, r.Metrics.Name())
}

// judge compares what was measured with the bounds. A canary that is missing
// from the measurement is unknown, unless so little came in that it explains
// that.
func judge(v Verdict, s *State, measured map[string]metrics.Traffic, source string) Verdict {
	b := s.Plan.Bounds
	if stable, ok := measured[s.Plan.Service]; ok && !math.IsNaN(stable.Requests) && !math.IsNaN(stable.Errors) {
		v.Stable = &Answered{stable.Requests, stable.Errors, number(stable.P95)}
	}
	t, known := measured[s.Plan.Deployment()]
	if !known {
		stable, ok := measured[s.Plan.Service]
		w := float64(s.percent())
		if ok && w > 0 && w < 100 && stable.Requests*w/(100-w) < float64(b.MinRequests) {
			v.Judgement, v.Seconds = TooFew, stable.Duration
			v.Reason = fmt.Sprintf("no request was seen, %d are needed", b.MinRequests)
			return v
		}
		v.Reason = fmt.Sprintf("%s: nothing is known of %s", source, s.Plan.Deployment())
		return v
	}
	v.Requests, v.Errors, v.P95, v.Seconds = t.Requests, t.Errors, number(t.P95), t.Duration
	// Errors that would be too many even if all requests that are still missing
	// went well need no more evidence.
	rate := t.Errors / math.Max(t.Requests, float64(b.MinRequests))
	switch {
	case math.IsNaN(t.Requests) || math.IsNaN(t.Errors) || t.Requests < 0:
		v.Requests, v.Errors = 0, 0
		v.Reason = fmt.Sprintf("%s counts no requests of %s", source, s.Plan.Deployment())
	case rate > b.MaxErrorRate:
		v.Judgement = Bad
		v.Reason = fmt.Sprintf("%s errors in %.0f requests, the bound is %s", percentText(t.ErrorRate()), t.Requests, percentText(b.MaxErrorRate))
	case t.Requests < float64(b.MinRequests):
		v.Judgement = TooFew
		v.Reason = fmt.Sprintf("%.0f requests, %d are needed", t.Requests, b.MinRequests)
	case b.MaxP95.Duration > 0 && v.P95 == nil:
		v.Reason = fmt.Sprintf("%s has no times of %s", source, s.Plan.Deployment())
	case b.MaxP95.Duration > 0 && t.P95 > milliseconds(b.MaxP95.Duration):
		v.Judgement = Bad
		v.Reason = fmt.Sprintf("p95 %.0f ms in %.0f requests, the bound is %.0f ms", t.P95, t.Requests, milliseconds(b.MaxP95.Duration))
	default:
		v.Judgement = Healthy
		v.Reason = fmt.Sprintf("%s errors in %.0f requests", percentText(t.ErrorRate()), t.Requests)
		if v.P95 != nil {
			v.Reason += fmt.Sprintf(", p95 %.0f ms", t.P95)
		}
	}
	return v
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentText writes a share 0–1 as people read it.
func percentText(share float64) string {
	text := fmt.Sprintf("%.2f", share*100)
	for len(text) > 0 && text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return text + " %"
}
