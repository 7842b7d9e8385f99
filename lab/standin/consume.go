package standin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/meshstorm/meshstorm/lab/store"
)

// consumes tells whether the context waits for any event.
func (d *domain) consumes() bool {
	return len(d.policies) > 0 || slices.ContainsFunc(d.views, func(v *view) bool { return len(v.rules) > 0 })
}

// waits tells whether something reacts to an event of this name.
func (d *domain) waits(name string) bool {
	return len(d.policies[name]) > 0 || slices.ContainsFunc(d.views, func(v *view) bool {
		return slices.ContainsFunc(v.rules, func(r *rule) bool { return r.event == name })
	})
}

// EventsVariable keeps a pod from consuming events: with the value "paused" it
// never joins its consumer group, serves requests and publishes as ever. A
// canary gets it from canary.env in the workspace's settings.
const EventsVariable = "MESHSTORM_EVENTS"

const eventsPaused = "paused"

// paused tells whether the environment keeps the pod from consuming. Another
// value than the known one is told of, for it does not pause.
func (s *service) paused() bool {
	value := s.env(EventsVariable)
	if value != "" && value != eventsPaused {
		s.log.Warn("the value is not known, so events are consumed; expected "+eventsPaused+" or no such variable", "variable", EventsVariable, "value", value)
	}
	return value == eventsPaused
}

// consume lets the context react to events until ctx ends, in a group of its
// own, so that each event reaches one replica. A changed model may begin or end
// that.
func (s *service) consume(ctx context.Context) error {
	if s.paused() {
		s.log.Info("events are not consumed: the pod stays out of its consumer group", EventsVariable, eventsPaused, "group", s.group())
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		d, changed := s.current()
		if !d.consumes() {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if err := s.consumeTopic(ctx, d.topic(s.spec.Namespace)); err != nil {
			return err
		}
	}
	return nil
}

// consumeTopic reads a topic until ctx ends or the model asks for another one.
func (s *service) consumeTopic(ctx context.Context, topic string) error {
	client, err := s.client(
		kgo.ConsumerGroup(s.group()), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.KeepRetryableFetchErrors(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // as the binder does for a new group
		kgo.FetchMaxBytes(1<<20), kgo.FetchMaxPartitionBytes(256<<10), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(2*time.Second), kgo.RebalanceTimeout(10*time.Second))
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.CloseAllowingRebalance() // leaves the group
	for ctx.Err() == nil {
		if err := ensure(ctx, client, topic); err == nil {
			break
		} else if ctx.Err() == nil {
			s.log.Warn("the topic is not there yet", "topic", topic, "brokers", s.brokers, "error", err)
			pause(ctx, time.Second)
		}
	}
	s.log.Info("waiting for events", "topic", topic, "group", s.group())
	missing := 0
	for ctx.Err() == nil {
		if d := s.domain.Load(); !d.consumes() || d.topic(s.spec.Namespace) != topic {
			return nil
		}
		lost := s.poll(ctx, client)
		switch {
		case lost == nil:
			missing = 0
		case errors.Is(lost, kerr.UnknownTopicOrPartition) && missing < 10:
			missing++ // for a moment that is so of a topic that was just made
		default:
			s.log.Warn("the broker has lost the topic; starting to read it anew", "topic", topic, "error", lost)
			pause(ctx, time.Second)
			return nil
		}
	}
	return nil
}

// group is the consumer group of all replicas and tracks.
func (s *service) group() string {
	namespace := s.spec.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return namespace + "." + s.domain.Load().service
}

// poll works on what has come, oldest first across partitions, and then tells
// the broker: an event that was being worked on when the pod was killed comes
// again. It gives an error where the topic is another than when the client was
// made.
func (s *service) poll(ctx context.Context, client *kgo.Client) (lost error) {
	limit, cancel := context.WithTimeout(ctx, 5*time.Second) // to see a changed model
	fetches := client.PollRecords(limit, 100)
	cancel()
	defer client.AllowRebalance()
	fetches.EachError(func(topic string, partition int32, err error) {
		switch {
		case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
			lost = err
		}
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			s.log.Debug("reading a topic", "topic", topic, "partition", partition, "error", err)
			pause(ctx, 100*time.Millisecond)
		}
	})
	records := fetches.Records()
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	var done []*kgo.Record
	for _, r := range records {
		if !s.receive(ctx, r) {
			break
		}
		done = append(done, r)
	}
	if len(done) == 0 {
		return lost
	}
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := client.CommitRecords(commit, done...); err != nil {
		s.log.Warn("the broker was not told what is done: these events come again, and act no second time", "error", err)
	}
	return lost
}

// receive works on one record. It gives false where the pod stops before it is
// done.
func (s *service) receive(ctx context.Context, r *kgo.Record) bool {
	d := s.domain.Load()
	e := messageOf(r)
	if e == nil || !d.waits(e.name) {
		return true
	}
	carried := http.Header{}
	for _, h := range r.Headers {
		carried.Set(h.Key, string(h.Value))
	}
	ctx = withTrace(ctx, carried)
	for try := 1; ctx.Err() == nil; try++ {
		err := s.react(ctx, d, e)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case try >= 3 && !passing(err):
			// The original's binder gives up after three attempts too.
			s.log.Error("an event is given up", "event", e.name, "id", e.id, "attempts", try, "error", err)
			return true
		}
		if try == 1 || try%10 == 0 {
			s.log.Warn("an event is tried again", "event", e.name, "id", e.id, "attempt", try, "error", err)
		}
		pause(ctx, min(time.Duration(try)*500*time.Millisecond, 10*time.Second))
	}
	return false
}

// passing errors are no fault of the event: it waits until they are over.
func passing(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrConflict)
}

// messageOf reads a record; nil where it is no event. Its name is in the header
// "type" or the field eventType.
func messageOf(r *kgo.Record) *message {
	fields, ok := decode(r.Value).(values)
	if !ok {
		return nil
	}
	m := &message{values: fields}
	for _, h := range r.Headers {
		switch h.Key {
		case "type":
			m.name = string(h.Value)
		case idHeader:
			m.id = string(h.Value)
		}
	}
	if m.name == "" {
		m.name, _ = fields["eventType"].(string)
	}
	if m.id == "" { // of another program's producer
		m.id = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	}
	if m.name == "" {
		return nil
	}
	if fields["eventType"] == nil {
		fields["eventType"] = m.name
	}
	return m
}
