package router

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// upgradable refuses upgrades and CONNECT where neither the route nor the
// manager allows them (docs: "HTTP upgrades").
func (x *exchange) upgradable() bool {
	kind := x.upgrade
	if x.req.Method == http.MethodConnect {
		kind = "connect"
	}
	if kind == "" {
		return true
	}
	allowed := x.r.m.upgrades[kind]
	if x.plan != nil {
		if u := x.plan.upgrades[kind]; u != nil {
			allowed = u.GetEnabled() == nil || u.GetEnabled().GetValue()
		}
	}
	if allowed || x.decision.Route == nil {
		return true
	}
	x.reply(reply{status: http.StatusForbidden, details: "upgrade_failed"})
	return false
}

// tunnels tells whether the route ends CONNECT here.
func (x *exchange) tunnels() bool {
	return x.plan.upgrades["connect"].GetConnectConfig() != nil
}

// switchProtocols joins client and upstream after the upstream's 101.
func (x *exchange) switchProtocols(resp *http.Response) {
	other, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		_ = resp.Body.Close()
		x.rec.Flags.Add(flow.UpstreamProtocolError)
		x.reply(reply{status: 503, details: "upgrade_failed"})
		return
	}
	defer func() { _ = other.Close() }()
	x.rec.Details = "via_upstream"
	x.responseHeaders(resp)
	h := x.w.Header()
	h["Connection"], h["Upgrade"] = []string{"upgrade"}, resp.Header["Upgrade"]
	x.filterResponse()
	x.rec.Status = resp.StatusCode
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.r.o.Log.Error("an upgrade is not possible on this connection", "error", err)
		x.started = true
		x.aborted = true
		return
	}
	x.started = true
	defer func() { _ = conn.Close() }()
	if err := writeSwitch(rw, h); err != nil {
		x.rec.Flags.Add(flow.DownstreamTermination)
		return
	}
	x.join(conn, rw.Reader, other)
}

func writeSwitch(rw *bufio.ReadWriter, h http.Header) error {
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, v := range h[name] {
			_, _ = rw.WriteString(strings.ToLower(name) + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(v) + "\r\n")
		}
	}
	_, _ = rw.WriteString("\r\n")
	return rw.Flush()
}

// join copies both ways until both are over.
func (x *exchange) join(conn net.Conn, from io.Reader, other io.ReadWriteCloser) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-x.ctx.Done():
			_ = conn.Close()
			_ = other.Close()
		case <-stop:
		}
	}()
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		x.rec.BytesReceived, _ = io.Copy(other, from)
		x.rec.UpstreamWritten = x.rec.BytesReceived
		if !closeWrite(other) {
			_ = other.Close()
		}
	}()
	n, _ := io.Copy(conn, other)
	if !closeWrite(conn) {
		_ = conn.Close()
	}
	wait.Wait()
	x.rec.BytesSent, x.rec.UpstreamBytesRead = n, n
}

func closeWrite(c any) bool {
	half, ok := c.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// tunnel connects a CONNECT request's client with a host of the cluster.
func (x *exchange) tunnel(c *upstream.Cluster, choice upstream.Choice) {
	host, err := c.Pick(choice)
	if err != nil {
		x.rec.Flags.Add(flow.NoHealthyUpstream)
		x.reply(reply{status: 503, body: "no healthy upstream", details: "no_healthy_upstream"})
		return
	}
	x.host, x.rec.UpstreamHost, x.rec.Attempts = host, host.Address(), 1
	ex := &upstream.Exchange{HighPriority: x.plan.high}
	other, err := c.Connect(upstream.WithExchange(x.ctx, ex), host)
	x.rec.UpstreamLocal = ex.Local
	if err != nil {
		host.Result(0, err)
		if !x.over(err) {
			(&forwarded{x: x, cluster: c}).fail(err)
		}
		return
	}
	host.Result(0, nil)
	defer func() { _ = other.Close() }()
	x.rec.Details = "via_upstream"
	x.routeResponse(x.w.Header())
	if x.req.ProtoMajor == 2 {
		x.tunnelStream(other)
		return
	}
	x.filterResponse()
	x.rec.Status, x.started = http.StatusOK, true
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.aborted = true
		return
	}
	defer func() { _ = conn.Close() }()
	if _, err := rw.WriteString("HTTP/1.1 200 OK\r\n\r\n"); err != nil || rw.Flush() != nil {
		x.rec.Flags.Add(flow.DownstreamTermination)
		return
	}
	x.join(conn, rw.Reader, other)
}

// tunnelStream is a tunnel in a stream of HTTP/2.
func (x *exchange) tunnelStream(other net.Conn) {
	x.head(http.StatusOK)
	flusher := http.NewResponseController(x.w)
	_ = flusher.Flush()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if x.upload != nil {
			n, _ := io.Copy(other, x.upload.reader())
			x.rec.UpstreamWritten = n
		}
		if !closeWrite(other) {
			_ = other.Close()
		}
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := other.Read(buffer)
		x.rec.UpstreamBytesRead += int64(n)
		if n > 0 {
			if _, werr := x.w.Write(buffer[:n]); werr != nil {
				x.gone()
				break
			}
			x.rec.BytesSent += int64(n)
			_ = flusher.Flush()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				x.rec.Flags.Add(flow.UpstreamTermination)
				x.aborted = true
			}
			break
		}
	}
	_ = other.Close()
	if x.req.Body != nil {
		_ = x.req.Body.Close()
	}
	<-done
}
