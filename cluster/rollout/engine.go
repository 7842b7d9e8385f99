package rollout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/proxies"
)

var (
	// ErrAborted says that a verdict was bad and traffic went back to stable.
	ErrAborted = errors.New("the new version was taken back")
	// ErrPaused says that a rollout stopped where a person must decide.
	ErrPaused = errors.New("the rollout paused")
	// ErrNone says that no rollout of the service is known.
	ErrNone = errors.New("there is no canary")
	// ErrRunning says that a rollout of the service is not over.
	ErrRunning = errors.New("a canary is not over")
	// ErrRefused says why something is not done; the message says what to do.
	ErrRefused = errors.New("refused")
	// ErrTaken says that another process carries the rollout on now.
	ErrTaken = errors.New("another process carries this rollout on")
)

// Event is something that happened in a rollout.
type Event struct {
	Time    time.Time `json:"time"`
	Phase   Phase     `json:"phase"`
	Stage   Stage     `json:"stage,omitempty"`
	Step    int       `json:"step"`
	Weight  int       `json:"weight"` // percent
	Message string    `json:"message,omitempty"`
	Verdict *Verdict  `json:"verdict,omitempty"`
	Warning bool      `json:"warning,omitempty"`
}

// Promotion is what a promoted version changes in stable's pods.
type Promotion struct {
	Service, Namespace string
	// Old and New are the pod templates, as meshstorm applied them.
	Old, New map[string]any
	NoWrite  bool
}

// Engine does rollouts in one cluster. The zero value of all but Client works.
type Engine struct {
	Client  *cluster.Client
	Metrics metrics.Source // nil: nothing counts as healthy
	// Sync waits until the proxies have what is expected; default: istiod is
	// asked. Without the right to do so it warns and waits for three seconds.
	Sync func(context.Context, proxies.Expectation) error
	// Events hears what happens, one at a time; may be nil.
	Events func(Event)
	// Files writes a promoted version into a workspace; may be nil. It must
	// bear being called again.
	Files func(context.Context, Promotion) error
	// Timeout is how long pods have to become ready; default: 5 minutes.
	Timeout time.Duration

	open func(service string) (world, store) // for tests
	hold func(ctx context.Context, service string) (context.Context, func(), error)
}

func (e *Engine) parts(namespace, service string) (world, store) {
	if e.open != nil {
		return e.open(service)
	}
	l := &live{Engine: e}
	return l, &configMap{client: e.Client, namespace: namespace, service: service}
}

// lease takes the rollout's Lease; the error is a *cluster.HeldError while
// somebody else has it.
func (e *Engine) lease(ctx context.Context, namespace, service string) (context.Context, func(), error) {
	if e.hold != nil {
		return e.hold(ctx, service)
	}
	within, held, err := e.Client.Take(ctx, namespace, Name(service), 0, nil)
	if err != nil {
		return nil, nil, err
	}
	return within, held.Release, nil
}

func (e *Engine) namespace() string {
	if e.Client == nil {
		return "default"
	}
	return e.Client.Namespace
}

// Start begins a rollout that Propose has checked, and carries it on. The error
// wraps ErrAborted when it was taken back, by a verdict or by somebody, and
// ErrPaused after a pause that nobody planned.
func (e *Engine) Start(ctx context.Context, p *Proposal) (*State, error) {
	s := p.State
	w, st := e.parts(s.Plan.Namespace, s.Plan.Service)
	within, release, err := e.lease(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return nil, err
	}
	defer release()
	old, q, err := st.load(within)
	if err != nil {
		return nil, err
	}
	if old != nil && !old.Phase.Ended() {
		return old, running(old)
	}
	now := time.Now()
	s.APIVersion, s.Started, s.Since, s.Epoch = "meshstorm.io/v1", now, now, 1
	s.Answered = q.ID // of the rollout before
	if old != nil {
		s.Epoch = old.Epoch + 1
	}
	s.Plan.ID = strconv.FormatInt(now.UnixNano(), 36)
	r := &run{Engine: e, world: w, store: st, state: s}
	if err := st.take(within, s); err != nil {
		return nil, err
	}
	r.tell("")
	err = whole(within, r.carry(within))
	return r.state, r.state.orAborted(err)
}

// orAborted makes an end that somebody else asked for an error for those who
// wanted the new version.
func (s *State) orAborted(err error) error {
	if err == nil && s.Phase == Aborted {
		return fmt.Errorf("%w: %s", ErrAborted, s.Reason)
	}
	return err
}

func running(s *State) error {
	name := s.Plan.Service
	return fmt.Errorf("%w: %s of %s is %s since %s; `meshstorm canary resume %s` goes on with it, `meshstorm canary abort %s` takes it back", ErrRunning, s.Plan.Image, name, s.Phase, clock(s.Since), name, name)
}

// ResumeOptions say how to go on.
type ResumeOptions struct {
	// Next goes to the next step whatever the verdict of the present one is,
	// unless it is bad.
	Next bool
}

// Resume carries on what somebody else left, or what paused. What was measured
// meanwhile is judged first.
func (e *Engine) Resume(ctx context.Context, service string, o ResumeOptions) (*State, error) {
	s, err := e.claim(ctx, service, func(ctx context.Context, r *run) error {
		s := r.state
		if s.Phase.Ended() {
			return fmt.Errorf("%w of %s that could go on: it was %s at %s", ErrNone, service, s.Phase, clock(s.Since))
		}
		if s.Phase != Paused && (s.Phase != Watching || !o.Next) {
			return nil
		}
		v := r.measure(ctx)
		r.tellVerdict(v)
		now := time.Now()
		switch {
		case v.Judgement == Bad:
			s.judged(v)
			s.abort(now, true, v.Reason)
		case o.Next || s.Planned:
			if s.Plan.last(s.Step) && !s.Plan.promotes() {
				return fmt.Errorf("%w: all steps are done; `meshstorm canary promote %s` makes it stable, `meshstorm canary abort %s` takes it back", ErrRefused, service, service)
			}
			r.advance(now)
		default:
			s.enter(now, Shifting, "") // the step begins anew
		}
		s.Planned = false
		return r.save(ctx)
	})
	if s == nil {
		return nil, err
	}
	return s, s.orAborted(err)
}

// EndOptions say how to end a rollout.
type EndOptions struct {
	By    string // who asks
	Force bool   // promote in spite of a bad verdict
}

// Promote makes the new version stable now. Where another process holds the
// rollout it is asked to, and followed.
func (e *Engine) Promote(ctx context.Context, service string, o EndOptions) (*State, error) {
	return e.end(ctx, service, AskPromote, o, func(ctx context.Context, r *run) error {
		s := r.state
		switch s.Phase {
		case Promoting:
			return nil
		case Shifting, Watching, Paused:
		default:
			return fmt.Errorf("%w: it is %s, and only a canary with traffic can be promoted", ErrRefused, s.Phase)
		}
		if v := r.measure(ctx); !o.Force && v.Judgement == Bad {
			r.tellVerdict(v)
			return fmt.Errorf("%w: %s; --force promotes it all the same", ErrRefused, v.Reason)
		}
		s.Reason, s.Planned = "asked for by "+o.By, false
		s.enter(time.Now(), Promoting, Scale)
		return r.save(ctx)
	})
}

// Abort takes the new version back now.
func (e *Engine) Abort(ctx context.Context, service string, o EndOptions) (*State, error) {
	return e.end(ctx, service, AskAbort, o, func(ctx context.Context, r *run) error {
		s := r.state
		switch {
		case s.Phase.Ended():
			return fmt.Errorf("%w of %s to abort: it was %s at %s", ErrNone, service, s.Phase, clock(s.Since))
		case s.Phase == Aborting:
			return nil
		case s.late():
			return fmt.Errorf("%w: stable serves the new version already; `meshstorm canary resume %s` ends the promotion, then start the old image", ErrRefused, service)
		}
		s.abort(time.Now(), false, "asked for by "+o.By)
		return r.save(ctx)
	})
}

// claim takes the Lease, changes the state with begin, and carries on.
func (e *Engine) claim(ctx context.Context, service string, begin func(context.Context, *run) error) (*State, error) {
	w, st := e.parts(e.namespace(), service)
	within, release, err := e.lease(ctx, e.namespace(), service)
	if err != nil {
		return nil, err
	}
	defer release()
	s, q, err := st.load(within)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fmt.Errorf("%w of %s in namespace %s", ErrNone, service, e.namespace())
	}
	s.Epoch++
	if !s.Phase.Ended() {
		// What was asked of somebody who is gone still counts for an abort.
		if s.heeds(q) && q.Verb == AskAbort {
			s.abort(time.Now(), false, "asked for by "+q.By)
		}
		s.Answered = q.ID
		if err := st.take(within, s); err != nil {
			return nil, err
		}
	}
	r := &run{Engine: e, world: w, store: st, state: s}
	if err := begin(within, r); err != nil {
		return s, err
	}
	err = whole(within, r.carry(within))
	return r.state, err
}

// whole says why a context ended, where it was the Lease that was lost.
func whole(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, cluster.ErrLost) {
		return fmt.Errorf("%w: %w", ErrTaken, cause)
	}
	return err
}

// end acts itself where nobody holds the rollout, and asks the holder where
// somebody does.
func (e *Engine) end(ctx context.Context, service string, verb Verb, o EndOptions, begin func(context.Context, *run) error) (*State, error) {
	var held *cluster.HeldError
	s, err := e.claim(ctx, service, begin)
	if !errors.As(err, &held) {
		return s, err
	}
	_, st := e.parts(e.namespace(), service)
	q := Request{ID: strconv.FormatInt(time.Now().UnixNano(), 36), Verb: verb, By: o.By}
	if err := st.ask(ctx, q); err != nil {
		return nil, err
	}
	e.emit(Event{Time: time.Now(), Message: fmt.Sprintf("%s carries it on and was asked to %s", held.Holder, verb)})
	for told := ""; ; {
		if err := sleep(ctx, pollEvery); err != nil {
			return s, err
		}
		if s, _, err = st.load(ctx); err != nil || s == nil {
			return s, err
		}
		if line := string(s.Phase) + string(s.Stage); line != told {
			told = line
			(&run{Engine: e, state: s}).tell("")
		}
		wanted := map[Verb]Phase{AskAbort: Aborted, AskPromote: Promoted}[verb]
		if s.Phase == wanted {
			return s, nil
		}
		if s.Phase.Ended() {
			return s, fmt.Errorf("%w: it was %s before it could be asked to %s", ErrRefused, s.Phase, verb)
		}
		// The holder may have died since.
		taken, err := e.claim(ctx, service, begin)
		if taken != nil && taken.Phase == wanted {
			return taken, nil // it ended well, and then let go
		}
		if !errors.As(err, &held) {
			return taken, err
		}
	}
}

func (e *Engine) emit(event Event) {
	if e.Events != nil {
		e.Events(event)
	}
}

func (r *run) tell(message string) {
	s := r.state
	r.emit(Event{Time: time.Now(), Phase: s.Phase, Stage: s.Stage, Step: s.Step, Weight: s.Weight, Message: message})
}

func (r *run) tellVerdict(v Verdict) {
	s := r.state
	r.emit(Event{Time: v.Time, Phase: s.Phase, Stage: s.Stage, Step: s.Step, Weight: s.Weight, Verdict: &v})
}

func (e *Engine) warn(format string, args ...any) {
	e.emit(Event{Time: time.Now(), Message: fmt.Sprintf(format, args...), Warning: true})
}

func clock(t time.Time) string { return t.Local().Format(time.DateTime) }
