// Package models watches for applied models: ConfigMaps labelled
// meshstorm.io/model, which `meshstorm generate` writes. It puts a model's parts
// together, checks them, and keeps each as files that the stand-ins read:
// NAMESPACE/WORKSPACE.json, and WORKSPACE.yaml with the workspace's settings. A
// model that is being changed part by part is left as it was until all parts
// agree.
package models

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
	archive "github.com/meshstorm/meshstorm/topping/kubernetes"
)

// maxModel bounds what a model may unpack to, in bytes.
const maxModel = 64 << 20

// Store keeps the models of all namespaces. Its methods may be called at any
// time.
type Store struct {
	client kubernetes.Interface
	dir    string
	log    *slog.Logger

	mu       sync.Mutex
	models   map[name]*model
	problems map[name]string
	changed  chan struct{}
}

type name struct{ namespace, workspace string }

// model is one that is applied.
type model struct {
	sum      string // of archive and settings
	services []string
	paths    []string // a GET of each answers, through the gateway
}

// New makes a store that writes below dir, made with mode 0700.
func New(client kubernetes.Interface, dir string, log *slog.Logger) *Store {
	return &Store{client: client, dir: dir, log: log, models: map[name]*model{}, problems: map[name]string{}, changed: make(chan struct{})}
}

// Dir is the folder of a namespace's models.
func (s *Store) Dir(namespace string) string { return filepath.Join(s.dir, namespace) }

// Context tells whether an app label names a service of an applied model.
func (s *Store) Context(namespace, app string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, m := range s.models {
		if n.namespace == namespace && slices.ContainsFunc(m.services, func(service string) bool { return same(service, app) }) {
			return true
		}
	}
	return false
}

// same compares names as people write them in other tools: Order, order-service
// and order_service differ, user_account and userAccount do not.
func same(a, b string) bool { return bare(a) == bare(b) }

func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// Changed gives a channel that is closed at the next change.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Namespaces are those with a model, sorted.
func (s *Store) Namespaces() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := map[string]bool{}
	for n := range s.models {
		set[n.namespace] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// Paths are collections that the models serve through the gateway, sorted.
func (s *Store) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := map[string]bool{}
	for _, m := range s.models {
		for _, p := range m.paths {
			set[p] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Problems are the models that cannot be used, and why.
func (s *Store) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for n, why := range s.problems {
		all = append(all, fmt.Sprintf("%s in namespace %s: %s", n.workspace, n.namespace, why))
	}
	sort.Strings(all)
	return all
}

// Run watches until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactoryWithOptions(s.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = topping.ModelLabel
	}))
	maps := factory.Core().V1().ConfigMaps()
	dirty := make(chan struct{}, 1)
	mark := func(any) {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	_, err := maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: mark, UpdateFunc: func(_, o any) { mark(o) }, DeleteFunc: mark,
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), maps.Informer().HasSynced) {
		return nil
	}
	mark(nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		all, err := maps.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		if err := s.update(all); err != nil {
			return err
		}
	}
}

// update takes over what the ConfigMaps say.
func (s *Store) update(all []*corev1.ConfigMap) error {
	parts := map[name][]*corev1.ConfigMap{}
	for _, m := range all {
		if m.DeletionTimestamp == nil {
			n := name{m.Namespace, m.Labels[topping.ModelLabel]}
			parts[n] = append(parts[n], m)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for n, list := range parts {
		did, err := s.take(n, list)
		if err != nil {
			s.problems[n] = err.Error()
			s.log.Warn("a model cannot be used", "namespace", n.namespace, "workspace", n.workspace, "error", err)
			continue
		}
		delete(s.problems, n)
		changed = changed || did
	}
	for n := range s.models {
		if parts[n] == nil {
			delete(s.models, n)
			changed = true
			if err := errors.Join(remove(s.file(n, ".json")), remove(s.file(n, ".yaml"))); err != nil {
				return err
			}
		}
	}
	for n := range s.problems {
		if parts[n] == nil {
			delete(s.problems, n)
		}
	}
	if changed {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return nil
}

func (s *Store) file(n name, ext string) string {
	return filepath.Join(s.Dir(n.namespace), n.workspace+ext)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// take reads a model and writes its files, and tells whether it is another one
// than before.
func (s *Store) take(n name, parts []*corev1.ConfigMap) (bool, error) {
	packed, settings, sum, err := join(parts)
	if err != nil {
		return false, err
	}
	settingsSum := sha256.Sum256(settings)
	whole := sum + hex.EncodeToString(settingsSum[:])
	if old := s.models[n]; old != nil && old.sum == whole {
		return false, nil
	}
	data, err := unpack(packed)
	if err != nil {
		return false, err
	}
	m, err := read(n.workspace, data, settings)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(s.Dir(n.namespace), 0o700); err != nil {
		return false, err
	}
	if err := replace(s.file(n, ".yaml"), settings); err != nil {
		return false, err
	}
	if err := replace(s.file(n, ".json"), data); err != nil { // last: readers watch it
		return false, err
	}
	m.sum = whole
	s.models[n] = m
	s.log.Info("model taken over", "namespace", n.namespace, "workspace", n.workspace, "services", m.services)
	return true, nil
}

// join puts the parts in order and checks that they are one whole.
func join(parts []*corev1.ConfigMap) (packed, settings []byte, sum string, err error) {
	sort.Slice(parts, func(i, j int) bool { return number(parts[i]) < number(parts[j]) })
	_, of, _ := strings.Cut(parts[0].Annotations[archive.PartKey], "/")
	count, err := strconv.Atoi(of)
	if err != nil {
		return nil, nil, "", fmt.Errorf("ConfigMap %s: annotation %s is %q; expected NUMBER/COUNT", parts[0].Name, archive.PartKey, parts[0].Annotations[archive.PartKey])
	}
	// Parts beyond the count are left from a larger model.
	if len(parts) < count {
		return nil, nil, "", fmt.Errorf("%d of its %d parts are applied", len(parts), count)
	}
	sum = parts[0].Annotations[archive.ChecksumKey]
	for i, p := range parts[:count] {
		if number(p) != i+1 || p.Annotations[archive.ChecksumKey] != sum {
			return nil, nil, "", fmt.Errorf("part %d of %d is missing or of another version", i+1, count)
		}
		packed = append(packed, p.BinaryData[archive.ArchiveKey]...)
	}
	if got := sha256.Sum256(packed); hex.EncodeToString(got[:]) != sum {
		return nil, nil, "", errors.New("its parts do not add up to the checksum: one is altered")
	}
	return packed, []byte(parts[0].Data[archive.SettingsKey]), sum, nil
}

func number(m *corev1.ConfigMap) int {
	first, _, _ := strings.Cut(m.Annotations[archive.PartKey], "/")
	n, _ := strconv.Atoi(first)
	return n
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxModel+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxModel {
		return nil, fmt.Errorf("it unpacks to more than %d MiB", maxModel>>20)
	}
	return data, nil
}

// read builds the intent, as the stand-ins will.
func read(workspace string, data, settings []byte) (*model, error) {
	document, err := msaez.Parse(data, workspace+".json")
	if err != nil {
		return nil, err
	}
	s, err := deploy.LoadSettings(settings, deploy.LoadOptions{Workspace: workspace})
	if err != nil {
		return nil, err
	}
	intent := deploy.Build(document.Model, s)
	m := &model{}
	for _, service := range intent.Services {
		m.services = append(m.services, service.Name)
		if !service.Exposed {
			continue
		}
		for _, prefix := range service.Prefixes {
			m.paths = append(m.paths, service.PathPrefix+prefix.Path)
		}
	}
	return m, nil
}

// replace writes a file as a whole, readable by its owner alone.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".model-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
