package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
)

// Verb is what another process asks of the one that holds a rollout.
type Verb string

// The verbs.
const (
	AskAbort   Verb = "abort"
	AskPromote Verb = "promote"
)

// Request is a wish of another process.
type Request struct {
	ID   string `json:"id"`
	Verb Verb   `json:"verb"`
	By   string `json:"by"`
}

// store remembers a rollout.
type store interface {
	// load gives the state, nil without one, and the last request.
	load(ctx context.Context) (*State, Request, error)
	// take writes a state whose epoch is new: whoever saved before no longer can.
	take(ctx context.Context, s *State) error
	// save writes the state; the error wraps ErrTaken when another process has
	// taken the rollout.
	save(ctx context.Context, s *State) error
	// ask leaves a request.
	ask(ctx context.Context, q Request) error
}

// Label marks the ConfigMaps of rollouts; its value is the service.
const Label = "meshstorm.io/canary"

// Keys of the ConfigMap. The request belongs to a field manager of its own, so
// that asking and saving never get in each other's way.
const (
	stateKey       = "rollout.json"
	requestKey     = "request.json"
	requestManager = "meshstorm-request"
)

var configMapKind = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}

// configMap is the store in the cluster.
type configMap struct {
	client             *cluster.Client
	namespace, service string
	version            string // resourceVersion that was seen last
}

func (m *configMap) id() cluster.ID {
	return cluster.ID{Kind: "ConfigMap", Namespace: m.namespace, Name: Name(m.service)}
}

func (m *configMap) read(ctx context.Context) (*State, Request, string, error) {
	held, err := m.client.Get(ctx, configMapKind, m.id())
	if err != nil || held == nil {
		return nil, Request{}, "", err
	}
	s, q, err := parse(held)
	return s, q, held.GetResourceVersion(), err
}

func parse(held *unstructured.Unstructured) (*State, Request, error) {
	var q Request
	data, _, _ := unstructured.NestedStringMap(held.Object, "data")
	if text := data[requestKey]; text != "" {
		// A request that cannot be read is none; the next one replaces it.
		_ = json.Unmarshal([]byte(text), &q)
	}
	if data[stateKey] == "" {
		return nil, q, nil
	}
	s, err := Decode(data[stateKey])
	if err != nil {
		return nil, q, fmt.Errorf("%s: %w; delete it to forget the canary", cluster.IDOf(held), err)
	}
	return s, q, nil
}

func (m *configMap) load(ctx context.Context) (*State, Request, error) {
	s, q, _, err := m.read(ctx)
	return s, q, err
}

func (m *configMap) take(ctx context.Context, s *State) error {
	_, _, version, err := m.read(ctx)
	if err != nil {
		return err
	}
	m.version = version
	return m.save(ctx, s)
}

func (m *configMap) save(ctx context.Context, s *State) error {
	text, err := s.Encode()
	if err != nil {
		return err
	}
	for {
		o := m.object(map[string]any{stateKey: text})
		o.SetResourceVersion(m.version)
		o.SetLabels(map[string]string{Label: m.service})
		applied, err := m.client.ApplyObject(ctx, o, cluster.ApplyObjectOptions{Force: true})
		if err == nil {
			m.version = applied.GetResourceVersion()
			return nil
		}
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return fmt.Errorf("remember the canary: %w", err)
		}
		other, _, version, readErr := m.read(ctx)
		switch {
		case readErr != nil:
			return readErr
		case other == nil:
			return fmt.Errorf("%w: its ConfigMap is gone", ErrTaken)
		case other.Epoch > s.Epoch || other.Epoch == s.Epoch && other.Plan.ID != s.Plan.ID:
			return ErrTaken
		}
		m.version = version
	}
}

func (m *configMap) ask(ctx context.Context, q Request) error {
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	_, err = m.client.ApplyObject(ctx, m.object(map[string]any{requestKey: string(text)}), cluster.ApplyObjectOptions{Manager: requestManager, Force: true})
	return err
}

func (m *configMap) object(data map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"data": data}}
	o.SetGroupVersionKind(configMapKind)
	o.SetNamespace(m.namespace)
	o.SetName(Name(m.service))
	return o
}
