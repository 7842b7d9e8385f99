package proxies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/meshstorm/meshstorm/cluster"
)

// debugPorts serve the debug pages: that of the metrics, which istioctl uses
// too, and the old one for plain HTTP. Whoever comes through a port-forward is
// localhost to istiod and needs no token.
var debugPorts = []int{15014, 8080}

// How long one page may take. An istiod that is held answers nothing, and must
// not keep the others waiting.
const (
	statusPatience = 3 * time.Second
	dumpPatience   = 10 * time.Second
)

// errNotConnected says that a proxy is not connected to the istiod asked.
var errNotConnected = errors.New("the proxy is not connected to this istiod")

// page asks for one page of an istiod.
type page func(ctx context.Context, path string) (*http.Response, error)

// dialer opens the way to a port of an istiod; the second result closes it.
type dialer func(ctx context.Context, namespace, pod string, port int) (page, func(), error)

// forwarding dials through the API server.
func forwarding(c *cluster.Client) dialer {
	return func(ctx context.Context, namespace, pod string, port int) (page, func(), error) {
		way, err := c.Forward(ctx, namespace, pod, port)
		if err != nil {
			return nil, nil, err
		}
		transport := &http.Transport{MaxIdleConnsPerHost: dumpsAtOnce, DisableCompression: true}
		client := &http.Client{Transport: transport}
		ask := func(ctx context.Context, path string) (*http.Response, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+way.Address+path, nil)
			if err != nil {
				return nil, err
			}
			return client.Do(request)
		}
		return ask, func() { transport.CloseIdleConnections(); way.Close() }, nil
	}
}

// replica is one istiod pod.
type replica struct {
	name string // POD.NAMESPACE
	pod  *corev1.Pod
	dial dialer

	mu    sync.Mutex
	port  int // index of debugPorts
	page  page
	stop  func()
	opens int // tells a connection from the one before it
}

// connect gives the connection, a new one where there is none. The error wraps
// ErrForbidden.
func (r *replica) connect(ctx context.Context) (page, int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.page != nil {
		return r.page, r.opens, nil
	}
	p, stop, err := r.dial(ctx, r.pod.Namespace, r.pod.Name, debugPorts[r.port])
	if apierrors.IsForbidden(err) {
		return nil, 0, fmt.Errorf("%w: %w; ask for `create` on pods/portforward in namespace %s", ErrForbidden, err, r.pod.Namespace)
	}
	if err != nil {
		return nil, 0, err
	}
	r.page, r.stop = p, stop
	r.opens++
	return p, r.opens, nil
}

// drop closes a connection that failed, unless another request did so already,
// and goes on to the next port.
func (r *replica) drop(open int, nextPort bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.page == nil || r.opens != open {
		return
	}
	r.stop()
	r.page = nil
	if nextPort {
		r.port = (r.port + 1) % len(debugPorts)
	}
}

func (r *replica) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.page != nil {
		r.stop()
		r.page = nil
	}
}

// statuses reads /debug/syncz. The error wraps ErrForbidden, or ErrNoDebug where
// no port shows the page.
func (r *replica) statuses(ctx context.Context) ([]status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	var last error
	hidden := 0
	for range debugPorts {
		var all []status
		open, code, err := r.read(ctx, "/debug/syncz", func(body io.Reader) (err error) {
			all, err = readSyncz(body)
			return err
		})
		switch {
		case err == nil && code == http.StatusOK:
			return all, nil
		case err == nil && (code == http.StatusNotFound || code == http.StatusUnauthorized || code == http.StatusForbidden):
			hidden++
			last = fmt.Errorf("/debug/syncz was expected at port 15014 or 8080, and the answer is %d; ENABLE_DEBUG_ON_HTTP=true in istiod's environment opens it", code)
		case err == nil:
			return nil, fmt.Errorf("istiod answered %d to /debug/syncz", code)
		case open == 0 || ctx.Err() != nil:
			r.drop(open, false)
			return nil, err
		default:
			last = err
		}
		r.drop(open, true)
	}
	if hidden == len(debugPorts) {
		return nil, fmt.Errorf("%w: %w", ErrNoDebug, last)
	}
	return nil, last
}

// dump reads what istiod gives a proxy, of the types asked for. The error is
// errNotConnected where the proxy has gone.
func (r *replica) dump(ctx context.Context, proxy, types string) (*dump, error) {
	ctx, cancel := context.WithTimeout(ctx, dumpPatience)
	defer cancel()
	// istiod takes the first connection whose name, PROXY-NUMBER, contains the
	// text; with the dash, order.shop is not taken for order.shop-2.
	path := "/debug/config_dump?proxyID=" + url.QueryEscape(proxy+"-") + "&types=" + types
	var d *dump
	open, code, err := r.read(ctx, path, func(body io.Reader) (err error) {
		d, err = readDump(body)
		return err
	})
	switch {
	case err != nil:
		r.drop(open, false)
		return nil, err
	case code == http.StatusNotFound:
		return nil, errNotConnected
	case code != http.StatusOK:
		return nil, fmt.Errorf("istiod %s answered %d to %s", r.name, code, path)
	}
	return d, nil
}

// read asks for a page and parses it where the answer is 200. open is 0 where no
// connection came about.
func (r *replica) read(ctx context.Context, path string, parse func(io.Reader) error) (open, code int, err error) {
	ask, open, err := r.connect(ctx)
	if err != nil {
		return 0, 0, err
	}
	response, err := ask(ctx, path)
	if err != nil {
		return open, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		err = parse(response.Body)
	}
	// A body that was read to its end gives the connection back.
	_, _ = io.Copy(io.Discard, response.Body)
	return open, response.StatusCode, err
}
