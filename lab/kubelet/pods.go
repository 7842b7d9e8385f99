package kubelet

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
)

// handlers connects the watches. One watch has all pods: the node is the only
// one, so those it does not run are those that wait to be bound.
func (k *Kubelet) handlers(configMaps, secrets, nodes cache.SharedIndexInformer) error {
	pods := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { k.podChanged(obj) },
		UpdateFunc: func(_, obj any) { k.podChanged(obj) },
		DeleteFunc: func(obj any) { k.podDeleted(obj) },
	}
	if _, err := k.podInformer.AddEventHandler(pods); err != nil {
		return err
	}
	for _, informer := range []cache.SharedIndexInformer{configMaps, secrets} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { k.sourceChanged(obj) },
			UpdateFunc: func(_, obj any) { k.sourceChanged(obj) },
		}); err != nil {
			return err
		}
	}
	_, err := nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify(k.pending) },
		UpdateFunc: func(any, any) { notify(k.pending) },
	})
	return err
}

// begin makes workers for the pods that are there, and from then on for every
// pod that comes.
func (k *Kubelet) begin(ctx context.Context) {
	k.mu.Lock()
	k.ctx = ctx
	k.mu.Unlock()
	all, _ := k.podLister.List(labels.Everything())
	for _, p := range all {
		k.podChanged(p)
	}
	notify(k.pending)
}

func (k *Kubelet) podChanged(obj any) {
	p, ok := object[*corev1.Pod](obj)
	if !ok {
		return
	}
	if p.Spec.NodeName == "" {
		notify(k.pending)
		return
	}
	if p.Spec.NodeName != k.o.NodeName {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx == nil || k.ctx.Err() != nil {
		return
	}
	if w := k.workers[p.UID]; w != nil {
		w.update(p)
		return
	}
	w := newWorker(k, p)
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		w.stopped = true // it ended in an earlier run of the lab
	}
	k.workers[p.UID] = w
	k.running.Add(1)
	go k.runWorker(k.ctx, w, p)
}

func (k *Kubelet) runWorker(ctx context.Context, w *worker, p *corev1.Pod) {
	defer k.running.Done()
	if !w.stopped && len(p.Status.ContainerStatuses) > 0 && p.Status.StartTime != nil && p.DeletionTimestamp == nil {
		k.event(p, "", corev1.EventTypeNormal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
	}
	w.run(ctx)
	if ctx.Err() != nil {
		return // shutdown has yet to end its processes
	}
	k.mu.Lock()
	delete(k.workers, w.uid)
	k.mu.Unlock()
	notify(k.pending) // it may have been in the way of another
}

func (k *Kubelet) podDeleted(obj any) {
	p, ok := object[*corev1.Pod](obj)
	if !ok {
		return
	}
	k.mu.Lock()
	w := k.workers[p.UID]
	k.mu.Unlock()
	if w != nil {
		w.forget()
	}
}

// sourceChanged has the pods of a namespace look at their volumes again.
func (k *Kubelet) sourceChanged(obj any) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return
	}
	for _, w := range k.allWorkers() {
		if p := w.current(); p.Namespace == m.GetNamespace() && uses(p, obj) {
			w.sourcesChanged()
		}
	}
}

// uses tells whether a pod's volumes or variables come from an object.
func uses(p *corev1.Pod, obj any) bool {
	_, isMap := obj.(*corev1.ConfigMap)
	name := obj.(metav1.Object).GetName()
	is := func(cm, secret bool, other string) bool { return other == name && (isMap && cm || !isMap && secret) }
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.ConfigMap != nil && is(true, false, v.ConfigMap.Name) || v.Secret != nil && is(false, true, v.Secret.SecretName) {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil && is(true, false, s.ConfigMap.Name) || s.Secret != nil && is(false, true, s.Secret.Name) {
				return true
			}
		}
	}
	for _, c := range append(append([]corev1.Container(nil), p.Spec.InitContainers...), p.Spec.Containers...) {
		for _, f := range c.EnvFrom {
			if f.ConfigMapRef != nil && is(true, false, f.ConfigMapRef.Name) || f.SecretRef != nil && is(false, true, f.SecretRef.Name) {
				return true
			}
		}
		for _, e := range c.Env {
			if f := e.ValueFrom; f != nil && (f.ConfigMapKeyRef != nil && is(true, false, f.ConfigMapKeyRef.Name) ||
				f.SecretKeyRef != nil && is(false, true, f.SecretKeyRef.Name)) {
				return true
			}
		}
	}
	return false
}

// removeOrphans removes the folders of pods that were deleted while the lab was
// down.
func (k *Kubelet) removeOrphans() {
	known := map[string]bool{}
	all, err := k.podLister.List(labels.Everything())
	if err != nil {
		return
	}
	for _, p := range all {
		known[string(p.UID)] = true
	}
	dir := filepath.Join(k.o.Dir, "pods")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		uid := e.Name()[strings.LastIndexByte(e.Name(), '_')+1:]
		if !known[uid] {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				k.log.Warn("folder of a pod that is gone not removed", "err", err)
			}
		}
	}
}
