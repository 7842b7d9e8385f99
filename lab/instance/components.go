package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/meshstorm/meshstorm/lab/controlplane"
)

// memory is what a process holds, in bytes: its share of shared pages (Pss)
// where the system tells it, else its resident set; 0 where it is gone.
func memory(pid int) int64 {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0
	}
	if maps, err := p.MemoryMaps(true); err == nil && maps != nil && len(*maps) > 0 && (*maps)[0].Pss > 0 {
		return int64((*maps)[0].Pss) << 10
	}
	info, err := p.MemoryInfo()
	if err != nil {
		return 0
	}
	return int64(info.RSS)
}

// podComponents are the containers that run, by pod.
func (l *Lab) podComponents(ctx context.Context) []Component {
	ready := map[string]bool{}
	tags := map[string]string{}
	pods, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err == nil {
		for i := range pods.Items {
			p := &pods.Items[i]
			for _, c := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
				name := p.Namespace + "/" + p.Name + "/" + c.Name
				ready[name] = c.Ready
				tags[name] = tag(c.Image)
			}
		}
	}
	var all []Component
	for _, s := range l.kubelet.Stats() {
		name := s.Namespace + "/" + s.Pod + "/" + s.Container
		all = append(all, Component{Name: name, Version: tags[name], PID: s.PID, MemoryBytes: int64(s.MemoryBytes), Ready: ready[name]})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func tag(image string) string {
	last := image[strings.LastIndex(image, "/")+1:]
	if _, tag, ok := strings.Cut(last, ":"); ok {
		return tag
	}
	return ""
}

// unsupported is what the proxies were sent and do not do, and the objects
// whose controllers the lab does not have.
func (l *Lab) unsupported(ctx context.Context) []string {
	seen := map[string][]string{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	pods, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return []string{"the pods cannot be listed: " + err.Error()}
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if !hasProxy(p) || p.Status.PodIP == "" {
			continue
		}
		wait.Go(func() {
			for _, text := range l.askProxy(ctx, p) {
				mu.Lock()
				seen[text] = append(seen[text], p.Namespace+"/"+p.Name)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	all := l.withoutController(ctx)
	for text, proxies := range seen {
		sort.Strings(proxies)
		where := proxies[0]
		if len(proxies) > 1 {
			where = fmt.Sprintf("%s and %d more", where, len(proxies)-1)
		}
		all = append(all, text+" (proxy of "+where+")")
	}
	for _, problem := range l.models.Problems() {
		all = append(all, "model: "+problem)
	}
	sort.Strings(all)
	return all
}

func hasProxy(p *corev1.Pod) bool {
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for _, c := range list {
			if c.Name == "istio-proxy" {
				return true
			}
		}
	}
	return false
}

// askProxy reads /unsupported of a proxy's admin port; one that does not answer
// has nothing to tell.
func (l *Lab) askProxy(ctx context.Context, p *corev1.Pod) []string {
	ip, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := "http://" + netip.AddrPortFrom(l.net.Bind(ip), 15000).String() + "/unsupported"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	var texts []string
	if err := json.NewDecoder(res.Body).Decode(&texts); err != nil {
		return nil
	}
	return texts
}

func (l *Lab) withoutController(ctx context.Context) []string {
	client, err := dynamic.NewForConfig(l.plane.Config)
	if err != nil {
		return nil
	}
	var all []string
	for _, resource := range controlplane.Uncontrolled {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			if !apierrors.IsNotFound(err) {
				all = append(all, resource.Resource+" cannot be listed: "+err.Error())
			}
			continue
		}
		for i := range list.Items {
			o := &list.Items[i]
			all = append(all, fmt.Sprintf("%s %s/%s: no controller in the lab", o.GetKind(), o.GetNamespace(), o.GetName()))
		}
	}
	return all
}
