package kubelet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/lab/kubelet/probe"
)

// probe starts the probes of a container that just started; with the worker's
// lock held. Liveness and readiness wait for the startup probe.
func (w *worker) probe(c *container, spec *corev1.Container, proc *process) {
	ctx, cancel := context.WithCancel(context.Background())
	c.stopProbes = cancel
	c.started = spec.StartupProbe == nil
	c.ready = spec.ReadinessProbe == nil && c.started
	r := &probing{w: w, c: c, spec: spec, proc: proc, begun: w.k.o.Now()}
	if spec.StartupProbe == nil {
		r.others(ctx)
		return
	}
	go r.loop(ctx, "Startup", spec.StartupProbe, false, func(ok bool) bool {
		if !ok {
			w.kill(w.current(), c, r.grace(spec.StartupProbe), fmt.Sprintf("Container %s failed startup probe, will be restarted", c.name))
			return true
		}
		w.mu.Lock()
		if c.proc == proc {
			c.started = true
			c.ready = spec.ReadinessProbe == nil
		}
		w.mu.Unlock()
		w.poke()
		r.others(ctx)
		return true
	})
}

// probing is the probes of one run of a container.
type probing struct {
	w     *worker
	c     *container
	spec  *corev1.Container
	proc  *process
	begun time.Time
}

func (r *probing) others(ctx context.Context) {
	w, c := r.w, r.c
	if p := r.spec.LivenessProbe; p != nil {
		go r.loop(ctx, "Liveness", p, true, func(ok bool) bool {
			if !ok {
				w.kill(w.current(), c, r.grace(p), fmt.Sprintf("Container %s failed liveness probe, will be restarted", c.name))
			}
			return !ok
		})
	}
	if p := r.spec.ReadinessProbe; p != nil {
		go r.loop(ctx, "Readiness", p, false, func(ok bool) bool {
			w.mu.Lock()
			changed := c.proc == r.proc && c.ready != ok && r.proc.running()
			if changed {
				c.ready = ok
			}
			w.mu.Unlock()
			if changed {
				notify(w.dirty)
			}
			return false
		})
	}
}

func (r *probing) grace(p *corev1.Probe) time.Duration {
	if p.TerminationGracePeriodSeconds != nil {
		return time.Duration(*p.TerminationGracePeriodSeconds) * time.Second
	}
	return podGrace(r.w.current())
}

// firstRetry is after which time a probe of a container that just started is
// made again; the time doubles up to the probe's period. A kubelet waits a whole
// period, but an image's program takes seconds to start and the lab's
// milliseconds: it would nearly always be asked a moment too early.
const firstRetry = 50 * time.Millisecond

// loop probes until ctx ends or result says that it is enough. Results count
// when as many in a row as the threshold says were the same; initial is the
// result that holds before the first.
func (r *probing) loop(ctx context.Context, kind string, p *corev1.Probe, initial bool, result func(ok bool) bool) {
	period := time.Duration(max(p.PeriodSeconds, 1)) * time.Second
	if p.PeriodSeconds == 0 {
		period = 10 * time.Second
	}
	delay := time.Duration(p.InitialDelaySeconds)*time.Second - r.w.k.o.Now().Sub(r.begun)
	timer := time.NewTimer(max(delay, 0))
	defer timer.Stop()
	t := threshold{success: max(int(p.SuccessThreshold), 1), failure: int(p.FailureThreshold), state: initial}
	if t.failure <= 0 {
		t.failure = 3
	}
	early := firstRetry
	if initial { // liveness: a failure does harm
		early = period
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(early)
		err := r.once(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if err != nil && early < period {
			early = min(2*early, period)
			continue // too early to count
		}
		timer.Reset(period)
		early = period
		if err != nil {
			r.w.k.event(r.w.current(), r.c.name, corev1.EventTypeWarning, "Unhealthy", kind+" probe failed: "+err.Error())
		}
		if t.add(err == nil) && result(t.state) {
			return
		}
	}
}

// threshold counts results in a row.
type threshold struct {
	success, failure int
	state            bool
	last             bool
	run              int
}

// add tells whether the threshold is reached; state is the result then.
func (t *threshold) add(ok bool) bool {
	if ok != t.last {
		t.run = 0
	}
	t.last = ok
	t.run++
	need := t.failure
	if ok {
		need = t.success
	}
	if t.run < need {
		return false
	}
	t.state = ok
	return true
}

func (r *probing) once(ctx context.Context, p *corev1.Probe) error {
	w := r.w
	timeout := time.Duration(max(p.TimeoutSeconds, 1)) * time.Second
	switch {
	case p.HTTPGet != nil:
		u, headers, err := w.httpTarget(r.spec, p.HTTPGet)
		if err != nil {
			return err
		}
		return w.podIPs(probe.HTTP(ctx, w.dial, u, headers, timeout))
	case p.TCPSocket != nil:
		port, err := portOf(r.spec, p.TCPSocket.Port)
		if err != nil {
			return err
		}
		host := p.TCPSocket.Host
		if host == "" {
			host = w.addr().String()
		}
		return w.podIPs(probe.TCP(ctx, w.dial, net.JoinHostPort(host, strconv.Itoa(port)), timeout))
	case p.GRPC != nil:
		service := ""
		if p.GRPC.Service != nil {
			service = *p.GRPC.Service
		}
		address := net.JoinHostPort(w.addr().String(), strconv.Itoa(int(p.GRPC.Port)))
		return w.podIPs(probe.GRPC(ctx, w.dial, address, service, timeout))
	case p.Exec != nil:
		return unknownCommand(p.Exec.Command)
	}
	return fmt.Errorf("the probe of container %s has no handler", r.c.name)
}
