package installation

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/meshstorm/meshstorm/cluster"
)

// answerTime is how long istiod may take to say its version; clusters whose API
// server cannot reach pods would otherwise hold everybody up.
const answerTime = 3 * time.Second

// page is how many objects a list asks for at once.
const page = 500

// finder gathers the parts of a report.
type finder struct {
	*cluster.Client
	mu sync.Mutex
	r  *Report

	deployments []appsv1.Deployment
	daemons     []appsv1.DaemonSet
}

// Found looks at all of Istio that a cluster has. What the credentials may not
// read is named in Unseen; every other failure is an error.
func Found(ctx context.Context, c *cluster.Client) (*Report, error) {
	f := &finder{Client: c, r: &Report{
		ControlPlanes: []ControlPlane{}, Agents: []Agent{}, Injectors: []Injector{}, Namespaces: []Namespace{},
		Gateways: []Gateway{}, Kinds: []Kind{}, labels: map[string]map[string]string{},
	}}
	var err error
	// First, and alone: where nobody answers, one error is enough.
	if f.r.Kubernetes, err = c.Version(ctx); err != nil {
		return nil, err
	}
	group, inner := errgroup.WithContext(ctx)
	for _, look := range []func(context.Context) error{f.workloads, f.injectors, f.namespaces, f.kinds} {
		group.Go(func() error { return look(inner) })
	}
	if err := group.Wait(); err != nil {
		return nil, cluster.Explain(err)
	}
	if err := f.controlPlanes(ctx); err != nil {
		return nil, cluster.Explain(err)
	}
	f.agents()
	if err := f.gateways(ctx); err != nil {
		return nil, cluster.Explain(err)
	}
	for name, labels := range f.r.labels {
		if ns, ok := f.r.namespace(name, labels); ok {
			f.r.Namespaces = append(f.r.Namespaces, ns)
		}
	}
	slices.SortFunc(f.r.Namespaces, func(a, b Namespace) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(f.r.Unseen)
	return f.r, nil
}

// unseen notes what may not be read; any other error stays one.
func (f *finder) unseen(part string, err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.r.Unseen, part) {
		f.r.Unseen = append(f.r.Unseen, part)
	}
	return nil
}

// pages reads a list to its end.
func pages(list func(metav1.ListOptions) (metav1.ListInterface, error)) error {
	o := metav1.ListOptions{Limit: page}
	for {
		got, err := list(o)
		if err != nil {
			return err
		}
		if o.Continue = got.GetContinue(); o.Continue == "" {
			return nil
		}
	}
}

func (f *finder) workloads(ctx context.Context) error {
	err := pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		list, err := f.Kube.AppsV1().Deployments("").List(ctx, o)
		if err == nil {
			f.deployments = append(f.deployments, list.Items...)
		}
		return list, err
	})
	if err == nil {
		err = pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
			list, err := f.Kube.AppsV1().DaemonSets("").List(ctx, o)
			if err == nil {
				f.daemons = append(f.daemons, list.Items...)
			}
			return list, err
		})
	}
	return f.unseen(unseenWorkloads, err)
}

func (f *finder) injectors(ctx context.Context) error {
	list, err := f.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return f.unseen(unseenInjectors, err)
	}
	for i := range list.Items {
		if in, ok := newInjector(&list.Items[i]); ok {
			f.r.Injectors = append(f.r.Injectors, in)
		}
	}
	slices.SortFunc(f.r.Injectors, func(a, b Injector) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (f *finder) namespaces(ctx context.Context) error {
	err := pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		list, err := f.Kube.CoreV1().Namespaces().List(ctx, o)
		if err == nil {
			for _, ns := range list.Items {
				f.r.labels[ns.Name] = ns.Labels
			}
		}
		return list, err
	})
	if !apierrors.IsForbidden(err) {
		return err
	}
	// Somebody who works in one namespace may often read that one.
	ns, one := f.Kube.CoreV1().Namespaces().Get(ctx, f.Namespace, metav1.GetOptions{})
	if one == nil {
		f.r.labels[ns.Name] = ns.Labels
	}
	return f.unseen(unseenNamespaces, err)
}

// kinds asks what is served, not which definitions exist: everybody may, and a
// definition that is not established serves nothing.
func (f *finder) kinds(context.Context) error {
	_, lists, err := f.Discovery().ServerGroupsAndResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return err
	}
	found := map[schema.GroupKind][]string{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || !isMesh(gv.Group) {
			continue
		}
		for _, res := range list.APIResources {
			if !strings.Contains(res.Name, "/") {
				gk := schema.GroupKind{Group: gv.Group, Kind: res.Kind}
				found[gk] = append(found[gk], gv.Version)
			}
		}
	}
	for gk, versions := range found {
		slices.Sort(versions)
		f.r.Kinds = append(f.r.Kinds, Kind{gk.Group, gk.Kind, versions})
	}
	slices.SortFunc(f.r.Kinds, func(a, b Kind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind))
	})
	return nil
}

// isMesh reports whether a group's kinds come with Istio or the Gateway API.
func isMesh(group string) bool {
	return strings.HasSuffix(group, ".istio.io") || group == gatewayGroup
}

const (
	gatewayGroup = "gateway.networking.k8s.io"
	networking   = "networking.istio.io"
)

func (f *finder) agents() {
	for i := range f.daemons {
		d := &f.daemons[i]
		role := ""
		for _, c := range d.Spec.Template.Spec.Containers {
			switch {
			case c.Name == "install-cni" || strings.Contains(c.Image, "/install-cni"):
				role = "istio-cni"
			case d.Spec.Template.Labels["app"] == "ztunnel" || strings.Contains(c.Image, "/ztunnel"):
				role = "ztunnel"
			}
			if role != "" {
				f.r.Agents = append(f.r.Agents, Agent{role, d.Namespace, d.Name, versionOf(tagOf(c.Image)),
					int(d.Status.NumberReady), int(d.Status.DesiredNumberScheduled)})
				break
			}
		}
	}
	slices.SortFunc(f.r.Agents, func(a, b Agent) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// namespace is false for one that says nothing of the mesh.
func (r *Report) namespace(name string, labels map[string]string) (Namespace, bool) {
	ns := Namespace{Name: name, Mode: "none"}
	if in := r.Injects(labels, nil); in != nil {
		ns.Mode, ns.Revision = "sidecar", in.Revision
	} else if labels[modeLabel] == "ambient" {
		ns.Mode = "ambient"
	}
	said := labels[injectionLabel] + labels[revisionLabel] + labels[modeLabel]
	return ns, said != "" || ns.Mode != "none"
}

// replicas of a Deployment: ready and wanted.
func replicas(d *appsv1.Deployment) (int, int) {
	wanted := 1
	if d.Spec.Replicas != nil {
		wanted = int(*d.Spec.Replicas)
	}
	return int(d.Status.ReadyReplicas), wanted
}

func container(spec *corev1.PodSpec, name string) *corev1.Container {
	for _, all := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range all {
			if all[i].Name == name {
				return &all[i]
			}
		}
	}
	return nil
}
