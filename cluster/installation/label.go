package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/meshstorm/meshstorm/cluster"
)

// LabelOptions say how a namespace is to be part of the mesh; without any it
// gets sidecars of the default revision.
type LabelOptions struct {
	Revision string // sidecars of this revision or tag
	Ambient  bool   // ztunnel instead of sidecars
	Remove   bool   // no part of the mesh
	DryRun   bool   // change nothing
}

// Labelling is what labelling a namespace did and what is left to do.
type Labelling struct {
	Namespace string            `json:"namespace"`
	Set       map[string]string `json:"set"`     // labels that it now has
	Removed   []string          `json:"removed"` // labels that it had
	Changed   bool              `json:"changed"`
	Warnings  []string          `json:"warnings"`
	// Restart are the workloads whose pods were made before and are not as the
	// labels say.
	Restart []Workload `json:"restart"`
}

// Workload is something that makes pods.
type Workload struct {
	Kind      string `json:"kind"` // "Deployment", or "Pod" for one that nobody makes again
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Pods      int    `json:"pods"` // of these that are meant
}

// Command restarts the pods; "" for pods that nobody makes again.
func (w Workload) Command() string {
	switch w.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return fmt.Sprintf("kubectl -n %s rollout restart %s/%s", w.Namespace, strings.ToLower(w.Kind), w.Name)
	}
	return ""
}

// ErrNoNamespace says that the namespace to label does not exist.
var ErrNoNamespace = errors.New("there is no such namespace")

// Label sets the label that puts a namespace into the mesh and removes those
// that would contradict it. The error wraps ErrNoNamespace.
func Label(ctx context.Context, c *cluster.Client, r *Report, namespace string, o LabelOptions) (*Labelling, error) {
	live, err := c.Kube.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w: %s; `kubectl create namespace %s` makes it", ErrNoNamespace, namespace, namespace)
	}
	if err != nil {
		return nil, cluster.Explain(err)
	}
	l := &Labelling{Namespace: namespace, Set: map[string]string{}, Removed: []string{}, Warnings: []string{}, Restart: []Workload{}}
	switch {
	case o.Remove:
	case o.Ambient:
		l.Set[modeLabel] = "ambient"
	case o.Revision != "" && o.Revision != defaultRevision:
		l.Set[revisionLabel] = o.Revision
	default:
		l.Set[injectionLabel] = "enabled"
	}
	patch, after := map[string]any{}, map[string]string{}
	for key, value := range live.Labels {
		after[key] = value
	}
	for _, key := range []string{injectionLabel, revisionLabel, modeLabel} {
		had, there := live.Labels[key]
		wanted, set := l.Set[key]
		switch {
		case set && had != wanted:
			patch[key], after[key] = wanted, wanted
		case !set && there:
			patch[key] = nil
			delete(after, key)
			l.Removed = append(l.Removed, key+"="+had)
		}
	}
	l.Changed = len(patch) > 0
	l.warn(r, after, o)
	if l.Changed && !o.DryRun {
		if err := setLabels(ctx, c, live, patch); err != nil {
			return nil, err
		}
	}
	l.Restart, err = stale(ctx, c, r, namespace, after)
	return l, err
}

func setLabels(ctx context.Context, c *cluster.Client, live *corev1.Namespace, patch map[string]any) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": patch}})
	if err != nil {
		return err
	}
	_, err = c.Kube.CoreV1().Namespaces().Patch(ctx, live.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: Manager})
	return cluster.Explain(err)
}

// warn says where the labels will not do what they promise.
func (l *Labelling) warn(r *Report, after map[string]string, o LabelOptions) {
	say := func(format string, args ...any) { l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...)) }
	in := r.Injects(after, nil)
	switch {
	case o.Remove && in != nil:
		say("%s gives sidecars to namespaces without labels as well; `kubectl label namespace %s istio-injection=disabled` keeps this one out", in.Name, l.Namespace)
	case o.Remove:
	case o.Ambient:
		for _, role := range []string{"ztunnel", "istio-cni"} {
			if r.sees(unseenWorkloads) && !r.hasAgent(role) {
				say("%s is not installed, so the traffic of this namespace is not part of the mesh; `meshstorm istio install --profile ambient` installs it", role)
			}
		}
	case !r.installed():
		say("Istio is not installed; pods get no sidecar until `meshstorm istio install`")
	case in == nil && r.sees(unseenInjectors):
		have := []string{}
		for _, i := range r.Injectors {
			have = append(have, i.Revision)
		}
		slices.Sort(have)
		say("no control plane takes namespaces with this label; revisions that are here: %s", strings.Join(slices.Compact(have), ", "))
	}
}

// Restart makes the pods of workloads again and waits until the new ones are
// ready, as long as timeout says. The error wraps cluster.ErrNotReady.
func Restart(ctx context.Context, c *cluster.Client, all []Workload, now time.Time, timeout time.Duration, changed func(cluster.Readiness)) error {
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{"kubectl.kubernetes.io/restartedAt": now.Format(time.RFC3339)}}}}})
	if err != nil {
		return err
	}
	var ids []cluster.ID
	for _, w := range all {
		o := metav1.PatchOptions{FieldManager: Manager}
		switch w.Kind {
		case "Deployment":
			_, err = c.Kube.AppsV1().Deployments(w.Namespace).Patch(ctx, w.Name, types.StrategicMergePatchType, body, o)
		case "StatefulSet":
			_, err = c.Kube.AppsV1().StatefulSets(w.Namespace).Patch(ctx, w.Name, types.StrategicMergePatchType, body, o)
		case "DaemonSet":
			_, err = c.Kube.AppsV1().DaemonSets(w.Namespace).Patch(ctx, w.Name, types.StrategicMergePatchType, body, o)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("restart %s/%s in %s: %w", strings.ToLower(w.Kind), w.Name, w.Namespace, cluster.Explain(err))
		}
		ids = append(ids, cluster.ID{Group: "apps", Kind: w.Kind, Namespace: w.Namespace, Name: w.Name})
	}
	_, err = c.WaitReady(ctx, ids, timeout, changed)
	return err
}
