package overview

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
)

const (
	// settle gathers changes that come together.
	settle = 200 * time.Millisecond
	// refresh is for what no watch tells: the traffic seen, and leases that end.
	refresh = 5 * time.Second
	// again is the pause before a watch that ended is opened anew.
	again = time.Second
)

var watched = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "Pod"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
	istio("VirtualService"), istio("DestinationRule"),
}

// Watch reads what runs and hands it to show, again whenever something changes,
// until ctx ends or show fails. Connections that break are opened again.
func Watch(ctx context.Context, c *cluster.Client, o Options, show func(*Overview) error) error {
	changed := make(chan struct{}, 1)
	for _, gvk := range watched {
		go follow(ctx, c, gvk, o.AllNamespaces, changed)
	}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		v, err := Read(ctx, c, o)
		if err != nil {
			return err
		}
		if err := show(v); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-tick.C:
		}
		if err := pause(ctx, settle); err != nil {
			return err
		}
		select {
		case <-changed: // came while the others settled
		default:
		}
	}
}

// follow tells of every change of a kind.
func follow(ctx context.Context, c *cluster.Client, gvk schema.GroupVersionKind, all bool, changed chan<- struct{}) {
	for ctx.Err() == nil {
		if once(ctx, c, gvk, all, changed) || pause(ctx, again) != nil {
			return
		}
	}
}

// once follows one watch until it ends; true says that another would be no use.
func once(ctx context.Context, c *cluster.Client, gvk schema.GroupVersionKind, all bool, changed chan<- struct{}) bool {
	mapping, err := c.Mapping(gvk)
	if err != nil {
		return meta.IsNoMatchError(err)
	}
	namespace := c.Namespace
	if all {
		namespace = metav1.NamespaceAll
	}
	// Without a resourceVersion the watch begins with what there is, which only
	// makes the table be read once more.
	w, err := c.Dynamic.Resource(mapping.Resource).Namespace(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return false
	}
	defer w.Stop()
	for range w.ResultChan() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
