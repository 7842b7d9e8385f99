package kubelet

import (
	"context"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

const (
	// Port of the kubelet's server.
	Port          = 10250
	maxPods       = 500
	leaseNS       = "kube-node-lease"
	leaseSeconds  = 40               // the kubelet's own
	leasePeriod   = 10 * time.Second // a quarter of it
	statusPeriod  = 5 * time.Minute
	notReadyTaint = "node.kubernetes.io/not-ready"
)

func nodeCapacity() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:  *resource.NewQuantity(int64(goruntime.NumCPU()), resource.DecimalSI),
		corev1.ResourcePods: *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
	if m, err := mem.VirtualMemory(); err == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(m.Total), resource.BinarySI)
	}
	if d, err := disk.Usage(os.TempDir()); err == nil {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(int64(d.Total), resource.BinarySI)
	}
	return list
}

func (k *Kubelet) capacity() corev1.ResourceList { return k.limits() }

// register makes the Node object, or brings the one of an earlier run up to
// date.
func (k *Kubelet) register(ctx context.Context) error {
	if k.o.KubernetesVersion == "" {
		if v, err := k.o.Client.Discovery().ServerVersion(); err == nil {
			k.o.KubernetesVersion = v.GitVersion
		}
	}
	nodes := k.o.Client.CoreV1().Nodes()
	err := retry.OnError(retry.DefaultBackoff, func(err error) bool { return ctx.Err() == nil }, func() error {
		have, err := nodes.Get(ctx, k.o.NodeName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			have, err = nodes.Create(ctx, k.node(), metav1.CreateOptions{})
		}
		if err != nil {
			return err
		}
		if have, err = k.untaint(ctx, have); err != nil {
			return err
		}
		return k.writeNode(ctx, have)
	})
	if err != nil {
		return fmt.Errorf("kubelet: register node %s: %w", k.o.NodeName, err)
	}
	k.recorder.Event(k.nodeRef(), corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	if err := k.renewLease(ctx); err != nil {
		k.log.Warn("node lease not written", "err", err)
	}
	return nil
}

func (k *Kubelet) nodeRef() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: k.o.NodeName, UID: ""}
}

func (k *Kubelet) node() *corev1.Node {
	hostname := k.o.NodeName
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.o.NodeName, Labels: map[string]string{
			corev1.LabelHostname: hostname, corev1.LabelOSStable: goruntime.GOOS, corev1.LabelArchStable: goruntime.GOARCH,
		}},
		Spec: corev1.NodeSpec{PodCIDR: "10.244.0.0/16", PodCIDRs: []string{"10.244.0.0/16"}},
	}
}

// untaint removes the taint that new nodes get until they are ready: this one is
// from the start.
func (k *Kubelet) untaint(ctx context.Context, n *corev1.Node) (*corev1.Node, error) {
	is := func(t corev1.Taint) bool { return t.Key == notReadyTaint }
	if !slices.ContainsFunc(n.Spec.Taints, is) {
		return n, nil
	}
	n = n.DeepCopy()
	n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, is)
	return k.o.Client.CoreV1().Nodes().Update(ctx, n, metav1.UpdateOptions{})
}

func (k *Kubelet) writeNode(ctx context.Context, have *corev1.Node) error {
	n := have.DeepCopy()
	k.fillNode(n)
	if equality.Semantic.DeepEqual(n.Status, have.Status) {
		return nil
	}
	_, err := k.o.Client.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
	return err
}

func (k *Kubelet) fillNode(n *corev1.Node) {
	s := &n.Status
	s.Capacity, s.Allocatable = k.capacity().DeepCopy(), k.capacity().DeepCopy()
	s.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: k.nodeIP}, {Type: corev1.NodeHostName, Address: k.o.NodeName}}
	s.DaemonEndpoints.KubeletEndpoint.Port = Port
	s.NodeInfo = corev1.NodeSystemInfo{
		KubeletVersion: k.o.KubernetesVersion, ContainerRuntimeVersion: "meshstorm-lab://" + k.o.Version,
		OperatingSystem: goruntime.GOOS, Architecture: goruntime.GOARCH,
	}
	if info, err := host.Info(); err == nil {
		s.NodeInfo.KernelVersion, s.NodeInfo.OSImage = info.KernelVersion, info.Platform+" "+info.PlatformVersion
		s.NodeInfo.MachineID, s.NodeInfo.SystemUUID = info.HostID, info.HostID
	}
	now := seconds(k.o.Now())
	for _, c := range []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
	} {
		c.LastHeartbeatTime, c.LastTransitionTime = now, now
		at := slices.IndexFunc(s.Conditions, func(o corev1.NodeCondition) bool { return o.Type == c.Type })
		if at < 0 {
			s.Conditions = append(s.Conditions, c)
			continue
		}
		if s.Conditions[at].Status == c.Status {
			c.LastTransitionTime = s.Conditions[at].LastTransitionTime
		}
		s.Conditions[at] = c
	}
}

// heartbeat renews the lease, and from time to time the status.
func (k *Kubelet) heartbeat(ctx context.Context) {
	tick := time.NewTicker(leasePeriod)
	defer tick.Stop()
	written := k.o.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.renewLease(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("node lease not renewed", "err", err)
		}
		n, err := k.nodeLister.Get(k.o.NodeName)
		switch {
		case apierrors.IsNotFound(err):
			err = k.register(ctx) // somebody deleted it
		case err == nil && k.o.Now().Sub(written) >= statusPeriod:
			if n, err = k.untaint(ctx, n); err == nil {
				err = k.writeNode(ctx, n)
			}
			written = k.o.Now()
		}
		if err != nil && ctx.Err() == nil {
			k.log.Warn("node status not written", "err", err)
		}
	}
}

func (k *Kubelet) renewLease(ctx context.Context) error {
	leases := k.o.Client.CoordinationV1().Leases(leaseNS)
	now, duration := metav1.NewMicroTime(k.o.Now()), int32(leaseSeconds)
	have, err := leases.Get(ctx, k.o.NodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: k.o.NodeName, Namespace: leaseNS},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &k.o.NodeName, LeaseDurationSeconds: &duration, RenewTime: &now},
		}, metav1.CreateOptions{})
		return err
	} else if err != nil {
		return err
	}
	have.Spec.HolderIdentity, have.Spec.LeaseDurationSeconds, have.Spec.RenewTime = &k.o.NodeName, &duration, &now
	_, err = leases.Update(ctx, have, metav1.UpdateOptions{})
	return err
}
