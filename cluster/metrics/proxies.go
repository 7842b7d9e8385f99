package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/meshstorm/meshstorm/cluster"
)

const (
	// Envoy's own port for Prometheus in Istio's proxies
	// (istio.io/latest/docs/ops/deployment/application-requirements).
	statsPort = 15090
	statsPath = "/stats/prometheus"

	scrapesAtOnce = 8
	maxExposition = 64 << 20 // bytes
	proxyName     = "istio-proxy"
)

// Proxies measures with the proxies' own counters: those of the gateways, whose
// pods have these labels in any namespace, and of all sidecars in the target's
// namespace. It needs the right to pods/proxy or pods/portforward.
//
// What a proxy counted is lost when its pod goes, so a measurement in which
// gateways or callers are replaced sees fewer requests than there were. A request
// that no pod could be found for names no workload, and is not counted for any.
func Proxies(c *cluster.Client, gateways []map[string]string) Source {
	return &counters{client: c, gateways: gateways}
}

type counters struct {
	client   *cluster.Client
	gateways []map[string]string
}

func (s *counters) Name() string { return "the proxies' own counters" }

// reading is what all proxies had counted at a time. A Mark is its JSON.
type reading struct {
	At      time.Time                    `json:"t"`
	Proxies map[string]map[string]counts `json:"p"` // proxy, workload
	started time.Time                    // of the oldest proxy
}

func (s *counters) Mark(ctx context.Context, t Target) (Mark, error) {
	r, err := s.read(ctx, t)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(r)
	return Mark(text), err
}

func (s *counters) Since(ctx context.Context, t Target, from Mark) (map[string]Traffic, error) {
	var old reading
	if err := json.Unmarshal([]byte(from), &old); err != nil || old.At.IsZero() {
		return nil, fmt.Errorf("%w: the mark is none of the proxies' counters", ErrUnavailable)
	}
	now, err := s.read(ctx, t)
	if err != nil {
		return nil, err
	}
	return now.since(old), nil
}

func (s *counters) Recent(ctx context.Context, t Target, _ time.Duration) (map[string]Traffic, error) {
	now, err := s.read(ctx, t)
	if err != nil {
		return nil, err
	}
	return now.since(reading{At: now.started}), nil
}

func (r reading) since(old reading) map[string]Traffic {
	sums := map[string]counts{}
	for proxy, workloads := range r.Proxies {
		for workload, c := range workloads {
			sum := sums[workload]
			sum.add(c.since(old.Proxies[proxy][workload]))
			sums[workload] = sum
		}
	}
	all := map[string]Traffic{}
	for workload, c := range sums {
		all[workload] = c.traffic(r.At.Sub(old.At).Seconds())
	}
	return all
}

// read asks every proxy. One that does not answer makes the whole unknown: what
// it counted might be the errors.
func (s *counters) read(ctx context.Context, t Target) (reading, error) {
	pods, err := s.pods(ctx, t.Namespace)
	if err != nil {
		return reading{}, err
	}
	r := reading{At: time.Now().UTC(), Proxies: map[string]map[string]counts{}}
	r.started = r.At
	var mu sync.Mutex
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(scrapesAtOnce)
	for i := range pods {
		pod := &pods[i]
		if pod.Status.StartTime != nil && pod.Status.StartTime.Time.Before(r.started) {
			r.started = pod.Status.StartTime.UTC()
		}
		group.Go(func() error {
			text, err := s.scrape(each, pod)
			if err != nil {
				return fmt.Errorf("%w: counters of pod %s/%s: %w", ErrUnavailable, pod.Namespace, pod.Name, err)
			}
			all, err := parse(bytes.NewReader(text), t)
			if err != nil || len(all) == 0 {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.Proxies[identity(pod)] = all
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return reading{}, err
	}
	return r, nil
}

// identity tells a proxy that began anew from the one before: its counters start
// at zero.
func identity(pod *corev1.Pod) string {
	restarts := int32(0)
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.Name == proxyName {
			restarts = s.RestartCount
		}
	}
	uid := string(pod.UID)
	return fmt.Sprintf("%s-%d", uid[:min(8, len(uid))], restarts)
}

// pods are the gateways' and those with a sidecar in the namespace, if they run.
func (s *counters) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	var all []corev1.Pod
	take := func(list *corev1.PodList, sidecars bool) {
		for _, p := range list.Items {
			known := slices.ContainsFunc(all, func(q corev1.Pod) bool { return q.UID == p.UID })
			if p.Status.Phase == corev1.PodRunning && !known && (!sidecars || hasProxy(&p)) {
				all = append(all, p)
			}
		}
	}
	for _, g := range s.gateways {
		list, err := s.client.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(g).String()})
		if err != nil {
			return nil, fmt.Errorf("%w: list the gateways' pods: %w", ErrUnavailable, cluster.Explain(err))
		}
		take(list, false)
	}
	list, err := s.client.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w: list pods: %w", ErrUnavailable, cluster.Explain(err))
	}
	take(list, true)
	return all, nil
}

func hasProxy(p *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.InitContainers, p.Spec.Containers), func(c corev1.Container) bool { return c.Name == proxyName })
}

// scrape reads a proxy's exposition through the API server: by its proxy for
// pods, else by a port-forward.
func (s *counters) scrape(ctx context.Context, pod *corev1.Pod) ([]byte, error) {
	text, err := s.client.Kube.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, statsPort)).SubResource("proxy").Suffix(statsPath).Do(ctx).Raw()
	if err == nil || ctx.Err() != nil {
		return text, err
	}
	forwarding, ferr := s.client.Forward(ctx, pod.Namespace, pod.Name, statsPort)
	if ferr != nil {
		return nil, fmt.Errorf("%w; %w", cluster.Explain(err), ferr)
	}
	defer forwarding.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+forwarding.Address+statsPath, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy answered %s", answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxExposition))
}
