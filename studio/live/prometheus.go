package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
)

const (
	// prometheusStep is between two points: what Istio's own Prometheus scrapes at.
	prometheusStep = 15 * time.Second
	askEvery       = 5 * time.Second
	// slowest is how long one may take before the proxies are asked instead.
	slowest = 15 * time.Second
	// searchEvery is how often one is looked for where there is none.
	searchEvery = 30 * time.Second
	// rootNamespace is where Istio's samples/addons put one.
	rootNamespace = "istio-system"
	// mostServices is how many are asked at most; each may take slowest.
	mostServices = 4
)

// prometheusLabels mark the Services of a Prometheus: Istio's sample and the Helm
// chart, and the Prometheus operator's own.
var prometheusLabels = []string{"app.kubernetes.io/name=prometheus", "operated-prometheus=true"}

// prometheus is the one that measures a place, where there is one.
type prometheus struct {
	source   metrics.Source // nil where none is known
	name     string
	note     string // why the known one is not used
	searched time.Time
	seen     []metrics.Interval
	asked    time.Time
}

// edges asks it for the last minutes. Without one, or where it does not tell, it
// gives nil and, if a person should know, why.
func (p *prometheus) edges(ctx context.Context, l *Clusters, c *cluster.Client, namespace string) ([]metrics.Interval, string) {
	if p.source == nil {
		if time.Since(p.searched) < searchEvery {
			return nil, p.note
		}
		p.searched, p.note = time.Now(), ""
		if err := p.find(ctx, l, c); err != nil {
			p.source, p.note = nil, err.Error()+"; the proxies' own counters are shown"
		}
		if p.source == nil {
			return nil, p.note
		}
	}
	if time.Since(p.asked) < askEvery {
		return p.seen, ""
	}
	all, err := metrics.History(ctx, p.source, namespace, kept, prometheusStep)
	if err != nil {
		p.source, p.searched, p.note = nil, time.Now(), err.Error()+"; the proxies' own counters are shown"
		return nil, p.note
	}
	if all == nil {
		all = []metrics.Interval{}
	}
	p.seen, p.asked = all, time.Now()
	return all, ""
}

// errNoIstio says that a Prometheus does not scrape the proxies.
var errNoIstio = errors.New("knows nothing of Istio's proxies")

// find looks for the one that was named, else for one that runs in the cluster.
func (p *prometheus) find(ctx context.Context, l *Clusters, c *cluster.Client) error {
	if l.Prometheus != "" {
		source, err := metrics.Prometheus(l.Prometheus, l.Token, nil)
		if err != nil {
			return err
		}
		p.source, p.name = source, l.Prometheus
		return p.knowsIstio(ctx)
	}
	var failures []string
	for _, service := range prometheusServices(ctx, c) {
		source, err := throughProxy(c, service)
		if err != nil {
			return err
		}
		p.source, p.name = source, service.Namespace+"/"+service.Name
		if err = p.knowsIstio(ctx); err == nil {
			return nil
		}
		failures = append(failures, err.Error())
	}
	if p.source = nil; len(failures) == 0 {
		return nil
	}
	return errors.New(strings.Join(failures, "; "))
}

// throughProxy asks a Service's Prometheus by way of the API server.
func throughProxy(c *cluster.Client, service corev1.Service) (metrics.Source, error) {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return nil, err
	}
	// The client adds the kubeconfig's credentials to whatever it asks, and who may
	// make a Service could send it elsewhere.
	client = &http.Client{Transport: client.Transport, Timeout: slowest, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	base, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, err
	}
	port := service.Spec.Ports[0]
	for _, one := range service.Spec.Ports {
		if one.Port == 9090 {
			port = one
		}
	}
	address := base.JoinPath("api/v1/namespaces", service.Namespace, "services", fmt.Sprintf("http:%s:%d", service.Name, port.Port), "proxy")
	return metrics.Prometheus(address.String(), "", client)
}

func (p *prometheus) knowsIstio(ctx context.Context) error {
	knows, err := metrics.KnowsIstio(ctx, p.source)
	if err == nil && !knows {
		err = fmt.Errorf("the Prometheus %s %w", p.name, errNoIstio)
	}
	return err
}

// prometheusServices are the cluster's, that of Istio's samples first; none for
// who may not list Services.
func prometheusServices(ctx context.Context, c *cluster.Client) []corev1.Service {
	var all []corev1.Service
	for _, label := range prometheusLabels {
		list, err := c.Kube.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: label})
		if err != nil { // perhaps allowed where Istio is
			if list, err = c.Kube.CoreV1().Services(rootNamespace).List(ctx, metav1.ListOptions{LabelSelector: label}); err != nil {
				continue
			}
		}
		all = append(all, slices.DeleteFunc(list.Items, func(s corev1.Service) bool { return len(s.Spec.Ports) == 0 })...)
	}
	slices.SortStableFunc(all, func(a, b corev1.Service) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	all = slices.CompactFunc(all, func(a, b corev1.Service) bool { return a.Namespace == b.Namespace && a.Name == b.Name })
	return all[:min(len(all), mostServices)]
}

func rank(s corev1.Service) int {
	if s.Namespace == rootNamespace {
		return 0
	}
	return 1
}
