package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
)

// clusterFlags say which cluster, as kubectl's flags do.
type clusterFlags struct {
	kubeconfig string
	context    string
	namespace  string
	as         string
	asGroups   []string
	timeout    time.Duration
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file; default: $KUBECONFIG, then ~/.kube/config")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig; default: the current one")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "namespace; default: the workspace's, then the context's")
	flags.StringVar(&f.as, "as", "", "user to impersonate")
	flags.StringArrayVar(&f.asGroups, "as-group", nil, "group to impersonate; can be repeated")
	flags.DurationVar(&f.timeout, "request-timeout", 0, "longest time for a single request; 0 for no limit")
}

// connect makes the client. fallback is the workspace's namespace, used where
// --namespace does not say another; "" leaves it to the kubeconfig.
func (f *clusterFlags) connect(fallback string) (*cluster.Client, error) {
	namespace := f.namespace
	if namespace == "" {
		namespace = fallback
	}
	c, err := cluster.Connect(cluster.Options{
		Kubeconfig: f.kubeconfig, Context: f.context, Namespace: namespace,
		As: f.as, AsGroups: f.asGroups, Timeout: f.timeout, UserAgent: "meshstorm/" + Version,
	})
	if errors.Is(err, cluster.ErrConfig) {
		return nil, outside(err)
	}
	return c, err
}
