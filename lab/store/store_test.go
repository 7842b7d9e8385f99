package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/store"
)

// The test's program is also the server that tests kill or starve.
const (
	serverVariable = "STORE_TEST_SERVER" // DIR and SOCKET, with a space between
	limitVariable  = "STORE_TEST_LIMIT"  // how large a file may get, in bytes
)

func TestMain(m *testing.M) {
	dir, socket, ok := strings.Cut(os.Getenv(serverVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if n, err := strconv.ParseUint(os.Getenv(limitVariable), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	l, err := store.Listen(socket)
	if err == nil {
		err = store.Serve(context.Background(), dir, l, slog.New(slog.DiscardHandler))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "db")
}

// serve runs a server in this process; stop ends it.
func serve(t testing.TB, dir, socket string) (stop func()) {
	t.Helper()
	l, err := store.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Serve(ctx, dir, l, slog.New(slog.DiscardHandler)) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func open(t testing.TB) *store.Client {
	socket := socketPath(t)
	serve(t, t.TempDir(), socket)
	c := store.Open(socket, "default", "order")
	t.Cleanup(c.Close)
	return c
}

// child runs a server in a process of its own.
func child(t *testing.T, dir, socket string, env ...string) *exec.Cmd {
	t.Helper()
	_ = os.Remove(socket)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), serverVariable+"="+dir+" "+socket), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	c := store.Open(socket, "default", "order")
	defer c.Close()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if _, err := c.NextID(t.Context(), "ping"); err == nil {
			return cmd
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func at(n int64) *int64 { return &n }

func TestChanges(t *testing.T) {
	one := json.RawMessage(`{"a":1}`)
	put := func(key string) store.Batch {
		return store.Batch{Puts: []store.Put{{Type: "orders", Key: key, Value: one}}}
	}
	for _, c := range []struct {
		name     string
		batch    store.Batch
		versions string
		err      error
	}{
		{"a new record begins at version 0", put("9"), "[0]", nil},
		{"a record that is there gets the next version", put("1"), "[1]", nil},
		{"a change of the right version is taken", store.Batch{Puts: []store.Put{{Type: "orders", Key: "1", Value: one, IfAt: at(0)}}}, "[1]", nil},
		{"a change of an old version is a conflict", store.Batch{Puts: []store.Put{{Type: "orders", Key: "1", Value: one, IfAt: at(3)}}}, "", store.ErrConflict},
		{"a change of what is not there is a conflict", store.Batch{Puts: []store.Put{{Type: "orders", Key: "2", Value: one, IfAt: at(0)}}}, "", store.ErrConflict},
		{"creating what is there fails", store.Batch{Puts: []store.Put{{Type: "orders", Key: "1", Value: one, Create: true}}}, "", store.ErrExists},
		{"creating what is not there works", store.Batch{Puts: []store.Put{{Type: "orders", Key: "x y/é", Value: one, Create: true}}}, "[0]", nil},
		{"deleting works", store.Batch{Deletes: []store.Delete{{Type: "orders", Key: "1"}}}, "[]", nil},
		{"deleting an old version is a conflict", store.Batch{Deletes: []store.Delete{{Type: "orders", Key: "1", IfAt: at(7)}}}, "", store.ErrConflict},
		{"deleting what is not there fails", store.Batch{Deletes: []store.Delete{{Type: "orders", Key: "4"}}}, "", store.ErrNotFound},
		{"deleting of an unknown type fails", store.Batch{Deletes: []store.Delete{{Type: "none", Key: "4"}}}, "", store.ErrNotFound},
		{"an event that was processed changes nothing", store.Batch{Processed: "p/1", Puts: put("1").Puts}, "", store.ErrProcessed},
		{"an event of another consumer is another", store.Batch{Processed: "q/1", Puts: put("1").Puts}, "[1]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			first := put("1")
			first.Processed = "p/1"
			if _, err := db.Commit(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			versions, err := db.Commit(t.Context(), c.batch)
			if !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Fatalf("got error %v, want %v", err, c.err)
			}
			if got := fmt.Sprint(versions); err == nil && got != c.versions {
				t.Errorf("got versions %s, want %s", got, c.versions)
			}
		})
	}
}

func TestABatchIsAllOrNothing(t *testing.T) {
	db := open(t)
	_, err := db.Commit(t.Context(), store.Batch{
		Processed: "p/1",
		Puts:      []store.Put{{Type: "orders", Key: "1", Value: json.RawMessage(`{}`)}},
		Events:    []store.Event{{ID: "e"}},
		Deletes:   []store.Delete{{Type: "orders", Key: "404"}},
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := db.Get(t.Context(), "orders", "1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the put of a failed batch: %v", err)
	}
	if done, err := db.Processed(t.Context(), "p/1"); done || err != nil {
		t.Errorf("the mark of a failed batch: %v %v", done, err)
	}
	if events, err := db.Take(t.Context(), "me", 10, 0); len(events) > 0 || err != nil {
		t.Errorf("the events of a failed batch: %v %v", events, err)
	}
}

func TestKeysCountFromOneAndAreNeverGivenTwice(t *testing.T) {
	dir, socket := t.TempDir(), socketPath(t)
	stop := serve(t, dir, socket)
	db := store.Open(socket, "default", "order")
	next := func(want int64) {
		t.Helper()
		if got, err := db.NextID(t.Context(), "orders"); got != want || err != nil {
			t.Fatalf("got key %d %v, want %d", got, err, want)
		}
	}
	commit := func(b store.Batch) {
		t.Helper()
		if _, err := db.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	next(1)
	next(2)
	commit(store.Batch{Puts: []store.Put{{Type: "orders", Key: "2", Value: json.RawMessage(`{}`)}}})
	commit(store.Batch{Deletes: []store.Delete{{Type: "orders", Key: "2"}}})
	commit(store.Batch{Puts: []store.Put{{Type: "orders", Key: "7", Value: json.RawMessage(`{}`)}}})
	next(8)
	stop()
	serve(t, dir, socket)
	next(8) // it was reserved and never stored
	next(9)
	other := store.Open(socket, "other", "order")
	if got, err := other.NextID(t.Context(), "orders"); got != 1 || err != nil {
		t.Errorf("another namespace: %d %v", got, err)
	}
}

func TestLists(t *testing.T) {
	db := open(t)
	var b store.Batch
	for i, value := range []string{
		`{"name":"b","n":10,"in":{"x":1}}`, `{"name":"a","n":9}`, `{"name":null,"n":9.5}`, `{"n":9007199254740993,"ok":true}`, `{"name":"c","n":9007199254740992,"ok":false}`,
	} {
		b.Puts = append(b.Puts, store.Put{Type: "items", Key: strconv.Itoa([]int{1, 2, 10, 3, 11}[i]), Value: json.RawMessage(value)})
	}
	b.Puts = append(b.Puts, store.Put{Type: "items", Key: "text", Value: json.RawMessage(`{"n":"9"}`)})
	if _, err := db.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	where := func(field, value string) map[string]json.RawMessage {
		return map[string]json.RawMessage{field: json.RawMessage(value)}
	}
	for _, c := range []struct {
		name  string
		query store.Query
		keys  string
		total int
	}{
		{"without a sort numbers go by value and before text", store.Query{}, "1 2 3 10 11 text", 6},
		{"a page is cut out", store.Query{Page: 1, Size: 2}, "3 10", 6},
		{"a page beyond the end is empty", store.Query{Page: 9, Size: 2}, "", 6},
		{"a page far beyond the end is empty", store.Query{Page: 1 << 62, Size: 1000}, "", 6},
		{"numbers are sorted exactly", store.Query{Sort: []store.Order{{Field: "n"}}}, "2 10 1 11 3 text", 6},
		{"missing comes first, then text", store.Query{Sort: []store.Order{{Field: "name"}}}, "3 10 text 2 1 11", 6},
		{"descending turns it round", store.Query{Sort: []store.Order{{Field: "name", Descending: true}}}, "11 1 2 3 10 text", 6},
		{"a second field decides ties", store.Query{Sort: []store.Order{{Field: "name"}, {Field: "n", Descending: true}}, Size: 3}, "text 3 10", 6},
		{"a filter on text", store.Query{Where: where("name", `"a"`)}, "2", 1},
		{"a filter on a number does not care how it is spelled", store.Query{Where: where("n", `9.0`)}, "2", 1},
		{"a filter on a field inside", store.Query{Where: where("in.x", `1`)}, "1", 1},
		{"a filter on null finds what is missing", store.Query{Where: where("name", `null`)}, "3 10 text", 3},
		{"false is not missing", store.Query{Where: where("ok", `false`)}, "11", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			page, err := db.List(t.Context(), "items", c.query)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, r := range page.Records {
				keys = append(keys, r.Key)
			}
			if got := strings.Join(keys, " "); got != c.keys || page.Total != c.total {
				t.Errorf("got %q of %d, want %q of %d", got, page.Total, c.keys, c.total)
			}
		})
	}
}

func enqueue(t *testing.T, db *store.Client, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := db.Commit(t.Context(), store.Batch{Events: []store.Event{{ID: id, Topic: "mall", Value: json.RawMessage(`{}`)}}}); err != nil {
			t.Fatal(err)
		}
	}
}

func take(t *testing.T, db *store.Client, owner string, most int, wait time.Duration) (ids string, seqs []uint64) {
	t.Helper()
	events, err := db.Take(t.Context(), owner, most, wait)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		ids += e.ID
		seqs = append(seqs, e.Seq)
	}
	return ids, seqs
}

func TestTheOutboxGivesEventsInOrderToOneOwner(t *testing.T) {
	db := open(t)
	enqueue(t, db, "a", "b", "c")
	ids, seqs := take(t, db, "one", 2, 0)
	if ids != "ab" {
		t.Fatalf("took %q", ids)
	}
	if other, _ := take(t, db, "two", 10, 0); other != "" {
		t.Errorf("another owner took %q at the same time", other)
	}
	if err := db.Ack(t.Context(), "one", seqs[0]); err != nil {
		t.Fatal(err)
	}
	if ids, seqs = take(t, db, "two", 10, 0); ids != "bc" {
		t.Errorf("the other then took %q", ids)
	}
	if err := db.Ack(t.Context(), "two", seqs...); err != nil {
		t.Fatal(err)
	}
	if ids, _ := take(t, db, "one", 10, 0); ids != "" {
		t.Errorf("acknowledged events came again: %q", ids)
	}
}

func TestTakeWaitsForAnEvent(t *testing.T) {
	db := open(t)
	got := make(chan string)
	go func() {
		events, err := db.Take(context.Background(), "one", 10, time.Minute)
		got <- fmt.Sprint(len(events), err)
	}()
	enqueue(t, db, "a")
	if s := <-got; s != "1 <nil>" {
		t.Error(s)
	}
}

func TestOfManyWhoWaitOneGetsTheEvent(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string)
	for i := range 3 {
		go func() {
			events, err := db.Take(ctx, fmt.Sprint("owner", i), 10, time.Minute)
			if err != nil {
				got <- "cancelled"
				return
			}
			got <- fmt.Sprint(len(events))
		}()
	}
	enqueue(t, db, "a")
	if s := <-got; s != "1" {
		t.Fatal(s)
	}
	cancel()
	for range 2 {
		if s := <-got; s != "cancelled" {
			t.Error(s)
		}
	}
}

func TestAWaitingPodThatIsGoneGetsNoEvents(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() {
		_, _ = db.Take(ctx, "dead", 10, time.Minute)
		close(ended)
	}()
	cancel()
	<-ended
	enqueue(t, db, "a")
	if ids, _ := take(t, db, "alive", 10, 5*time.Second); ids != "a" {
		t.Errorf("took %q", ids)
	}
}

func TestEventsOfAPodThatWasKilledGoToAnother(t *testing.T) {
	db := open(t)
	enqueue(t, db, "a")
	if ids, _ := take(t, db, "dead", 10, 0); ids != "a" {
		t.Fatal(ids)
	}
	db.Close() // as the kernel does for who is killed
	if ids, _ := take(t, db, "alive", 10, 5*time.Second); ids != "a" {
		t.Errorf("took %q", ids)
	}
}

func TestReplicasCountTogether(t *testing.T) {
	socket := socketPath(t)
	serve(t, t.TempDir(), socket)
	setup := store.Open(socket, "default", "order")
	if _, err := setup.Commit(t.Context(), store.Batch{Puts: []store.Put{{Type: "n", Key: "1", Value: json.RawMessage(`0`)}}}); err != nil {
		t.Fatal(err)
	}
	const pods, each = 4, 25
	var group sync.WaitGroup
	for range pods {
		group.Go(func() {
			db := store.Open(socket, "default", "order")
			defer db.Close()
			for done := 0; done < each; {
				r, err := db.Get(context.Background(), "n", "1")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_ = json.Unmarshal(r.Value, &n)
				_, err = db.Commit(context.Background(), store.Batch{Puts: []store.Put{{Type: "n", Key: "1", Value: json.RawMessage(strconv.Itoa(n + 1)), IfAt: &r.Version}}})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	r, err := setup.Get(t.Context(), "n", "1")
	if err != nil || string(r.Value) != strconv.Itoa(pods*each) {
		t.Errorf("got %s %v", r.Value, err)
	}
}

func TestNothingAcknowledgedIsLostWhenTheLabIsKilled(t *testing.T) {
	dir, socket := t.TempDir(), socketPath(t)
	server := child(t, dir, socket)
	db := store.Open(socket, "default", "order")
	var mu sync.Mutex
	var acknowledged []string
	enough := make(chan bool)
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for i := 1; ; i++ {
				key := fmt.Sprintf("%d-%d", w, i)
				if _, err := db.Commit(context.Background(), store.Batch{
					Puts:   []store.Put{{Type: "orders", Key: key, Value: json.RawMessage(`{}`), Create: true}},
					Events: []store.Event{{ID: key}},
				}); err != nil {
					return
				}
				mu.Lock()
				if acknowledged = append(acknowledged, key); len(acknowledged) == 100 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	_ = server.Process.Kill()
	_ = server.Wait()
	group.Wait()
	child(t, dir, socket)
	events := map[string]bool{}
	list, err := db.Take(t.Context(), "me", 1<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		events[e.ID] = true
	}
	for _, key := range acknowledged {
		if _, err := db.Get(t.Context(), "orders", key); err != nil || !events[key] {
			t.Fatalf("%s was acknowledged: record %v, event %v", key, err, events[key])
		}
	}
	page, err := db.List(t.Context(), "orders", store.Query{Size: 1})
	if err != nil || page.Total != len(list) {
		t.Errorf("%d records and %d events: each transaction has one of both (%v)", page.Total, len(list), err)
	}
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	dir, socket := t.TempDir(), socketPath(t)
	server := child(t, dir, socket, limitVariable+"=4194304")
	db := store.Open(socket, "default", "order")
	value, _ := json.Marshal(strings.Repeat("x", 200_000))
	stored := 0
	for ; ; stored++ {
		_, err := db.Commit(t.Context(), store.Batch{Puts: []store.Put{{Type: "orders", Key: strconv.Itoa(stored), Value: value}}})
		if errors.Is(err, store.ErrFull) {
			if !strings.Contains(err.Error(), "disk") {
				t.Errorf("the error does not say what is full: %v", err)
			}
			break
		}
		if err != nil || stored > 1000 {
			t.Fatalf("after %d records: %v", stored, err)
		}
	}
	check := func() {
		t.Helper()
		page, err := db.List(t.Context(), "orders", store.Query{})
		if err != nil || page.Total != stored || len(page.Records) != stored {
			t.Fatalf("%d of %d records are there (%v)", len(page.Records), stored, err)
		}
	}
	check()
	if _, err := db.Commit(t.Context(), store.Batch{Deletes: []store.Delete{{Type: "orders", Key: "0"}}}); err == nil {
		stored-- // there may or may not be room for that
	}
	check()
	_ = server.Process.Kill()
	_ = server.Wait()
	child(t, dir, socket)
	check()
	if _, err := db.Commit(t.Context(), store.Batch{Puts: []store.Put{{Type: "orders", Key: "more", Value: value}}}); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestWithoutAServerTheClientSaysSo(t *testing.T) {
	db := store.Open(socketPath(t), "default", "order")
	if _, err := db.Get(t.Context(), "orders", "1"); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAClientGoesOnAfterTheServerWasStartedAnew(t *testing.T) {
	dir, socket := t.TempDir(), socketPath(t)
	stop := serve(t, dir, socket)
	db := store.Open(socket, "default", "order")
	enqueue(t, db, "a")
	stop()
	serve(t, dir, socket)
	enqueue(t, db, "b")
	if ids, _ := take(t, db, "me", 10, 0); ids != "ab" {
		t.Errorf("took %q", ids)
	}
}

func TestNamesThatAreNoLabelsReachNoFile(t *testing.T) {
	socket := socketPath(t)
	serve(t, t.TempDir(), socket)
	for _, name := range []string{"../x", "", "a/b", "A", "..", strings.Repeat("a", 64)} {
		if _, err := store.Open(socket, "default", name).Get(t.Context(), "orders", "1"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("the context %q: %v", name, err)
		}
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	dir, socket := t.TempDir(), socketPath(t)
	serve(t, dir, socket)
	enqueue(t, store.Open(socket, "default", "order"), "a")
	for file, want := range map[string]os.FileMode{socket: 0o600, filepath.Join(dir, "default"): 0o700, filepath.Join(dir, "default", "order.db"): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", file, info.Mode().Perm(), err, want)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	db := open(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id, _ := db.NextID(context.Background(), "orders")
			if _, err := db.Commit(context.Background(), store.Batch{
				Puts:   []store.Put{{Type: "orders", Key: strconv.FormatInt(id, 10), Value: json.RawMessage(`{"qty":3}`), Create: true}},
				Events: []store.Event{{ID: strconv.FormatInt(id, 10), Value: json.RawMessage(`{"qty":3}`)}},
			}); err != nil {
				b.Error(err)
			}
		}
	})
}
