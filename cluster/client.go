// Package cluster speaks with a Kubernetes cluster: it compares a workspace's
// objects with the live ones, applies them in an order that keeps traffic
// flowing, prunes, undoes and deletes what it applied. It takes objects and a
// kubeconfig and gives a change set as data, which the command line and the
// studio print alike. It knows nothing of the model that the objects came from.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which cluster, as kubectl's flags of the same names do.
type Options struct {
	Kubeconfig string        // a file; default: $KUBECONFIG, ~/.kube/config, or inside a pod its service account
	Context    string        // default: the kubeconfig's current context
	Namespace  string        // default: the context's, else "default"
	As         string        // impersonate this user
	AsGroups   []string      // and these groups
	Timeout    time.Duration // of one request; 0 for none
	UserAgent  string        // "meshstorm/VERSION"
}

// Client is a connection to one cluster. It is safe for concurrent use.
type Client struct {
	Config    *rest.Config
	Kube      kubernetes.Interface
	Dynamic   dynamic.Interface
	Namespace string // where objects without a namespace go
	// Chosen reports that a flag or the kubeconfig's context named Namespace.
	Chosen  bool
	Context string // the kubeconfig's context; "" inside a cluster
	// FieldManager is who Apply writes as; "" is Manager.
	FieldManager string

	mu     sync.Mutex // guards the mapper's reset
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

// ErrUnreachable says that no answer came from the API server.
var ErrUnreachable = errors.New("the cluster cannot be reached")

// ErrConfig says that the kubeconfig is missing, broken or lacks the context.
var ErrConfig = errors.New("no usable kubeconfig")

// Connect reads the kubeconfig and makes a client; it sends nothing yet. The
// error wraps ErrConfig.
func Connect(o Options) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Namespace = o.Namespace
	overrides.AuthInfo.Impersonate = o.As
	overrides.AuthInfo.ImpersonateGroups = o.AsGroups
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("%w: %w; name one with --kubeconfig or KUBECONFIG, or start a cluster here with `meshstorm lab up`", ErrConfig, err)
	}
	namespace, chosen, err := loaded.Namespace()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	raw, err := loaded.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	current := raw.CurrentContext
	if o.Context != "" {
		current = o.Context
	}
	if c := raw.Contexts[current]; c != nil && c.Namespace != "" {
		chosen = true
	}
	config.Timeout = o.Timeout
	config.UserAgent = o.UserAgent
	// The API server's own priority and fairness keeps order; a limit in the
	// client only makes large workspaces slow (kubernetes/kubectl#1126).
	config.QPS = -1
	return New(config, namespace, chosen, current)
}

// New makes a client of a REST configuration.
func New(config *rest.Config, namespace string, chosen bool, kubeContext string) (*Client, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return &Client{
		Config: config, Kube: kube, Dynamic: dyn, Namespace: namespace, Chosen: chosen, Context: kubeContext,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Discovery())),
	}, nil
}

// As gives a client of the same cluster that writes as another field manager and
// takes another namespace for objects without one.
func (c *Client) As(manager, namespace string) *Client {
	return &Client{
		Config: c.Config, Kube: c.Kube, Dynamic: c.Dynamic, Namespace: namespace, Chosen: true, Context: c.Context, FieldManager: manager,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Kube.Discovery())),
	}
}

func (c *Client) manager() string { return cmp.Or(c.FieldManager, Manager) }

// Discovery is the API server's list of what it serves.
func (c *Client) Discovery() discovery.DiscoveryInterface { return c.Kube.Discovery() }

// Mapping finds the resource of a kind; of a kind that was not known it asks
// the API server again, since a CustomResourceDefinition may have come. The
// error is meta.IsNoMatchError where the cluster does not know the kind.
func (c *Client) Mapping(gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	return mapping, Explain(err)
}

// Forget drops what is known of the kinds that the cluster serves.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mapper.Reset()
}

// Resource gives access to the objects of a kind: of a namespaced one in the
// namespace, where "" stands for the client's.
func (c *Client) Resource(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := c.Mapping(gvk)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return c.Dynamic.Resource(mapping.Resource), nil
	}
	if namespace == "" {
		namespace = c.Namespace
	}
	return c.Dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

// Version is the API server's, such as "v1.37.2". The error wraps
// ErrUnreachable where nobody answered.
func (c *Client) Version(ctx context.Context) (string, error) {
	body, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", Explain(err)
	}
	return field(body, "gitVersion"), nil
}

// Server is the API server's address, for messages.
func (c *Client) Server() string { return c.Config.Host }

// Explain adds to an error of the API server or of the way to it what a person
// can do. nil stays nil.
func Explain(err error) error {
	var dial *net.OpError
	var wrapped *url.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, ErrUnreachable):
		return err
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster does not accept these credentials: %w; the token or certificate may have expired: log in again, or name another --context", err)
	case errors.As(err, &dial), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w; is it running? `meshstorm lab status` says so of the lab", ErrUnreachable, err)
	case errors.As(err, &wrapped):
		hint := "check the address in the kubeconfig"
		if strings.Contains(err.Error(), "x509:") {
			hint = "the certificate does not belong to this cluster: the kubeconfig may be of an older one"
		}
		return fmt.Errorf("%w: %w; %s", ErrUnreachable, err, hint)
	}
	return err
}
