package installation

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster"
)

// unready says what the workloads of a plan wait for, in the words of an
// installation. The error wraps cluster.ErrNotReady.
func unready(ctx context.Context, c *cluster.Client, p *cluster.Plan, cause error) error {
	var ids []cluster.ID
	for _, ch := range p.Changes {
		if makesPods(ch.Object.Kind) && ch.Action != cluster.Delete && ch.Action != cluster.Keep {
			ids = append(ids, ch.Object)
		}
	}
	states, err := c.WaitReady(ctx, ids, 0, nil)
	if err == nil || ctx.Err() != nil {
		return cause
	}
	var lines []string
	for _, s := range states {
		if s.Ready {
			continue
		}
		if s.Object.Kind == "DaemonSet" && unattended(ctx, c, s.Object) {
			s.Message = "nothing in this cluster makes the pods of DaemonSets; the lab is such a cluster, and the ambient profile cannot run in it"
		}
		lines = append(lines, fmt.Sprintf("%s: %s", s.Object, s.Message))
	}
	return fmt.Errorf("%w:\n%s\nthe webhooks wait for that; mend it and install again, install another profile, or `meshstorm istio uninstall`",
		cluster.ErrNotReady, strings.Join(lines, "\n"))
}

func makesPods(kind string) bool {
	return kind == "Deployment" || kind == "DaemonSet" || kind == "StatefulSet"
}

// unattended reports whether no controller has looked at a DaemonSet in the five
// seconds since it was made.
func unattended(ctx context.Context, c *cluster.Client, id cluster.ID) bool {
	d, err := c.Kube.AppsV1().DaemonSets(id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
	return err == nil && d.Status.ObservedGeneration == 0 && time.Since(d.CreationTimestamp.Time) > 5*time.Second
}

// Leaving are the gateways and other workloads of an earlier profile that a plan
// takes away.
func Leaving(p *cluster.Plan) []string {
	var all []string
	for _, ch := range p.Changes {
		if ch.Action == cluster.Delete && makesPods(ch.Object.Kind) {
			all = append(all, ch.Object.String())
		}
	}
	return all
}
