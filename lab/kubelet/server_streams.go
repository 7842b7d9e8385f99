package kubelet

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

const (
	portForwardV1 = "portforward.k8s.io"
	streamWait    = 30 * time.Second
	idleTimeout   = 4 * time.Hour // the kubelet's streaming-connection-idle-timeout
)

// portForward connects streams of a client to ports of a pod: over SPDY, as
// kubectl and the API server speak it, or over a websocket with two channels for
// each port.
func (s *server) portForward(w http.ResponseWriter, r *http.Request) {
	wk := s.worker(w, r)
	if wk == nil {
		return
	}
	if wsstream.IsWebSocketRequest(r) {
		s.forwardWebsocket(w, r, wk)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portForwardV1}); err != nil {
		return // it has answered
	}
	pairs := &pairs{w: wk, open: map[string]*pair{}}
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, pairs.accept)
	if conn == nil {
		return
	}
	defer conn.Close()
	conn.SetIdleTimeout(idleTimeout)
	pairs.run(r.Context(), conn)
}

// pairs puts the data and the error stream of each forwarded connection
// together, by the request's ID.
type pairs struct {
	w       *worker
	mu      sync.Mutex
	open    map[string]*pair
	started sync.WaitGroup
}

type pair struct {
	port        int
	data, fault httpstream.Stream
}

func (p *pairs) accept(stream httpstream.Stream, replySent <-chan struct{}) error {
	h := stream.Headers()
	port, err := strconv.ParseUint(h.Get(corev1.PortHeader), 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is not a port", h.Get(corev1.PortHeader))
	}
	id := h.Get(corev1.PortForwardRequestIDHeader)
	if id == "" { // old clients: the data stream's number follows the error stream's
		n := stream.Identifier()
		if h.Get(corev1.StreamType) == corev1.StreamTypeData {
			n -= 2
		}
		id = strconv.Itoa(int(n))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.open[id]
	if one == nil {
		one = &pair{port: int(port)}
		p.open[id] = one
	}
	switch kind := h.Get(corev1.StreamType); kind {
	case corev1.StreamTypeData:
		one.data = stream
	case corev1.StreamTypeError:
		one.fault = stream
	default:
		return fmt.Errorf("%q is not a type of stream", kind)
	}
	if one.data != nil && one.fault != nil {
		delete(p.open, id)
		p.started.Add(1)
		go p.forward(one, replySent)
	}
	return nil
}

func (p *pairs) run(ctx context.Context, conn httpstream.Connection) {
	select {
	case <-conn.CloseChan():
	case <-ctx.Done():
		_ = conn.Close()
	}
	p.started.Wait()
}

func (p *pairs) forward(one *pair, replySent <-chan struct{}) {
	defer p.started.Done()
	<-replySent
	defer one.fault.Close()
	err := p.w.forward(one.port, one.data)
	_ = one.data.Close()
	if err != nil {
		fmt.Fprintf(one.fault, "error forwarding port %d to pod %s: %s", one.port, p.w.current().Name, err)
		_ = one.data.Reset()
	}
}

// forward copies between a stream and a port of the pod, until both sides are
// done or one fails.
func (w *worker) forward(port int, stream io.ReadWriteCloser) error {
	ctx, cancel := context.WithTimeout(context.Background(), streamWait)
	defer cancel()
	conn, err := w.dialPort(ctx, port)
	if err != nil {
		return err
	}
	defer conn.Close()
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(stream, conn)
		_ = stream.Close() // lets the client see the end
		done <- err
	}()
	go func() {
		_, _ = io.Copy(conn, stream)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	return <-done
}

// dialPort connects to a port as the pod's own localhost would: the pod's
// address first, then the twin address behind a sidecar.
func (w *worker) dialPort(ctx context.Context, port int) (net.Conn, error) {
	ip := w.addr()
	if !ip.IsValid() {
		return nil, fmt.Errorf("pod %s has no address yet", w.current().Name)
	}
	var dialer net.Dialer
	at := func(a netip.Addr) string { return netip.AddrPortFrom(a, uint16(port)).String() }
	// kubectl's connection comes from inside the pod on a real node and reaches
	// the application past the sidecar's listeners.
	if in, _ := interception(w.current()); in != nil && in.Inbound(port) && ip != loopback.NodeIP {
		if conn, err := dialer.DialContext(ctx, "tcp", at(w.k.o.Net.TwinOf(ip))); err == nil {
			return conn, nil
		}
	}
	conn, err := dialer.DialContext(ctx, "tcp", at(w.k.o.Net.Bind(ip)))
	return conn, w.podIPs(err)
}

// forwardWebsocket serves v4.channel.k8s.io: channels 2n and 2n+1 are data and
// errors of the nth port that the query names; each begins with the port, two
// bytes, little-endian.
func (s *server) forwardWebsocket(w http.ResponseWriter, r *http.Request, wk *worker) {
	var ports []int
	for _, list := range append(r.URL.Query()["ports"], r.URL.Query()["port"]...) {
		for f := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseUint(f, 10, 16)
			if err != nil || n == 0 {
				http.Error(w, fmt.Sprintf("%q is not a port", f), http.StatusBadRequest)
				return
			}
			ports = append(ports, int(n))
		}
	}
	if len(ports) == 0 {
		http.Error(w, "query parameter \"ports\" is required", http.StatusBadRequest)
		return
	}
	channels := make([]wsstream.ChannelType, 0, 2*len(ports))
	for range ports {
		channels = append(channels, wsstream.ReadWriteChannel, wsstream.WriteChannel)
	}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
		"":                         {Binary: true, Channels: channels},
		"v4.channel.k8s.io":        {Binary: true, Channels: channels},
		"v4.base64.channel.k8s.io": {Binary: false, Channels: channels},
	})
	conn.SetIdleTimeout(idleTimeout)
	_, streams, err := conn.Open(w, r)
	if err != nil {
		return // it has answered
	}
	defer conn.Close()
	var all sync.WaitGroup
	for i, port := range ports {
		data, fault := streams[2*i], streams[2*i+1]
		number := binary.LittleEndian.AppendUint16(nil, uint16(port))
		for _, stream := range []io.Writer{data, fault} {
			if _, err := stream.Write(number); err != nil {
				return
			}
		}
		all.Go(func() {
			if err := wk.forward(port, data); err != nil {
				fmt.Fprintf(fault, "error forwarding port %d to pod %s: %s", port, wk.current().Name, err)
			}
		})
	}
	all.Wait()
}

// exec answers exec and attach. A client that upgrades gets the reason on the
// error stream, where kubectl looks for it.
func (s *server) exec(w http.ResponseWriter, r *http.Request) {
	if s.worker(w, r) == nil {
		return
	}
	if !httpstream.IsUpgradeRequest(r) || wsstream.IsWebSocketRequest(r) {
		http.Error(w, noShell, http.StatusNotImplemented)
		return
	}
	protocol, err := httpstream.Handshake(r, w, []string{"v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"})
	if err != nil {
		return // it has answered
	}
	faults := make(chan httpstream.Stream, 1)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replySent <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			go func() {
				<-replySent
				select {
				case faults <- stream:
				default:
				}
			}()
		}
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	select {
	case stream := <-faults:
		_, _ = stream.Write(execFailure(protocol))
		_ = stream.Close()
	case <-time.After(streamWait):
		return
	}
	select { // the client closes when it has read it
	case <-conn.CloseChan():
	case <-time.After(time.Second):
	}
}

// execFailure is a Status since the fourth version of the protocol, plain text
// before.
func execFailure(protocol string) []byte {
	if !strings.HasPrefix(protocol, "v4") && !strings.HasPrefix(protocol, "v5") {
		return []byte(noShell)
	}
	data, _ := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Code: http.StatusNotImplemented, Message: noShell,
	})
	return data
}
