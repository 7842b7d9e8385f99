package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// brokerVariable makes the test program a broker on that address and folder.
const brokerVariable = "MESHSTORM_TEST_BROKER"

func TestMain(m *testing.M) {
	if at, dir, ok := strings.Cut(os.Getenv(brokerVariable), " "); ok {
		_, port, _ := net.SplitHostPort(at)
		number, _ := strconv.Atoi(port)
		s := &pod.Spec{Listen: netip.MustParseAddr("127.0.0.1"), Ports: []pod.Port{{Name: PortName, Port: number}}, Data: dir}
		if err := Run(context.Background(), s, func(string) string { return "" }, os.Stdout, slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// process starts a broker of its own, which kill ends with SIGKILL.
func process(t *testing.T, address, dir string) (kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), brokerVariable+"="+address+" "+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	return kill
}

func TestWhatWasAcknowledgedSurvivesKillMinusNine(t *testing.T) {
	dir := t.TempDir()
	address := "127.0.0.1:" + strconv.Itoa(free(t))
	kill := process(t, address, dir)
	c := podClient(t, address)
	acknowledged := map[string]bool{}
	var last string
	for life := range 3 {
		for i := range 200 {
			last = fmt.Sprintf("%d/%d", life, i)
			produce(t, c, "shop", last) // the same producer, over all lives
			acknowledged[last] = true
		}
		commit(t, address, 200*(life+1))
		kill()
		kill = process(t, address, dir)
	}
	reader := podClient(t, address, kgo.ConsumeTopics("shop"))
	for len(acknowledged) > 0 {
		for _, v := range consume(t, reader, 1) {
			delete(acknowledged, v)
			if v == last && len(acknowledged) > 0 {
				t.Fatalf("%d acknowledged messages are gone", len(acknowledged))
			}
		}
	}
	produce(t, c, "shop", "after")
	if got := consume(t, podClient(t, address, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop")), 1); got[0] != "after" {
		t.Errorf("the group goes on at %q, want after what it had committed", got[0])
	}
}

// commit lets group g read up to n messages and commit them.
func commit(t *testing.T, address string, n int) {
	t.Helper()
	g := podClient(t, address, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shop"), kgo.DisableAutoCommit())
	defer g.Close()
	for {
		f := g.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		records := f.Records()
		if len(records) == 0 {
			continue
		}
		if err := g.CommitRecords(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		if records[len(records)-1].Offset == int64(n-1) {
			return
		}
	}
}

func TestTwoBrokersDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock(ctx, dir); err == nil || !strings.Contains(err.Error(), "another broker is at work") {
		t.Errorf("got %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v; want it for its owner only", info.Mode(), err)
	}
}

func TestATornJournalIsCutBehindItsLastWholeEntry(t *testing.T) {
	dir := t.TempDir()
	address, stop := start(t, dir)
	c := podClient(t, address)
	produce(t, c, "shop", "one")
	produce(t, c, "shop", "two")
	commit(t, address, 2)
	stop()
	name := filepath.Join(dir, "kafka", "groups.log")
	whole, err := os.ReadFile(name)
	if err != nil || len(whole) == 0 {
		t.Fatalf("no journal of groups: %v", err)
	}
	for _, tail := range [][]byte{{1}, {9, 0, 0, 0, 1, 2, 3, 4, 5, 6}, whole[:len(whole)-1]} {
		if err := os.WriteFile(name, append(bytes.Clone(whole), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := trim(name); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := wholeEntries(got); n != len(got) || !bytes.HasPrefix(got, whole) {
			t.Errorf("%d of %d bytes are whole entries behind the tail %v", n, len(got), tail)
		}
	}
}

// With a limit on the size of files, writing fails as on a full disk.
func TestAFullDiskLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	address, stop := start(t, dir)
	c := podClient(t, address, kgo.RecordDeliveryTimeout(0), kgo.RecordRetries(3))
	produce(t, c, "shop", "first")

	acknowledged := fill(t, c)
	produce(t, podClient(t, address), "shop", "space again")
	got := consume(t, podClient(t, address, kgo.ConsumeTopics("shop")), acknowledged+2)
	if got[0] != "first" || got[len(got)-1] != "space again" {
		t.Errorf("got %d messages from %q to %q", len(got), got[0], got[len(got)-1])
	}
	stop()
	address, _ = start(t, dir)
	after := consume(t, podClient(t, address, kgo.ConsumeTopics("shop")), len(got))
	if len(after) != len(got) {
		t.Errorf("%d messages after a restart, %d before", len(after), len(got))
	}
}

// fill produces until the disk is full and gives how many messages were taken.
// Then there is space again.
func fill(t *testing.T, c *kgo.Client) int {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	ignoreSizeSignal(t)
	small := before
	small.Cur = 64 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	value := make([]byte, 4<<10)
	_, _ = rand.Read(value) // does not compress
	for n := 0; n < 100; n++ {
		err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "shop", Value: value}).FirstErr()
		if err != nil {
			if errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n == 0 {
				t.Error("nothing was taken before the disk was full")
			}
			return n
		}
	}
	t.Fatal("producing to a full disk succeeded")
	return 0
}

// ignoreSizeSignal lets writes beyond the limit fail with an error, instead of
// ending the process.
func ignoreSizeSignal(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := wholeEntries(raw)
		if n < 0 || n > len(raw) || wholeEntries(raw[:n]) != n {
			t.Errorf("%d of %d bytes", n, len(raw))
		}
	})
}
