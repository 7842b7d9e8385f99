package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/overview"
	"github.com/meshstorm/meshstorm/cluster/rollout"
)

const (
	// patience is how long a cluster may take to say that it is there.
	patience = 5 * time.Second
	// istioFresh is how long what is known of Istio counts: finding it lists much.
	istioFresh = 10 * time.Second
)

// Cluster is what runs of a workspace in a cluster, and how far the way to it is.
type Cluster struct {
	Context         string          `json:"context" doc:"Empty where there is none."`
	Lab             bool            `json:"lab"`
	Server          string          `json:"server" doc:"HOST:PORT."`
	Reachable       bool            `json:"reachable"`
	Problem         string          `json:"problem,omitempty" doc:"Why it is not reachable, or what could not be read, and what to do."`
	Kubernetes      string          `json:"kubernetes,omitempty" example:"v1.37.2"`
	Namespace       string          `json:"namespace"`
	NamespaceExists bool            `json:"namespaceExists"`
	Injection       string          `json:"injection" doc:"enabled, disabled, missing, or the label that gives the namespace's pods sidecars: istio.io/rev=canary."`
	Istio           Istio           `json:"istio"`
	Overview        json.RawMessage `json:"overview,omitempty" doc:"What runs, as meshstorm get -o json prints it: docs/schema/get.json."`
	Applied         *Applied        `json:"applied,omitempty" doc:"The state that was applied last; missing: none."`
	Shifts          json.RawMessage `json:"shifts" doc:"The namespace's canaries, as the list canaries of meshstorm canary status -o json: docs/schema/canary.json."`
	Gateway         *Gateway        `json:"gateway,omitempty"`
}

// Istio is what of it the cluster has.
type Istio struct {
	Installed bool       `json:"installed"`
	Version   string     `json:"version,omitempty"`
	Profile   string     `json:"profile,omitempty"`
	Revisions []Revision `json:"revisions"`
	Problems  []string   `json:"problems"`
}

// Revision is a control plane.
type Revision struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
}

// Applied is the state that was applied last.
type Applied struct {
	Revision int       `json:"revision"`
	When     time.Time `json:"when"`
	Note     string    `json:"note,omitempty"`
}

// Gateway is how requests from here reach the mesh.
type Gateway struct {
	URL string `json:"url,omitempty"`
	How string `json:"how" enum:"lab,port-forward"`
}

// Place is a workspace's in a cluster.
type Place struct {
	Context   string // of the kubeconfig; "" for the current one
	Namespace string // the workspace's
	Workspace string // its name in the cluster
}

// view looks at one place again and again.
type view struct {
	place  Place
	target Target
	client *cluster.Client

	mu     sync.Mutex
	istio  Istio
	looked time.Time
}

// View says what runs at a place, once. What is not reachable is said in it.
func (l *Clusters) View(ctx context.Context, p Place) Cluster {
	v, lost := l.view(ctx, p)
	if v == nil {
		return lost
	}
	c := v.base(ctx)
	if !c.Reachable || !c.NamespaceExists {
		return c
	}
	o, err := overview.Read(ctx, v.client, overview.Options{})
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	return v.history(ctx, v.with(c, o))
}

// view prepares looking; without a client it says why.
func (l *Clusters) view(ctx context.Context, p Place) (*view, Cluster) {
	lost := Cluster{Context: p.Context, Namespace: p.Namespace, Injection: "missing", Istio: noIstio(), Shifts: json.RawMessage("[]")}
	client, t, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		lost.Problem = err.Error()
		return nil, lost
	}
	p.Context = t.Name
	return &view{place: p, target: t, client: client}, lost
}

func noIstio() Istio { return Istio{Revisions: []Revision{}, Problems: []string{}} }

// base is everything but what runs in the namespace.
func (v *view) base(ctx context.Context) Cluster {
	c := Cluster{
		Context: v.target.Name, Lab: v.target.Lab(), Server: hostOf(v.client.Server()), Namespace: v.place.Namespace,
		Injection: "missing", Istio: noIstio(), Shifts: json.RawMessage("[]"),
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	if c.Kubernetes, err = v.client.Version(within); err != nil {
		c.Problem = unreachable(v.target, err)
		return c
	}
	c.Reachable = true
	c.Gateway = &Gateway{How: "port-forward"}
	if v.target.lab != nil {
		c.Gateway = &Gateway{How: "lab", URL: v.target.lab.Gateway}
	}
	var istio Istio
	var state cluster.NamespaceState
	group, each := errgroup.WithContext(ctx)
	group.Go(func() (err error) { istio, err = v.findIstio(each); return err })
	group.Go(func() (err error) { state, err = v.client.NamespaceState(each, v.place.Namespace); return err })
	if err := group.Wait(); err != nil {
		c.Problem = err.Error()
	}
	if istio.Revisions != nil {
		c.Istio = istio
	}
	c.NamespaceExists = state.Exists
	switch state.Why {
	case "istio-injection=enabled":
		c.Injection = "enabled"
	case "istio-injection=disabled":
		c.Injection = "disabled"
	case "":
	default:
		c.Injection = state.Why
	}
	return c
}

func unreachable(t Target, err error) string {
	switch {
	case t.lab != nil && t.lab.State == LabStopped:
		return "the lab is stopped; start it here or with `meshstorm lab up --detach`"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%v: no answer within %s; is this machine on the network that leads there?", cluster.ErrUnreachable, patience)
	}
	return err.Error()
}

// findIstio asks the cluster at times.
func (v *view) findIstio(ctx context.Context) (Istio, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.looked.IsZero() && time.Since(v.looked) < istioFresh {
		return v.istio, nil
	}
	r, err := installation.Found(ctx, v.client)
	if err != nil {
		return noIstio(), err
	}
	v.istio = istioOf(r)
	if v.istio.Installed { // one that is being installed is looked for at once again
		v.looked = time.Now()
	}
	return v.istio, nil
}

func istioOf(r *installation.Report) Istio {
	out := noIstio()
	for _, p := range r.ControlPlanes {
		out.Installed = true
		ready := p.Wanted > 0 && p.Ready >= p.Wanted
		out.Revisions = append(out.Revisions, Revision{Name: p.Revision, Version: p.Version, Ready: ready})
		if out.Version == "" || p.Revision == "default" {
			out.Version, out.Profile = p.Version, p.Profile
		}
		if !ready {
			out.Problems = append(out.Problems, fmt.Sprintf("the control plane %s/%s has %d of %d pods ready", p.Namespace, p.Name, p.Ready, p.Wanted))
		}
		if p.Support == installation.Unsupported {
			out.Problems = append(out.Problems, fmt.Sprintf("Istio %s is made for Kubernetes %s", p.Version, p.Range))
		}
	}
	if out.Installed && len(r.Gateways) == 0 {
		out.Problems = append(out.Problems, "no gateway takes requests from outside: the profiles demo and default bring one")
	}
	for _, u := range r.Unseen {
		out.Problems = append(out.Problems, u+" may not be read with these credentials")
	}
	return out
}

// with adds what runs.
func (v *view) with(c Cluster, o *overview.Overview) Cluster {
	text, err := json.Marshal(o)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Overview = text
	return c
}

// history adds what was applied and where the canaries are.
func (v *view) history(ctx context.Context, c Cluster) Cluster {
	revisions, err := v.client.History(ctx, v.place.Workspace)
	if err != nil {
		c.Problem = err.Error()
	}
	for _, r := range revisions {
		if r.Current {
			c.Applied = &Applied{r.Number, r.Applied, r.Note}
		}
	}
	canaries, err := v.canaries(ctx)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	text, err := json.Marshal(canaries)
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Shifts = text
	return c
}

// canaries are the namespace's, those that are watched with what is measured now.
func (v *view) canaries(ctx context.Context) ([]*rollout.Status, error) {
	e := &rollout.Engine{Client: v.client}
	all, err := e.All(ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range all {
		if s.Phase != rollout.Watching && s.Phase != rollout.Paused {
			continue
		}
		if e.Metrics == nil {
			gateways, err := metrics.GatewaySelectors(ctx, v.client)
			if err != nil {
				return nil, err
			}
			e.Metrics = metrics.Proxies(v.client, gateways)
		}
		now, err := e.Status(ctx, s.Service)
		if errors.Is(err, rollout.ErrNone) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		all[i] = now
	}
	return all, nil
}
