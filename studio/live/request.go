package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
)

const (
	maxAnswer = 1 << 20 // bytes of a body that is shown
	// answerWithin is the longest time for one request.
	answerWithin = 30 * time.Second
	// gatewayPort is where Istio's gateways listen for what comes to port 80.
	gatewayPort = 8080
)

// Sending is a request that is sent through the gateway.
type Sending struct {
	Method  string            `json:"method,omitempty" pattern:"^[A-Z]{1,20}$" doc:"Default: GET."`
	Path    string            `json:"path" pattern:"^/" maxLength:"4000" example:"/orders"`
	Host    string            `json:"host,omitempty" maxLength:"255" doc:"The Host header; default: the gateway's address."`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty" maxLength:"1048576"`
}

// Received is what came back.
type Received struct {
	Status     int         `json:"status"`
	StatusText string      `json:"statusText" example:"OK"`
	Headers    [][2]string `json:"headers" doc:"Name and value, sorted by name."`
	Body       string      `json:"body" doc:"At most 1 MiB."`
	Binary     bool        `json:"binary" doc:"The body is no text; what is not is replaced."`
	Truncated  bool        `json:"truncated"`
	Millis     float64     `json:"millis" doc:"Until the whole answer was there."`
	URL        string      `json:"url"`
}

// ErrRequest says that a request cannot be sent as it is written.
var ErrRequest = errors.New("the request cannot be sent")

// Send sends a request through the ingress gateway: the lab's at its address, of
// other clusters by a port-forward. Errors about the request wrap ErrRequest.
func (l *Clusters) Send(ctx context.Context, p Place, r Sending) (*Received, error) {
	c, t, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(t.Gateway(), "/")
	if base == "" {
		forwarding, err := gatewayForward(ctx, c)
		if err != nil {
			return nil, err
		}
		defer forwarding.Close()
		base = "http://" + forwarding.Address
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	request, err := r.build(ctx, base)
	if err != nil {
		return nil, err
	}
	return exchange(request)
}

func (r Sending) build(ctx context.Context, base string) (*http.Request, error) {
	target, err := url.Parse(base + r.Path)
	if err != nil || !strings.HasPrefix(r.Path, "/") || target.Scheme+"://"+target.Host != base {
		return nil, fmt.Errorf("%w: %q is no path; expected such as /orders?page=2", ErrRequest, r.Path)
	}
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), target.String(), strings.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if r.Body == "" {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	for name, value := range r.Headers {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "":
		case "host":
			request.Host = value
		case "connection", "content-length", "transfer-encoding", "upgrade":
			return nil, fmt.Errorf("%w: the header %s is for connections and is not passed on", ErrRequest, name)
		default:
			request.Header.Set(strings.TrimSpace(name), value)
		}
	}
	if r.Host != "" {
		request.Host = r.Host
	}
	return request, nil
}

func exchange(request *http.Request) (*Received, error) {
	// No proxy, no redirects, nothing decoded: what the gateway says.
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	begin := time.Now()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w; is the gateway running, and does a Gateway object open this port?", request.URL.Host, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("the answer (%s) ends early: %w", answer.Status, err)
	}
	out := &Received{
		Status: answer.StatusCode, StatusText: http.StatusText(answer.StatusCode), Headers: [][2]string{}, URL: request.URL.String(),
		Millis: float64(time.Since(begin).Microseconds()) / 1000, Truncated: len(body) > maxAnswer,
	}
	body = body[:min(len(body), maxAnswer)]
	for out.Truncated && len(body) > 0 && !utf8.Valid(body[len(body)-1:]) { // a letter that was cut
		body = body[:len(body)-1]
	}
	out.Binary = !utf8.Valid(body)
	out.Body = strings.ToValidUTF8(string(body), "\uFFFD")
	for name, values := range answer.Header {
		for _, v := range values {
			out.Headers = append(out.Headers, [2]string{strings.ToLower(name), strings.ToValidUTF8(v, "\uFFFD")})
		}
	}
	slices.SortStableFunc(out.Headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out, nil
}

// gatewayForward opens a way to a pod that the namespace's Gateways select.
func gatewayForward(ctx context.Context, c *cluster.Client) (*cluster.Forwarding, error) {
	selectors, err := metrics.GatewaySelectors(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, selector := range slices.Backward(selectors) { // the namespace's own come after Istio's default
		list, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String()})
		if err != nil {
			return nil, cluster.Explain(err)
		}
		for i := range list.Items {
			pod := &list.Items[i]
			if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
				continue
			}
			return c.Forward(ctx, pod.Namespace, pod.Name, listens(ctx, c, pod))
		}
	}
	return nil, errors.New("no pod of an ingress gateway runs; `meshstorm istio install` brings one with the profiles demo and default")
}

// listens is the port behind a Service's port 80.
func listens(ctx context.Context, c *cluster.Client, pod *corev1.Pod) int {
	services, err := c.Kube.CoreV1().Services(pod.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return gatewayPort // as Istio's charts have it
	}
	for _, s := range services.Items {
		if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			continue
		}
		for _, p := range s.Spec.Ports {
			switch {
			case p.Port != 80:
			case p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal > 0:
				return int(p.TargetPort.IntVal)
			default:
				for _, container := range pod.Spec.Containers {
					for _, named := range container.Ports {
						if named.Name == p.TargetPort.StrVal {
							return int(named.ContainerPort)
						}
					}
				}
			}
		}
	}
	return gatewayPort
}
