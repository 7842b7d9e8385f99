package kafka

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
)

// spec is a pod with a free port, on 127.0.0.1.
func spec(t *testing.T, dir string) (*pod.Spec, string) {
	t.Helper()
	inside := free(t)
	return &pod.Spec{
		Listen: netip.MustParseAddr("127.0.0.1"), IP: netip.MustParseAddr("10.244.3.3"), Net: loopback.Default,
		Ports: []pod.Port{{Name: PortName, Port: inside}}, Data: dir,
	}, "127.0.0.1:" + strconv.Itoa(inside)
}

func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// start runs a broker for pods and gives its address.
func start(t *testing.T, dir string) (inside string, stop func()) {
	t.Helper()
	s, inside := spec(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, s, func(string) string { return "" }, io.Discard, slog.New(slog.DiscardHandler))
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return inside, stop
}

// known reaches the broker as a pod does: by the advertised name alone, which
// leads to address.
func known(t *testing.T, advertised, address string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(advertised), kgo.AllowAutoTopicCreation(), kgo.RequestRetries(100),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Dialer(func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != advertised {
				return nil, fmt.Errorf("asked for %s, which this client does not know", to)
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		})}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// podClient is a client of a broker that start gave.
func podClient(t *testing.T, address string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	return known(t, net.JoinHostPort(Advertised, port), address, more...)
}

func produce(t *testing.T, c *kgo.Client, topic, value string) {
	t.Helper()
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume gives the next n values.
func consume(t *testing.T, c *kgo.Client, n int) []string {
	t.Helper()
	var values []string
	for len(values) < n {
		f := c.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records() {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func TestEachSideIsToldAnAddressItKnows(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := doors{{l, address{"my-kafka", 9092}}, {m, address{"localhost", 39094}}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.serve(ctx, "", io.Discard, slog.New(slog.DiscardHandler)) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	sides := map[string]func(...kgo.Opt) *kgo.Client{
		"pod":  func(o ...kgo.Opt) *kgo.Client { return known(t, "my-kafka:9092", l.Addr().String(), o...) },
		"host": func(o ...kgo.Opt) *kgo.Client { return known(t, "localhost:39094", m.Addr().String(), o...) },
	}
	for name, side := range sides {
		produce(t, side(), "shop", "from the "+name)
	}
	for name, side := range sides {
		if got := consume(t, side(kgo.ConsumerGroup(name), kgo.ConsumeTopics("shop")), 2); len(got) != 2 {
			t.Errorf("a consumer group on the %s's side got %v", name, got)
		}
	}
}

func TestTheEnvironmentSaysWhatIsAdvertised(t *testing.T) {
	for _, test := range []struct {
		name, advertised, host string
		want                   []string
		fails                  string
	}{
		{name: "nothing set", want: []string{"my-kafka:%d"}},
		{name: "as Kafka's images", advertised: "PLAINTEXT://my-kafka.shop:9095,CONTROLLER://x:1", want: []string{"my-kafka.shop:9095"}},
		{name: "no HOST:PORT", advertised: "PLAINTEXT://my-kafka", fails: AdvertisedVariable + `: "my-kafka" is not HOST:PORT`},
		{name: "a port out of range", host: "127.0.0.1:99999", fails: HostVariable + `: "127.0.0.1:99999" is not HOST:PORT`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := spec(t, "")
			d, err := open(s, func(k string) string {
				return map[string]string{AdvertisedVariable: test.advertised, HostVariable: test.host}[k]
			})
			if test.fails != "" {
				if err == nil || err.Error() != test.fails {
					t.Fatalf("got error %v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			for i, want := range test.want {
				want = strings.ReplaceAll(want, "%d", strconv.Itoa(s.Ports[0].Port))
				if got := d[i].advertised.String(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

func TestWhatWasAcknowledgedSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	address, stop := start(t, dir)
	c := podClient(t, address, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop"), kgo.DisableAutoCommit())
	for i := range 10 {
		produce(t, c, "shop", strconv.Itoa(i))
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
	address, _ = start(t, dir)
	got := consume(t, podClient(t, address, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop")), 6)
	if strings.Join(got, " ") != "4 5 6 7 8 9" {
		t.Errorf("got %v, want what was not committed", got)
	}
}
