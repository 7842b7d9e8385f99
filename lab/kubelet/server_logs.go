package kubelet

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/meshstorm/meshstorm/lab/kubelet/crilog"
)

// logs serves a container's log, as `kubectl logs` asks for it through the API
// server.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	wk := s.worker(w, r)
	if wk == nil {
		return
	}
	q := r.URL.Query()
	o, err := logOptions(q, s.k.o.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	previous, _ := strconv.ParseBool(q.Get("previous"))
	file, done, err := wk.logOf(r.PathValue("container"), previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if previous {
		o.Follow = false
	}
	o.Done = done
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Transfer-Encoding", "chunked")
	out := &flushing{w: w, c: http.NewResponseController(w), always: o.Follow}
	if o.Follow {
		_ = out.c.Flush() // headers, before the first line
	}
	if err := crilog.Read(r.Context(), out, file, o); err != nil && !out.wrote {
		code := http.StatusInternalServerError
		if errors.Is(err, fs.ErrNotExist) {
			code = http.StatusNotFound
		}
		http.Error(w, err.Error(), code)
	}
}

type flushing struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	always bool
	wrote  bool
}

func (f *flushing) Write(p []byte) (int, error) {
	f.wrote = true
	n, err := f.w.Write(p)
	if err == nil && f.always {
		err = f.c.Flush()
	}
	return n, err
}

// logOptions reads PodLogOptions from a query.
func logOptions(q url.Values, now time.Time) (crilog.Options, error) {
	o := crilog.Options{Tail: -1}
	o.Follow, _ = strconv.ParseBool(q.Get("follow"))
	o.Timestamps, _ = strconv.ParseBool(q.Get("timestamps"))
	switch v := q.Get("stream"); v {
	case "", "All":
	case "Stdout":
		o.Stream = "stdout"
	case "Stderr":
		o.Stream = "stderr"
	default:
		return o, fmt.Errorf("stream: %q is not All, Stdout or Stderr", v)
	}
	for name, set := range map[string]func(int64){
		"tailLines":    func(n int64) { o.Tail = n },
		"limitBytes":   func(n int64) { o.LimitBytes = n },
		"sinceSeconds": func(n int64) { o.Since = now.Add(-time.Duration(n) * time.Second) },
	} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return o, fmt.Errorf("%s: %q is not a number of 0 or more", name, v)
		}
		set(n)
	}
	if v := q.Get("sinceTime"); v != "" {
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return o, fmt.Errorf("sinceTime: %w", err)
		}
		o.Since = at
	}
	return o, nil
}

// logOf gives the file of a container's present or previous run, and a channel
// that is closed when that run is over.
func (w *worker) logOf(name string, previous bool) (string, <-chan struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.container(name)
	if c == nil {
		return "", nil, fmt.Errorf("container %q in pod %q not found", name, w.pod.Name)
	}
	over := make(chan struct{})
	close(over)
	number := c.restarts
	switch {
	case previous && c.state.Waiting != nil && c.last.Terminated != nil: // in its back-off: this run is the previous one
		return w.k.logFile(w.pod, name, number), over, nil
	case previous && (number == 0 || c.last.Terminated == nil):
		return "", nil, fmt.Errorf("previous terminated container %q in pod %q not found", name, w.pod.Name)
	case previous:
		return w.k.logFile(w.pod, name, number-1), over, nil
	case c.proc != nil:
		return w.k.logFile(w.pod, name, number), c.proc.done, nil
	case c.ended() != nil:
		return w.k.logFile(w.pod, name, number), over, nil
	}
	reason := "waiting to start"
	if c.state.Waiting != nil {
		reason += ": " + c.state.Waiting.Reason
	}
	return "", nil, fmt.Errorf("container %q in pod %q is %s", name, w.pod.Name, reason)
}
