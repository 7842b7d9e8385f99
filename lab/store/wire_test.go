package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func FuzzReadFrame(f *testing.F) {
	var good bytes.Buffer
	_ = writeFrame(&good, &request{Op: "get", Key: "1"})
	f.Add(good.Bytes())
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, '{'})
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, data []byte) {
		var q request
		if readFrame(bufio.NewReader(bytes.NewReader(data)), &q) != nil {
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, &q); err != nil {
			t.Fatal(err)
		}
		var same request
		if err := readFrame(bufio.NewReader(&again), &same); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzServer sends anything to a server, which must go on for others.
func FuzzServer(f *testing.F) {
	dir := f.TempDir()
	l, err := Listen(filepath.Join(dir, "db"))
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.Cleanup(cancel)
	go func() { _ = Serve(ctx, dir, l, slog.New(slog.DiscardHandler)) }()
	for _, text := range []string{`{"op":"commit"}`, `{"op":"list","namespace":"a","context":"b"}`, `{"op":"take","namespace":"a","context":"b"}`,
		`{"op":"commit","namespace":"a","context":"b","batch":{"puts":[{"type":"t","key":"1"}]}}`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("unix", filepath.Join(dir, "db"))
		if err != nil {
			t.Fatal(err)
		}
		frame := append([]byte{0, 0, byte(len(data) >> 8), byte(len(data))}, data...)
		_ = conn.SetDeadline(time.Now().Add(20 * time.Millisecond)) // a take may wait for long
		_, _ = conn.Write(frame)
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
		if _, err := Open(filepath.Join(dir, "db"), "default", "order").NextID(context.Background(), "x"); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzKeysKeepTheirOrder(f *testing.F) {
	f.Add("1", "2")
	f.Add("-5", "10")
	f.Add("01", "1")
	f.Add("", "9223372036854775808")
	f.Add("\x80\x00\x00\x00\x00\x00\x00\x01", "1")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := encodeKey(a), encodeKey(b)
		if got := decodeKey(x); got != a {
			t.Fatalf("%q came back as %q", a, got)
		}
		if (a == b) != bytes.Equal(x, y) {
			t.Fatalf("%q and %q are not told apart", a, b)
		}
		m, ok1 := numericKey(a)
		n, ok2 := numericKey(b)
		if ok1 && ok2 && (m < n) != (bytes.Compare(x, y) < 0) {
			t.Fatalf("%d and %d are in the wrong order", m, n)
		}
	})
}

func FuzzCompare(f *testing.F) {
	f.Add(`1`, `1.0`)
	f.Add(`"a"`, `null`)
	f.Add(`1e400000000`, `1e-400000000`)
	f.Add(`{"a":[1]}`, `[true]`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := decodeValue([]byte(a)), decodeValue([]byte(b))
		if compare(x, y) != -compare(y, x) || compare(x, x) != 0 {
			t.Fatalf("%s and %s have no order", a, b)
		}
	})
}

func TestOldMarksAreForgotten(t *testing.T) {
	db, err := openDatabase(filepath.Join(t.TempDir(), "x.db"), 0, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.bolt.Close()
	db.keep = 3
	for i := range 5 {
		if _, err := db.commit(&Batch{Processed: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{false, false, true, true, true} {
		if got, err := db.processed(strconv.Itoa(i)); got != want || err != nil {
			t.Errorf("the mark %d: %v %v", i, got, err)
		}
	}
}

func TestAFileThatMayNotGrowIsFull(t *testing.T) {
	db, err := openDatabase(filepath.Join(t.TempDir(), "x.db"), 1<<20, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.bolt.Close()
	value, _ := json.Marshal(string(bytes.Repeat([]byte("x"), 2<<20)))
	if _, err := db.commit(&Batch{Puts: []Put{{Type: "t", Key: "1", Value: value}}}); failure(err).Code != "full" {
		t.Error(err)
	}
}
