package standin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/meshstorm/meshstorm/lab/store"
)

// defaultBrokers is what the original's services and deploy's settings assume.
const defaultBrokers = "my-kafka:9092"

// brokersOf finds the brokers' addresses in the environment: the variable of
// Spring Cloud Stream's binder, else the first by name that ends in _BROKERS or
// begins with KAFKA_BOOTSTRAP.
func brokersOf(environ []string) []string {
	vars := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	names := []string{"SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS"}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if strings.HasSuffix(name, "_BROKERS") || strings.HasPrefix(name, "KAFKA_BOOTSTRAP") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		var list []string
		for address := range strings.SplitSeq(vars[name], ",") {
			if address = strings.TrimSpace(address); address == "" {
				continue
			}
			if _, _, err := net.SplitHostPort(address); err != nil {
				address += ":9092"
			}
			list = append(list, address)
		}
		if len(list) > 0 {
			return list
		}
	}
	return []string{defaultBrokers}
}

// idHeader carries an event's id, by which a second delivery is known.
const idHeader = "meshstorm-event-id"

// client connects to the broker. Its buffers are small: a service of the lab
// has little to say, and there are many.
func (s *service) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.brokers...),
		kgo.Dialer(s.dial),
		kgo.ClientID(s.spec.Name),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(30 * time.Second),
		kgo.RetryBackoffFn(func(n int) time.Duration { return min(time.Duration(n+1)*200*time.Millisecond, 2*time.Second) }),
	}, opts...)...)
}

// publish carries the outbox to the topic until ctx ends. Events wait as long as
// the broker is away.
func (s *service) publish(ctx context.Context) error {
	away := false
	for ctx.Err() == nil {
		// After a failure with a new client: a broker that has lost its data
		// gives the topic another id, which a client does not take over.
		// Without the broker's idempotence a record can be given up at any time;
		// consumers know an event that comes twice by its id.
		client, err := s.client(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1),
			kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20), kgo.RecordDeliveryTimeout(produceTime),
			kgo.ProducerLinger(0), kgo.MaxBufferedRecords(500), kgo.ProducerBatchMaxBytes(256<<10))
		if err != nil {
			return fmt.Errorf("connect to Kafka: %w", err)
		}
		for err = nil; err == nil && ctx.Err() == nil; {
			var sent int
			if sent, err = s.publishSome(ctx, client); err == nil && sent > 0 && away {
				s.log.Info("events are published again")
				away = false
			}
		}
		client.Close()
		if err != nil && ctx.Err() == nil {
			if !away {
				s.log.Warn("events wait in the outbox", "brokers", s.brokers, "error", err)
				away = true
			}
			pause(ctx, 500*time.Millisecond)
		}
	}
	return nil
}

// publishSome takes events, sends them and takes those off the outbox that the
// broker has acknowledged; the first that fails holds back what follows.
func (s *service) publishSome(ctx context.Context, client *kgo.Client) (sent int, err error) {
	events, err := s.store.Take(ctx, s.owner, 200, 20*time.Second)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	records := make([]*kgo.Record, len(events))
	for i, e := range events {
		records[i] = recordOf(e)
	}
	failed := send(ctx, client, records)
	var done []uint64
	for i, r := range records {
		if err = failed(r); err != nil {
			break
		}
		done = append(done, events[i].Seq)
	}
	// Even when the pod stops: what is published must not be published again.
	ack, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return len(done), errors.Join(err, s.store.Ack(ack, s.owner, done...))
}

// produceTime is how long the broker may take: less than the outbox lends its
// events for.
const produceTime = 8 * time.Second

// send sends records and tells of each why it is not known to be on the topic.
func send(ctx context.Context, client *kgo.Client, records []*kgo.Record) (failed func(*kgo.Record) error) {
	ctx, cancel := context.WithTimeout(ctx, produceTime)
	defer cancel()
	type result struct {
		record *kgo.Record
		err    error
	}
	results := make(chan result, len(records))
	for _, r := range records {
		client.Produce(ctx, r, func(r *kgo.Record, err error) { results <- result{r, err} })
	}
	known := make(map[*kgo.Record]error, len(records))
	for range records {
		select {
		case r := <-results:
			known[r.record] = r.err
		case <-ctx.Done(): // the client may still hold records that it cannot give up
			return func(r *kgo.Record) error {
				if err, ok := known[r]; ok {
					return err
				}
				return fmt.Errorf("no acknowledgement: %w", ctx.Err())
			}
		}
	}
	return func(r *kgo.Record) error { return known[r] }
}

func recordOf(e store.Event) *kgo.Record {
	r := &kgo.Record{Topic: e.Topic, Key: []byte(e.Key), Value: e.Value}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(e.Headers[name])})
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: idHeader, Value: []byte(e.ID)})
	return r
}

// pause waits unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ensure creates a topic where there is none, as Spring Cloud Stream's binder
// does.
func ensure(ctx context.Context, client *kgo.Client, topic string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1 // as the broker likes
	req.Topics = append(req.Topics, t)
	req.TimeoutMillis = 5000
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
	}
	return nil
}
