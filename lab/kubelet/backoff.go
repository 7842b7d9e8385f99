package kubelet

import "time"

// BackOff is how long a container that ended, or an image that can't be had, is
// left alone before the next try.
type BackOff struct {
	Initial time.Duration // 10 s, as the kubelet has it
	Max     time.Duration // 5 min; each try doubles the wait until then
}

func (b BackOff) orDefault() BackOff {
	if b.Initial <= 0 {
		b.Initial = 10 * time.Second
	}
	if b.Max <= 0 {
		b.Max = 5 * time.Minute
	}
	return b
}

// wait is the back-off of one container. The first failure has none; one that
// comes more than twice the maximum after the last try starts anew
// (Kubernetes, "Pod lifecycle": container restarts).
type wait struct {
	delay time.Duration // 0: never tried again yet
	last  time.Time     // when the delay was set
}

// until tells when a container that failed at the given time may start again.
func (w *wait) until(b BackOff, failed time.Time) time.Time {
	if w.delay == 0 || failed.Sub(w.last) > 2*b.Max {
		return failed
	}
	return failed.Add(w.delay)
}

// tried counts a try.
func (w *wait) tried(b BackOff, failed, now time.Time) {
	switch {
	case w.delay == 0 || failed.Sub(w.last) > 2*b.Max:
		w.delay = b.Initial
	default:
		w.delay = min(2*w.delay, b.Max)
	}
	w.last = now
}
