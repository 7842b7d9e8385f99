package overview

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/shift"
)

// LeasePrefix starts the names of rollouts' leases; the service's name follows.
const LeasePrefix = "meshstorm-canary-"

// Join brings together what was listed, sorted by namespace and name.
func Join(l *Listed, out *Overview) {
	j := &joiner{Listed: l, pods: map[string][]*corev1.Pod{}, deployments: map[string][]*appsv1.Deployment{}}
	out.Services, out.Pods, out.VirtualServices, out.DestinationRules = []Service{}, []Pod{}, []VirtualService{}, []DestinationRule{}
	for i := range l.Pods {
		p := &l.Pods[i]
		j.pods[p.Namespace] = append(j.pods[p.Namespace], p)
		out.Pods = append(out.Pods, podOf(p))
	}
	for i := range l.Deployments {
		d := &l.Deployments[i]
		j.deployments[d.Namespace] = append(j.deployments[d.Namespace], d)
	}
	for i := range l.VirtualServices {
		out.VirtualServices = append(out.VirtualServices, j.virtualService(&l.VirtualServices[i]))
	}
	for i := range l.DestinationRules {
		out.DestinationRules = append(out.DestinationRules, j.destinationRule(&l.DestinationRules[i]))
	}
	j.byHost(out)
	for i := range l.Services {
		if s := &l.Services[i]; s.Namespace == "default" && s.Name == "kubernetes" {
			continue // the API server's own
		}
		out.Services = append(out.Services, j.service(&l.Services[i]))
	}
	slices.SortFunc(out.Services, func(a, b Service) int { return order(a.Namespace, b.Namespace, a.Name, b.Name) })
	slices.SortFunc(out.Pods, func(a, b Pod) int { return order(a.Namespace, b.Namespace, a.Name, b.Name) })
	slices.SortFunc(out.VirtualServices, func(a, b VirtualService) int { return order(a.Namespace, b.Namespace, a.Name, b.Name) })
	slices.SortFunc(out.DestinationRules, func(a, b DestinationRule) int { return order(a.Namespace, b.Namespace, a.Name, b.Name) })
	out.fill()
}

// fill makes lists that are always printed [] where they would be null.
func (v *Overview) fill() {
	empty(&v.Services)
	empty(&v.Pods)
	empty(&v.VirtualServices)
	empty(&v.DestinationRules)
	for i := range v.Services {
		for k := range v.Services[i].Workloads {
			empty(&v.Services[i].Workloads[k].Images)
		}
	}
	for i := range v.VirtualServices {
		vs := &v.VirtualServices[i]
		empty(&vs.Gateways)
		empty(&vs.Hosts)
		empty(&vs.Rules)
		for k := range vs.Rules {
			empty(&vs.Rules[k].Destinations)
		}
	}
	for i := range v.DestinationRules {
		empty(&v.DestinationRules[i].Subsets)
	}
}

func empty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

func order(aNamespace, bNamespace, a, b string) int {
	return cmp.Or(cmp.Compare(aNamespace, bNamespace), cmp.Compare(a, b))
}

type joiner struct {
	*Listed
	pods        map[string][]*corev1.Pod // by namespace
	deployments map[string][]*appsv1.Deployment
	routes      map[string][]*VirtualService // by full host
	rules       map[string][]*DestinationRule
}

// full is NAME.NAMESPACE of a host that a rule of a namespace names.
func full(host, namespace string) string {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ".svc.cluster.local"), ".svc")
	if !strings.Contains(host, ".") {
		return host + "." + namespace
	}
	return host
}

func (j *joiner) byHost(out *Overview) {
	j.routes, j.rules = map[string][]*VirtualService{}, map[string][]*DestinationRule{}
	for i := range out.VirtualServices {
		vs := &out.VirtualServices[i]
		var hosts []string
		for _, r := range vs.Rules {
			for _, d := range r.Destinations {
				if h := full(d.Host, vs.Namespace); !slices.Contains(hosts, h) {
					hosts = append(hosts, h)
					j.routes[h] = append(j.routes[h], vs)
				}
			}
		}
	}
	for i := range out.DestinationRules {
		dr := &out.DestinationRules[i]
		h := full(dr.Host, dr.Namespace)
		j.rules[h] = append(j.rules[h], dr)
	}
}

func (j *joiner) service(s *corev1.Service) Service {
	out := Service{Namespace: s.Namespace, Name: s.Name, Created: s.CreationTimestamp.Time}
	for _, p := range s.Spec.Ports {
		out.Ports = append(out.Ports, strings.TrimSpace(p.Name+" "+strconv.Itoa(int(p.Port))))
	}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	if len(s.Spec.Selector) == 0 {
		selector = labels.Nothing()
	}
	for _, p := range j.pods[s.Namespace] {
		if !selector.Matches(labels.Set(p.Labels)) || gone(p) {
			continue
		}
		state := podOf(p)
		out.Total++
		out.Restarts += state.Restarts
		if isReady(p) {
			out.Ready++
		}
		if hasProxy(p) {
			out.Sidecars++
		}
	}
	for _, d := range j.deployments[s.Namespace] {
		if selector.Matches(labels.Set(d.Spec.Template.Labels)) {
			out.Workloads = append(out.Workloads, j.workload(d))
		}
	}
	j.mesh(s, &out)
	return out
}

func gone(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || p.DeletionTimestamp != nil
}

func (j *joiner) workload(d *appsv1.Deployment) Workload {
	w := Workload{Name: d.Name, Track: d.Spec.Template.Labels["track"], Version: d.Spec.Template.Labels["version"], Ready: int(d.Status.ReadyReplicas), Wanted: 1}
	if d.Spec.Replicas != nil {
		w.Wanted = int(*d.Spec.Replicas)
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		w.Images = append(w.Images, c.Image)
	}
	if t, known := j.Seen[d.Namespace+"/"+d.Name]; known {
		w.Seen = seen(t)
	}
	return w
}

func seen(t metrics.Traffic) *Seen {
	s := &Seen{Requests: t.Requests, ErrorRate: t.ErrorRate(), Seconds: t.Duration}
	if !math.IsNaN(t.P95) && t.Requests > 0 {
		s.P95 = &t.P95
	}
	return s
}

// mesh adds the routes and subsets of a service, and how its traffic is split.
func (j *joiner) mesh(s *corev1.Service, out *Service) {
	host := s.Name + "." + s.Namespace
	for _, vs := range j.routes[host] {
		out.Routes = append(out.Routes, vs.Name)
		out.Gateways = union(out.Gateways, vs.Gateways)
		out.Hosts = union(out.Hosts, vs.Hosts)
		if vs.Shift != nil && out.Shift == nil {
			running := *vs.Shift
			j.attend(s, &running)
			out.Shift = &running
		}
	}
	for _, dr := range j.rules[host] {
		out.Rules = append(out.Rules, dr.Name)
		for _, subset := range dr.Subsets {
			t := Track{Subset: subset.Name, Ready: subset.Ready, Total: subset.Total, Wished: j.wished(host, subset.Name)}
			j.share(s, subset, out, &t)
			out.Tracks = append(out.Tracks, t)
		}
	}
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// attend says whether somebody holds the lease of the rollout.
func (j *joiner) attend(s *corev1.Service, running *Shift) {
	if running.Plan == "" {
		return
	}
	since := running.Since
	for i := range j.Leases {
		l := &j.Leases[i]
		if l.Namespace != s.Namespace || l.Name != LeasePrefix+s.Name || l.Spec.RenewTime == nil {
			continue
		}
		since = l.Spec.RenewTime.Time
		length := int32(30)
		if l.Spec.LeaseDurationSeconds != nil {
			length = *l.Spec.LeaseDurationSeconds
		}
		held := l.Spec.HolderIdentity != nil && *l.Spec.HolderIdentity != ""
		if held && j.Now.Sub(since).Seconds() < float64(length) {
			running.Holder = *l.Spec.HolderIdentity
			return
		}
	}
	running.Unattended = &since
}

// wished is the weight of a subset, if all rules that split the service agree.
// Rules that a canary adds for testers and cookies are no split.
func (j *joiner) wished(host, subset string) *int {
	var wish *int
	for _, vs := range j.routes[host] {
		for _, r := range vs.Rules {
			if strings.HasPrefix(r.Name, shift.RulePrefix) {
				continue
			}
			ours, weight := false, 0
			for _, d := range r.Destinations {
				if full(d.Host, vs.Namespace) == host {
					ours = true
					if d.Subset == subset {
						weight = d.Weight
					}
				}
			}
			switch {
			case !ours:
			case wish == nil:
				wish = &weight
			case *wish != weight:
				return nil
			}
		}
	}
	return wish
}

// share is what part of the service's requests a subset's workloads answered.
func (j *joiner) share(s *corev1.Service, subset Subset, out *Service, t *Track) {
	all, own, slowest := 0.0, metrics.Traffic{P95: math.NaN()}, math.NaN()
	known := false
	for _, w := range out.Workloads {
		if w.Seen == nil {
			continue
		}
		all += w.Seen.Requests
		if !j.selects(s.Namespace, subset, w.Name) {
			continue
		}
		known = true
		own.Requests += w.Seen.Requests
		own.Errors += w.Seen.Requests * w.Seen.ErrorRate
		own.Duration = w.Seen.Seconds
		if w.Seen.P95 != nil && (math.IsNaN(slowest) || *w.Seen.P95 > slowest) {
			slowest = *w.Seen.P95
		}
	}
	own.P95 = slowest
	if known {
		t.Seen = seen(own)
	}
	if known && all > 0 {
		part := own.Requests / all
		t.Share = &part
	}
}

func (j *joiner) selects(namespace string, subset Subset, workload string) bool {
	for _, d := range j.deployments[namespace] {
		if d.Name == workload {
			return labels.SelectorFromSet(subset.Labels).Matches(labels.Set(d.Spec.Template.Labels))
		}
	}
	return false
}

func (j *joiner) virtualService(o *unstructured.Unstructured) VirtualService {
	vs := VirtualService{Namespace: o.GetNamespace(), Name: o.GetName(), Created: o.GetCreationTimestamp().Time}
	vs.Gateways, _, _ = unstructured.NestedStringSlice(o.Object, "spec", "gateways")
	vs.Hosts, _, _ = unstructured.NestedStringSlice(o.Object, "spec", "hosts")
	if len(vs.Gateways) == 0 {
		vs.Gateways = []string{"mesh"} // Istio's default
	}
	if state, err := shift.Read(o); err == nil && state != nil {
		vs.Shift = &Shift{Since: state.Since, Plan: state.Plan}
	}
	rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "http")
	for _, r := range rules {
		fields, _ := r.(map[string]any)
		rule := Rule{}
		rule.Name, _ = fields["name"].(string)
		targets, _ := fields["route"].([]any)
		for _, t := range targets {
			target, _ := t.(map[string]any)
			to, _ := target["destination"].(map[string]any)
			d := Destination{Weight: weight(target["weight"], len(targets) == 1)}
			d.Host, _ = to["host"].(string)
			d.Subset, _ = to["subset"].(string)
			rule.Destinations = append(rule.Destinations, d)
		}
		vs.Rules = append(vs.Rules, rule)
	}
	return vs
}

func weight(v any, only bool) int {
	n := 0
	switch w := v.(type) {
	case int64:
		n = int(w)
	case float64:
		n = int(w)
	}
	if n == 0 && only {
		return 100
	}
	return n
}

func (j *joiner) destinationRule(o *unstructured.Unstructured) DestinationRule {
	dr := DestinationRule{Namespace: o.GetNamespace(), Name: o.GetName(), Created: o.GetCreationTimestamp().Time}
	dr.Host, _, _ = unstructured.NestedString(o.Object, "spec", "host")
	subsets, _, _ := unstructured.NestedSlice(o.Object, "spec", "subsets")
	name, namespace, _ := strings.Cut(full(dr.Host, dr.Namespace), ".")
	selector := labels.Nothing()
	for i := range j.Services {
		if s := &j.Services[i]; s.Name == name && s.Namespace == namespace && len(s.Spec.Selector) > 0 {
			selector = labels.SelectorFromSet(s.Spec.Selector)
		}
	}
	for _, item := range subsets {
		fields, _ := item.(map[string]any)
		subset := Subset{}
		subset.Name, _ = fields["name"].(string)
		subset.Labels, _, _ = unstructured.NestedStringMap(fields, "labels")
		own := labels.SelectorFromSet(subset.Labels)
		for _, p := range j.pods[namespace] {
			set := labels.Set(p.Labels)
			if gone(p) || !selector.Matches(set) || !own.Matches(set) {
				continue
			}
			subset.Total++
			if isReady(p) {
				subset.Ready++
			}
		}
		dr.Subsets = append(dr.Subsets, subset)
	}
	return dr
}
