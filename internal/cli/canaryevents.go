package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
	"github.com/meshstorm/meshstorm/workspace"
)

// eventsOf says which events a service consumes: by the workspace, else by the
// model that apply left in the cluster. Where neither knows the service nothing
// is known, and a warning says so. The plan gets the variables that the settings
// have for canaries.
func (a *app) eventsOf(ctx context.Context, c *cluster.Client, w *workspace.Workspace, p *rollout.Plan) []string {
	var intent *deploy.Model
	if w != nil && w.Settings.Namespace == c.Namespace {
		intent = w.Intent
	}
	if intent == nil || intent.Service(p.Service) == nil {
		var err error
		if intent, err = modelInCluster(ctx, c, p.Service); err != nil {
			fmt.Fprintf(a.Err, "warning: the model in the cluster cannot be read: %v\n", err)
		}
	}
	if intent == nil || intent.Service(p.Service) == nil {
		fmt.Fprintf(a.Err, "warning: no model knows %s; if it consumes events, its canary will as well, whatever its weight\n", p.Service)
		return nil
	}
	service := intent.Service(p.Service)
	for _, e := range service.CanaryEnv {
		if _, said := p.CanaryEnv[e.Name]; !said {
			p.CanaryEnv[e.Name] = e.Value
		}
	}
	return service.Consumes
}

// modelInCluster reads the model whose ConfigMaps hold a service; nil where
// there is none.
func modelInCluster(ctx context.Context, c *cluster.Client, service string) (*deploy.Model, error) {
	list, err := c.Kube.CoreV1().ConfigMaps(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: topping.ModelLabel})
	if err != nil {
		return nil, cluster.Explain(err)
	}
	models := map[string][]*corev1.ConfigMap{}
	for i := range list.Items {
		name := list.Items[i].Labels[topping.ModelLabel]
		models[name] = append(models[name], &list.Items[i])
	}
	for name, parts := range models {
		// "2/10" comes before "10/10".
		slices.SortFunc(parts, func(a, b *corev1.ConfigMap) int {
			x, y := a.Annotations[kubernetes.PartKey], b.Annotations[kubernetes.PartKey]
			return cmp.Or(len(x)-len(y), cmp.Compare(x, y))
		})
		var objects []manifest.Object
		for _, p := range parts {
			objects = append(objects, manifest.Object{Value: p})
		}
		data, err := kubernetes.ReadArchive(objects)
		if err != nil {
			return nil, err
		}
		doc, err := msaez.Parse(data, "the model in ConfigMap "+parts[0].Name)
		if err != nil {
			return nil, err
		}
		settings, err := workspace.LoadSettings([]byte(parts[0].Data[kubernetes.SettingsKey]), name, workspace.Options{})
		if err != nil {
			return nil, err
		}
		if intent := deploy.Build(doc.Model, settings); intent.Service(service) != nil {
			return intent, nil
		}
	}
	return nil, nil
}
