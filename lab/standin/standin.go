// Package standin is a bounded context's service: the model, executed. It takes
// a pod's Spec, finds the context that the label app names in the models of the
// pod's namespace, and behaves as the Spring services that the original
// generates: REST with HAL, events over Kafka, policies, read models, calls to
// other contexts. Nothing is known about any particular model; what the model
// leaves open is decided by the rules below.
//
// # Paths
//
// Paths are those that deploy derives, because routes are made of them: a
// collection and its items for each aggregate, custom command paths, a query for
// each read model. A key is part of an item's JSON, although Spring Data REST
// hides it.
//
// # Commands and events
//
// A plain POST, PUT, PATCH or DELETE stands for the repository commands of that
// method. A command with a path of its own acts on the item in its path, or
// creates one where it is a POST on the collection. A command publishes the
// events it is drawn to; else its outputEvents; else the event that says the
// same in the past tense (StartDelivery, DeliveryStarted); else, for plain
// changes, those events of the aggregate's lifecycle (@PostPersist, @PostUpdate,
// @PreRemove) that nothing is drawn to. Since the tool gives every event
// @PostPersist, the verb decides there: OrderCancelled is of a DELETE,
// PriceChanged of an update.
//
// An event has the aggregate's values of the same names after the change, else
// the request's or the causing event's, and always the aggregate's key.
//
// # Policies
//
// A policy executes the commands it is drawn to, then what the events it is
// drawn to say: the item of the event's aggregate that the incoming event refers
// to changes (see referred for how it is found), and where there is none, one
// is made, unless the verb needs one: Decrease, Increase, Cancel, Update and
// the like.
//
// # Values
//
// Fields take values of the same name. Decrease and Increase (and Reduce,
// Deduct, Restock, …) take from or add to the number that the name holds
// (DecreaseStock: stock), or the only whole number there is, the input's qty,
// quantity, amount or count, else 1; stock may fall below zero, for the model has
// no rule against it. A field status (or orderStatus of an Order) becomes the
// published event's name, or the constant that the name holds, unless the
// request gives it a value.
//
// # Calls
//
// A synchronous relation to another context is an HTTP request to
// http://SERVICE:8080 through the pod's sidecar, before anything is written. It
// asks for the item whose id is in a field AGGREGATEId or CONTEXTId, else for the
// collection. If it fails, so does the command, with 500, unless the relation
// has a fallback. External systems are called where EXTERNAL_NAME_URL is set.
//
// # Delivery
//
// An event is written with the change that causes it and published from there,
// so it is delivered at least once, and acts once. A pod with
// MESHSTORM_EVENTS=paused publishes and never consumes.
package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/store"
)

// grace is how long requests that are being answered may take when the pod
// stops.
const grace = 20 * time.Second

// Run serves a pod's bounded context until ctx ends; then it finishes the
// requests it has and leaves its consumer group. It fails where the models have
// no context that the label app names, or a port cannot be bound. Env is the
// container's environment; out takes the line that says what is served.
func Run(ctx context.Context, s *pod.Spec, env func(string) string, out io.Writer, log *slog.Logger) error {
	return newService(s, env, log).run(ctx, out)
}

// service is a context's process.
type service struct {
	spec     *pod.Spec
	env      func(string) string
	log      *slog.Logger
	store    *store.Client
	http     *http.Client
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	brokers  []string
	owner    string // in the outbox
	workload string
	faults   faults
	now      func() time.Time
	random   func() float64 // 0 to 1
	started  time.Time
	stopping atomic.Bool

	domain  atomic.Pointer[domain]
	mu      sync.Mutex
	changed chan struct{} // closed when domain is another
}

func newService(spec *pod.Spec, env func(string) string, log *slog.Logger) *service {
	dial := spec.Dialer().DialContext
	return &service{
		spec: spec, env: env, log: log, dial: dial,
		http: &http.Client{Transport: &http.Transport{
			DialContext: dial, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: callTimeout,
		}},
		brokers: brokersOf(environ(env)), owner: spec.UID + "/" + spec.Name, workload: workloadOf(spec), faults: faultsOf(spec.Annotations, log),
		now: time.Now, random: rand.Float64, started: time.Now(), changed: make(chan struct{}),
	}
}

// environ finds the variables that may name brokers: those of this process,
// with the values that env gives.
func environ(env func(string) string) []string {
	names := []string{"SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS", "KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS"}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = name + "=" + env(name)
	}
	return list
}

// hash is what a Deployment's pods have behind its name: the template's hash and
// five characters; a StatefulSet's have a number.
var hash = regexp.MustCompile(`^(.+)-[a-z0-9]{1,10}-[a-z0-9]{5}$`)

var ordinal = regexp.MustCompile(`^(.+)-[0-9]+$`)

// workloadOf is the name of the pod's owner.
func workloadOf(s *pod.Spec) string {
	if template := s.Labels["pod-template-hash"]; template != "" {
		if i := strings.LastIndex(s.Name, "-"+template+"-"); i > 0 {
			return s.Name[:i]
		}
	}
	for _, pattern := range []*regexp.Regexp{hash, ordinal} {
		if m := pattern.FindStringSubmatch(s.Name); m != nil {
			return m[1]
		}
	}
	return s.Name
}

// current is the domain, and a channel that is closed when it changes.
func (s *service) current() (*domain, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.domain.Load(), s.changed
}

func (s *service) take(d *domain) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.logNotes(s.log)
	s.domain.Store(d)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *service) run(ctx context.Context, out io.Writer) error {
	app := s.spec.Labels["app"]
	watched := &models{dir: s.spec.Models, app: app, log: s.log}
	if err := watched.watch(ctx, s.take); err != nil {
		return fmt.Errorf("stand-in for app=%s: %w", app, err)
	}
	d := s.domain.Load()
	s.store = store.Open(s.spec.Store, namespaceOf(s.spec), d.service)
	defer s.store.Close()
	listeners, err := s.listen()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	fmt.Fprintf(out, "%s %s stands in for the bounded context %s of %s: %s\n", s.workload, s.spec.Tag, d.label, d.workspace, d.paths())
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error { return s.publish(ctx) })
	group.Go(func() error { return s.consume(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		s.stopping.Store(true)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return server.Shutdown(end)
	})
	return group.Wait()
}

func namespaceOf(s *pod.Spec) string {
	if s.Namespace == "" {
		return "default"
	}
	return s.Namespace
}

// listen binds the container's ports, 8080 where it names none.
func (s *service) listen() ([]net.Listener, error) {
	ports := s.spec.Ports
	if len(ports) == 0 {
		ports = []pod.Port{{Port: 8080}}
	}
	var list []net.Listener
	for _, p := range ports {
		if p.Protocol != "" && p.Protocol != "TCP" {
			s.log.Warn("a port is not served: the lab's services speak TCP", "port", p.Port, "protocol", p.Protocol)
			continue
		}
		l, err := net.Listen("tcp", s.spec.ListenOn(p.Port))
		if err != nil {
			for _, open := range list {
				_ = open.Close()
			}
			return nil, fmt.Errorf("serve port %d: %w", p.Port, err)
		}
		list = append(list, l)
	}
	return list, nil
}
