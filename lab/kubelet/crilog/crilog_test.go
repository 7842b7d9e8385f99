package crilog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var begin = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// clock goes on by a second with each look.
func clock() func() time.Time {
	now := begin
	return func() time.Time { now = now.Add(time.Second); return now }
}

func create(t *testing.T) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c", "0.log")
	w, err := Create(path, clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, path
}

func read(t *testing.T, path string, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := Read(context.Background(), &b, path, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	w, path := create(t)
	out, errs := w.Stream("stdout"), w.Stream("stderr")
	for _, s := range []string{"one\ntw", "o\n\n"} {
		out.Write([]byte(s))
	}
	errs.Write([]byte("bad\n"))
	out.Write([]byte("unfinished"))
	w.Close()
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"all", Options{Tail: -1}, "one\ntwo\n\nbad\nunfinished\n"},
		{"the last two", Options{Tail: 2}, "bad\nunfinished\n"},
		{"none", Options{Tail: 0}, ""},
		{"more than there are", Options{Tail: 100}, "one\ntwo\n\nbad\nunfinished\n"},
		{"stderr", Options{Tail: -1, Stream: "stderr"}, "bad\n"},
		{"since", Options{Tail: -1, Since: begin.Add(4 * time.Second)}, "bad\nunfinished\n"},
		{"the first bytes", Options{Tail: -1, LimitBytes: 5}, "one\nt"},
		{"times", Options{Tail: 1, Timestamps: true}, "2026-11-23T12:00:05.000000000Z unfinished\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, path, c.o); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestLongLinesComeBackWhole(t *testing.T) {
	w, path := create(t)
	long := strings.Repeat("x", 3*maxPart+5)
	w.Stream("stdout").Write([]byte(long + "\nend\n"))
	w.Close()
	if data, _ := os.ReadFile(path); strings.Count(string(data), " stdout P ") != 3 {
		t.Errorf("%d parts, want 3", strings.Count(string(data), " stdout P "))
	}
	if got := read(t, path, Options{Tail: 2}); got != long+"\nend\n" {
		t.Errorf("%d bytes, want %d", len(got), len(long)+5)
	}
}

func TestAFullFileIsRotatedOnce(t *testing.T) {
	w, path := create(t)
	w.max = 200
	s := w.Stream("stdout")
	for range 20 {
		s.Write([]byte("0123456789\n"))
	}
	w.Close()
	got := strings.Count(read(t, path, Options{Tail: -1}), "0123456789\n")
	if got < 4 || got > 10 {
		t.Errorf("%d lines are left, want those of two files", got)
	}
	if i, err := os.Stat(path); err != nil || i.Size() > 200 || i.Mode().Perm() != 0o600 {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestFollowGoesOverARotationAndEndsWithTheContainer(t *testing.T) {
	w, path := create(t)
	w.max = 100
	done := make(chan struct{})
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		if err := Read(context.Background(), sink(lines), path, Options{Tail: -1, Follow: true, Done: done}); err != nil {
			t.Error(err)
		}
	}()
	s := w.Stream("stdout")
	for _, line := range []string{"a", "b", "c", "d", "e", "f"} {
		s.Write([]byte(line + "\n"))
		if got := <-lines; got != line+"\n" {
			t.Fatalf("%q, want %q", got, line)
		}
	}
	s.Write([]byte("last\n"))
	w.Close()
	close(done)
	var rest string
	for line := range lines {
		rest += line
	}
	if rest != "last\n" {
		t.Errorf("at the end %q", rest)
	}
}

type sink chan string

func (s sink) Write(p []byte) (int, error) { s <- string(p); return len(p), nil }

func FuzzParse(f *testing.F) {
	f.Add([]byte("2026-11-23T12:00:05.000000000Z stdout F hello world"))
	f.Add([]byte("2026-11-23T12:00:05Z stderr P "))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Parse(line)
		if err == nil && !strings.HasSuffix(string(line), string(e.Text)) {
			t.Errorf("%q gives %+v", line, e)
		}
	})
}
