// Package overview tells what runs in a namespace: services with their pods, the
// routes and subsets that lead to them, the weights that are wished and, from a
// metrics.Source, the traffic that is really seen. Read lists each kind once; Join
// is a pure function of what was listed.
package overview

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
)

// Overview is what runs. Its JSON form is part of the public interface.
type Overview struct {
	APIVersion       string            `json:"apiVersion"` // "meshstorm.io/v1"
	Server           string            `json:"server"`
	Namespace        string            `json:"namespace"` // "" for all
	Services         []Service         `json:"services"`
	Pods             []Pod             `json:"pods"`
	VirtualServices  []VirtualService  `json:"virtualServices"`
	DestinationRules []DestinationRule `json:"destinationRules"`
	// Measured names the source of the traffic seen, "" where none could be asked.
	Measured string `json:"measured,omitempty"`
	// Notes say what is missing here and why: a right, Istio, metrics.
	Notes []string `json:"notes,omitempty"`
}

// Service is one that has a selector, or any other.
type Service struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Created   time.Time  `json:"created"`
	Ports     []string   `json:"ports,omitempty"` // "http 8080"
	Ready     int        `json:"ready"`           // pods
	Total     int        `json:"total"`
	Restarts  int        `json:"restarts"` // of all containers of these pods
	Sidecars  int        `json:"sidecars"` // pods with a proxy of their own
	Workloads []Workload `json:"workloads,omitempty"`
	Routes    []string   `json:"virtualServices,omitempty"`
	Gateways  []string   `json:"gateways,omitempty"`
	Hosts     []string   `json:"hosts,omitempty"`
	Rules     []string   `json:"destinationRules,omitempty"`
	Tracks    []Track    `json:"tracks,omitempty"`
	Shift     *Shift     `json:"shift,omitempty"`
}

// Workload is a Deployment behind a service.
type Workload struct {
	Name    string   `json:"name"`
	Track   string   `json:"track,omitempty"`   // its pods' label
	Version string   `json:"version,omitempty"` // its pods' label
	Images  []string `json:"images"`
	Ready   int      `json:"ready"`
	Wanted  int      `json:"wanted"`
	Seen    *Seen    `json:"seen,omitempty"`
}

// Track is a subset of a service.
type Track struct {
	Subset string `json:"subset"`
	Ready  int    `json:"ready"` // pods that it selects
	Total  int    `json:"total"`
	// Wished is the weight in percent; nil where routes differ or name none.
	Wished *int `json:"wished,omitempty"`
	// Share is the part of the service's requests that was really answered here,
	// 0–1; nil where it is not known.
	Share *float64 `json:"share,omitempty"`
	Seen  *Seen    `json:"seen,omitempty"`
}

// Seen is measured traffic.
type Seen struct {
	Requests  float64  `json:"requests"`
	ErrorRate float64  `json:"errorRate"`     // 0–1
	P95       *float64 `json:"p95,omitempty"` // milliseconds; nil without requests
	Seconds   float64  `json:"seconds"`       // that were measured
}

// Shift is one that runs.
type Shift struct {
	Since time.Time `json:"since"`
	Plan  string    `json:"plan,omitempty"` // the rollout's; "" for a shift by hand
	// Unattended is since when nobody holds the rollout's lease; nil while
	// somebody does, or for a shift by hand.
	Unattended *time.Time `json:"unattended,omitempty"`
	Holder     string     `json:"holder,omitempty"`
}

// Pod is as kubectl shows it, with its track.
type Pod struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Ready     int       `json:"ready"` // containers
	Total     int       `json:"total"`
	Status    string    `json:"status"` // "Running", "CrashLoopBackOff", "Init:0/1"
	// Reason says why a pod is not ready, as Kubernetes does; "" where it is, or
	// where nothing is said.
	Reason   string `json:"reason,omitempty"`
	Restarts int    `json:"restarts"`
	App      string `json:"app,omitempty"`
	Track    string `json:"track,omitempty"`
	Version  string `json:"version,omitempty"`
	IP       string `json:"ip,omitempty"`
	Node     string `json:"node,omitempty"`
}

// VirtualService is one in words.
type VirtualService struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Gateways  []string  `json:"gateways"`
	Hosts     []string  `json:"hosts"`
	Rules     []Rule    `json:"rules"`
	Shift     *Shift    `json:"shift,omitempty"`
}

// Rule is one of spec.http.
type Rule struct {
	Name         string        `json:"name,omitempty"`
	Destinations []Destination `json:"destinations"`
}

// Destination is one of a rule's.
type Destination struct {
	Host   string `json:"host"`
	Subset string `json:"subset,omitempty"`
	Weight int    `json:"weight"` // percent
}

// DestinationRule is one in words.
type DestinationRule struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Host      string    `json:"host"`
	Subsets   []Subset  `json:"subsets"`
}

// Subset is one of a DestinationRule's, with the pods that it selects now.
type Subset struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Ready  int               `json:"ready"`
	Total  int               `json:"total"`
}

// Options say what to read.
type Options struct {
	AllNamespaces bool
	// Metrics tells the traffic seen over the last Span; nil leaves it out.
	Metrics metrics.Source
	Span    time.Duration
}

// Listed is what Read got of the cluster, for Join.
type Listed struct {
	Services         []corev1.Service
	Pods             []corev1.Pod
	Deployments      []appsv1.Deployment
	Leases           []coordinationv1.Lease
	VirtualServices  []unstructured.Unstructured
	DestinationRules []unstructured.Unstructured
	Seen             map[string]metrics.Traffic // by namespace/workload
	Now              time.Time
}

var istio = func(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "networking.istio.io", Kind: kind}
}

// Read lists what runs in the client's namespace, or in all. What it may not
// read is left out and named in the notes.
func Read(ctx context.Context, c *cluster.Client, o Options) (*Overview, error) {
	namespace := c.Namespace
	if o.AllNamespaces {
		namespace = metav1.NamespaceAll
	}
	l := &Listed{Now: time.Now()}
	notes := make([]string, 6)
	group, each := errgroup.WithContext(ctx)
	options := metav1.ListOptions{}
	list := func(i int, what string, do func() error) {
		group.Go(func() error {
			err := do()
			switch {
			case apierrors.IsForbidden(err):
				notes[i] = fmt.Sprintf("%s are left out: the right to list them is missing (%v)", what, err)
				return nil
			case meta.IsNoMatchError(err):
				notes[i] = fmt.Sprintf("%s are left out: the cluster does not know them; `meshstorm istio install` brings Istio", what)
				return nil
			}
			return cluster.Explain(err)
		})
	}
	list(0, "services", func() error {
		all, err := c.Kube.CoreV1().Services(namespace).List(each, options)
		l.Services = items(all, err, func(x *corev1.ServiceList) []corev1.Service { return x.Items })
		return err
	})
	list(1, "pods", func() error {
		all, err := c.Kube.CoreV1().Pods(namespace).List(each, options)
		l.Pods = items(all, err, func(x *corev1.PodList) []corev1.Pod { return x.Items })
		return err
	})
	list(2, "deployments", func() error {
		all, err := c.Kube.AppsV1().Deployments(namespace).List(each, options)
		l.Deployments = items(all, err, func(x *appsv1.DeploymentList) []appsv1.Deployment { return x.Items })
		return err
	})
	list(3, "leases", func() error {
		all, err := c.Kube.CoordinationV1().Leases(namespace).List(each, options)
		l.Leases = items(all, err, func(x *coordinationv1.LeaseList) []coordinationv1.Lease { return x.Items })
		return err
	})
	list(4, "virtual services", func() (err error) {
		l.VirtualServices, err = istioList(each, c, "VirtualService", o.AllNamespaces)
		return err
	})
	list(5, "destination rules", func() (err error) {
		l.DestinationRules, err = istioList(each, c, "DestinationRule", o.AllNamespaces)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := &Overview{APIVersion: "meshstorm.io/v1", Server: c.Server(), Namespace: namespace}
	for _, n := range notes {
		if n != "" {
			out.Notes = append(out.Notes, n)
		}
	}
	measure(ctx, l, o, out)
	Join(l, out)
	return out, nil
}

func items[L, T any](list L, err error, of func(L) []T) []T {
	if err != nil {
		return nil
	}
	return of(list)
}

func istioList(ctx context.Context, c *cluster.Client, kind string, all bool) ([]unstructured.Unstructured, error) {
	mapping, err := c.Mapping(istio(kind))
	if err != nil {
		return nil, err
	}
	namespace := c.Namespace
	if all {
		namespace = metav1.NamespaceAll
	}
	list, err := c.Dynamic.Resource(mapping.Resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// measure asks the source once for each namespace.
func measure(ctx context.Context, l *Listed, o Options, out *Overview) {
	if o.Metrics == nil {
		return
	}
	workloads := map[string][]string{}
	for i := range l.Deployments {
		d := &l.Deployments[i]
		workloads[d.Namespace] = append(workloads[d.Namespace], d.Name)
	}
	l.Seen = map[string]metrics.Traffic{}
	for namespace, names := range workloads {
		seen, err := o.Metrics.Recent(ctx, metrics.Target{Namespace: namespace, Workloads: names}, o.Span)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				out.Notes = append(out.Notes, fmt.Sprintf("the traffic seen is left out: %v", err))
			}
			continue
		}
		out.Measured = o.Metrics.Name()
		for name, t := range seen {
			l.Seen[namespace+"/"+name] = t
		}
	}
}
