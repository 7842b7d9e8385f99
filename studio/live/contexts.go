// Package live is what the studio's page sees of clusters: the contexts that
// there are, what runs of a workspace, pods with their logs, requests through
// the gateway, and the traffic seen. It takes names of contexts and namespaces,
// keeps one client for each, and gives data; credentials stay inside.
package live

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/meshstorm/meshstorm/cluster"
)

// Context is one of the kubeconfig, without its credentials.
type Context struct {
	Name    string `json:"name"`
	Cluster string `json:"cluster"`
	Server  string `json:"server" doc:"HOST:PORT." example:"127.0.0.1:6443"`
	Current bool   `json:"current"`
	Lab     bool   `json:"lab" doc:"The lab on this machine."`
}

// Contexts are those that requests may name.
type Contexts struct {
	Items   []Context `json:"items"`
	Current string    `json:"current" doc:"What an empty context stands for; empty where there is none."`
	Problem string    `json:"problem,omitempty" doc:"Why there are none, or the kubeconfig cannot be read, and what to do."`
}

// Options say where clusters are found.
type Options struct {
	// Kubeconfig is a file; default: $KUBECONFIG, then ~/.kube/config.
	Kubeconfig string
	// LabProgram finds meshstorm-lab; nil for none.
	LabProgram func() (string, error)
	UserAgent  string // "meshstorm/VERSION"
	// Prometheus is the address of one that scrapes Istio's proxies; default:
	// the one that is found in the cluster, if any. Token is its bearer token.
	Prometheus, Token string
}

// Clusters are those that the kubeconfig and the lab know. They are safe for
// concurrent use.
type Clusters struct {
	Options
	lab labs

	mu      sync.Mutex
	clients map[clientKey]*cluster.Client
	watches *shares[Cluster]
	traffic *shares[Traffic]
	life    context.Context // of what runs in the background
	end     context.CancelFunc
	running sync.WaitGroup
}

// New gives the clusters. Close them after use.
func New(o Options) *Clusters {
	life, end := context.WithCancel(context.Background())
	l := &Clusters{Options: o, lab: labs{program: o.LabProgram}, clients: map[clientKey]*cluster.Client{}, life: life, end: end}
	l.watches = &shares[Cluster]{life: life, running: &l.running, work: l.look, all: map[Place]*share[Cluster]{}}
	l.traffic = &shares[Traffic]{life: life, running: &l.running, work: l.measure, linger: idle, all: map[Place]*share[Traffic]{}}
	return l
}

// Close ends what watches and measures.
func (l *Clusters) Close() {
	l.end()
	l.running.Wait()
}

// ErrContext says that no context has this name.
var ErrContext = errors.New("no such context")

func (l *Clusters) rules() *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = l.Kubeconfig
	return rules
}

// Target is a context that was found.
type Target struct {
	Name       string // as requests name it; "" for what runs this studio's pod
	kubeconfig string // a file besides the usual ones; "" for these
	context    string // in it
	lab        *Lab   // where it is the lab's
}

// Flags are those with which the command line reaches the same cluster.
func (t Target) Flags() []string {
	var all []string
	if t.kubeconfig != "" {
		all = append(all, "--kubeconfig="+t.kubeconfig)
	}
	if t.context != "" {
		all = append(all, "--context="+t.context)
	}
	return all
}

// Lab tells whether the target is the lab on this machine.
func (t Target) Lab() bool { return t.lab != nil }

// Gateway is the URL of the lab's gateway; "" of other clusters, and while the
// lab does not run.
func (t Target) Gateway() string {
	if t.lab == nil {
		return ""
	}
	return t.lab.Gateway
}

// known is everything that can be chosen.
type known struct {
	contexts []Context
	targets  []Target // of the same order
	current  string
	problem  string
}

// Contexts lists what can be chosen.
func (l *Clusters) Contexts(ctx context.Context) Contexts {
	k := l.known(ctx)
	return Contexts{Items: k.contexts, Current: k.current, Problem: k.problem}
}

// Find gives the context of a name, the current one for "". The error wraps
// ErrContext.
func (l *Clusters) Find(ctx context.Context, name string) (Target, error) {
	k := l.known(ctx)
	if name == "" {
		name = k.current
	}
	for _, t := range k.targets {
		if t.Name == name {
			return t, nil
		}
	}
	if name != "" {
		return Target{}, fmt.Errorf("%w: %q; those of the kubeconfig are listed under Cluster", ErrContext, name)
	}
	return Target{}, fmt.Errorf("%w: %s", ErrContext, k.problem)
}

func (l *Clusters) known(ctx context.Context) known {
	k := known{contexts: []Context{}}
	raw, err := l.rules().Load()
	if err != nil {
		k.problem, raw = "the kubeconfig cannot be read: "+err.Error(), clientcmdapi.NewConfig()
	}
	lab := l.lab.find(ctx, origins(raw))
	offered := lab.kubeconfig == ""
	names := make([]string, 0, len(raw.Contexts))
	for name := range raw.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		of := raw.Contexts[name]
		c := Context{Name: name, Cluster: of.Cluster, Current: name == raw.CurrentContext}
		t := Target{Name: name, kubeconfig: l.Kubeconfig, context: name}
		if server := raw.Clusters[of.Cluster]; server != nil {
			c.Server = hostOf(server.Server)
			if lab.owns(server) {
				c.Lab, t.lab, offered = true, &lab.Lab, true
			}
		}
		k.contexts, k.targets = append(k.contexts, c), append(k.targets, t)
	}
	if raw.Contexts[raw.CurrentContext] != nil {
		k.current = raw.CurrentContext
	}
	if !offered {
		k.offer(lab)
	}
	if len(k.targets) == 0 && k.problem == "" {
		k.problem = "no kubeconfig names a cluster; set KUBECONFIG, or start the lab on this machine with `meshstorm lab up`"
	}
	return k
}

// offer adds the lab, of which the kubeconfig knows nothing.
func (k *known) offer(lab found) {
	name := "lab"
	for slices.ContainsFunc(k.contexts, func(c Context) bool { return c.Name == name }) {
		name += "-here"
	}
	c := Context{Name: name, Cluster: "meshstorm-lab", Server: hostOf(lab.server), Lab: true}
	if k.current == "" {
		k.current, c.Current = name, true
	}
	k.contexts = append(k.contexts, c)
	k.targets = append(k.targets, Target{Name: name, kubeconfig: lab.kubeconfig, lab: &lab.Lab})
}

// origins are the folders of the files that a kubeconfig came from.
func origins(raw *clientcmdapi.Config) []string {
	var all []string
	for _, c := range raw.Clusters {
		if dir := filepath.Dir(c.LocationOfOrigin); c.LocationOfOrigin != "" && !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return all
}

func hostOf(server string) string {
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		return u.Host
	}
	return server
}

type clientKey struct{ name, namespace, stamp string }

// Client connects to a context with a namespace. Nothing is sent yet. Errors
// wrap ErrContext or cluster.ErrConfig.
func (l *Clusters) Client(ctx context.Context, name, namespace string) (*cluster.Client, Target, error) {
	t, err := l.Find(ctx, name)
	if err != nil {
		return nil, t, err
	}
	key := clientKey{t.Name, namespace, l.stamp(t)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.clients[key]; c != nil {
		return c, t, nil
	}
	c, err := cluster.Connect(cluster.Options{Kubeconfig: t.kubeconfig, Context: t.context, Namespace: namespace, UserAgent: l.UserAgent})
	if err != nil {
		return nil, t, err
	}
	for old := range l.clients { // of a kubeconfig that was written anew
		if old.name == key.name && old.stamp != key.stamp {
			delete(l.clients, old)
		}
	}
	l.clients[key] = c
	return c, t, nil
}

// stamp changes when one of a target's files does: a lab that began anew has
// other certificates.
func (l *Clusters) stamp(t Target) string {
	files := l.rules().GetLoadingPrecedence()
	if t.kubeconfig != "" {
		files = []string{t.kubeconfig}
	}
	var all []string
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			all = append(all, fmt.Sprint(f, info.Size(), info.ModTime().UnixNano()))
		}
	}
	return strings.Join(all, "\n")
}
