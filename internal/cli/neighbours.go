package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/manifest"
)

// neighbours warns of live routes that take the same requests at the same
// gateway as those of the files: Istio puts the rules of such VirtualServices in
// the order of the objects' age.
func (a *app) neighbours(ctx context.Context, c *cluster.Client, f *applyFlags, want *wanted) error {
	live, err := c.Neighbours(ctx, f.request(want).Workspace, want.objects)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintf(a.Err, "note: live routes of others cannot be read here, so nothing is known of those that take the same requests: %v\n", err)
		return nil
	}
	if len(live) == 0 {
		return nil
	}
	docs, err := documents(live)
	if err != nil {
		return err
	}
	for _, contest := range check.AgainstLive(ctx, want.input, docs) {
		a.warnOf(ctx, c, contest)
	}
	return ctx.Err()
}

// warnOf tells of one contest, and who wins it.
func (a *app) warnOf(ctx context.Context, c *cluster.Client, contest check.Contest) {
	id := cluster.ID{Group: "networking.istio.io", Kind: "VirtualService", Namespace: contest.Object.Namespace, Name: contest.Object.Name}
	own, _ := c.Get(ctx, schema.GroupVersionKind{Group: id.Group, Kind: id.Kind}, id) // one that cannot be read is taken for new
	winner := contest.Live.String()
	if made, err := time.Parse(time.RFC3339, contest.Created); err == nil && own != nil && own.GetCreationTimestamp().Time.Before(made) {
		winner = contest.Object.String()
	}
	fmt.Fprintf(a.Err, "warning: %s:%d: %s takes requests that the live %s takes too, as %s; the older one answers, which is %s\n",
		contest.File, contest.Line, contest.Object, contest.Live, contest.Witness, winner)
	fmt.Fprintln(a.Err, "  give the service a pathPrefix, or the gateway hosts of its own, in meshstorm.yaml; or put both rules into one VirtualService")
}

// documents are objects as check reads them.
func documents(live []*unstructured.Unstructured) ([]*manifest.Document, error) {
	var b bytes.Buffer
	for _, o := range live {
		text, err := o.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	docs, err := manifest.Parse("(live)", b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read the live routes: %w", err)
	}
	return docs, nil
}
