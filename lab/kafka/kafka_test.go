package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// start runs a broker with two listeners and gives their addresses.
func start(t *testing.T, dir string) (inside, host string, stop func()) {
	t.Helper()
	b, err := open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	inside, host = free(t), free(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	_, port, _ := net.SplitHostPort(host)
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- b.serve(ctx, map[string]endpoint{inside: {Advertised, Port}, host: {"127.0.0.1", number}})
	}()
	return inside, host, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.cluster.Close()
	}
}

func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// client reaches the broker as a pod does: only by the advertised name, which
// leads to address; seed is what it is told to begin with.
func client(t *testing.T, seed, name, address string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(more, kgo.SeedBrokers(seed), kgo.AllowAutoTopicCreation(), kgo.RequestRetries(50),
		kgo.Dialer(func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != name {
				return nil, fmt.Errorf("asked for %s, which this client does not know", to)
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestEachSideIsToldAnAddressItKnows(t *testing.T) {
	inside, host, stop := start(t, "")
	defer stop()
	pod := client(t, "my-kafka:9092", "my-kafka:9092", inside, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	outside := client(t, host, host, host)
	if err := outside.ProduceSync(t.Context(), &kgo.Record{Topic: "shop", Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetches := pod.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	if r := fetches.Records(); len(r) != 1 || string(r[0].Value) != "hello" {
		t.Errorf("got %v", r)
	}
}

func TestWhatWasAcknowledgedSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	_, host, stop := start(t, dir)
	c := client(t, host, host, host, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit())
	for i := range 10 {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "shop", Value: fmt.Appendf(nil, "%d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var read []*kgo.Record
	for len(read) < 10 {
		read = append(read, c.PollFetches(t.Context()).Records()...)
	}
	if err := c.CommitRecords(t.Context(), read[:4]...); err != nil {
		t.Fatal(err)
	}
	c.Close()
	stop()
	_, host, stop = start(t, dir)
	defer stop()
	c = client(t, host, host, host, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop"))
	var again []*kgo.Record
	for len(again) < 6 {
		f := c.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		again = append(again, f.Records()...)
	}
	if string(again[0].Value) != "4" || len(again) != 6 {
		t.Errorf("got %d records from %q on, want 6 from 4 on", len(again), again[0].Value)
	}
}

func FuzzRequestHeader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 1, 0, 1, 'a', 0, 1}, true)
	f.Add([]byte{0, 3, 0, 1, 0, 0, 0, 1, 255, 255}, false)
	f.Fuzz(func(t *testing.T, b []byte, flexible bool) {
		if rest, ok := skipRequestHeader(b, flexible); ok && len(rest) > len(b) {
			t.Error("it grew")
		}
	})
}
