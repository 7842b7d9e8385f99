package workspace

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"

	checkschema "github.com/meshstorm/meshstorm/check/schema"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// Explanation answers where a field of an object comes from. Its JSON form is
// part of the public interface.
type Explanation struct {
	// APIVersion is "meshstorm.io/v1", at the top only.
	APIVersion string    `json:"apiVersion,omitempty"`
	Object     ObjectRef `json:"object"`
	Field      string    `json:"field,omitempty"`
	Value      string    `json:"value,omitempty"`     // as YAML; "" where the files do not set it
	Generated  string    `json:"generated,omitempty"` // as YAML; what the last generation wrote
	Edited     bool      `json:"edited"`              // a person's value differs from the generated one
	File       string    `json:"file,omitempty"`
	Line       int       `json:"line,omitempty"`
	Column     int       `json:"column,omitempty"`
	Source     string    `json:"source,omitempty"`  // the model element
	Why        string    `json:"why,omitempty"`     // the rule; "" where meshstorm does not write the field
	Setting    string    `json:"setting,omitempty"` // what decides it in meshstorm.yaml
	Origin     string    `json:"origin,omitempty"`  // where the setting's value came from
	Type       string    `json:"type,omitempty"`
	Help       string    `json:"help,omitempty"` // the API's own description
	// Fields has an entry per rule when the whole object was asked for.
	Fields []Explanation `json:"fields,omitempty"`
}

// ObjectRef names an object, or with an empty name a kind.
type ObjectRef struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
}

// Explain answers "KIND/NAME[.FIELD.PATH]" and, without a name, what a field of
// a kind means: "KIND[.FIELD.PATH]". Kinds may be short (deploy, vs, dr).
func (w *Workspace) Explain(query string) (*Explanation, error) {
	kindText, rest, named := strings.Cut(query, "/")
	if !named {
		kindText, rest, _ = strings.Cut(query, ".")
		return explainKind(kindText, rest)
	}
	kind, ok := findKind(kindText)
	if !ok {
		kind.Kind = kindText // an object of a kind of its own may still be in the files
	}
	doc, field, err := w.findObject(kind.Kind, rest)
	if err != nil {
		return nil, err
	}
	e, err := w.explainField(doc, field)
	if err != nil {
		return nil, err
	}
	if field == "" {
		w.explainAll(e, doc)
	}
	e.APIVersion = APIVersion
	return e, nil
}

// APIVersion stands at the top of all JSON that meshstorm prints.
const APIVersion = "meshstorm.io/v1"

// findObject looks the object up in the workspace's files. A name may hold
// dots, so the longest name that exists wins.
func (w *Workspace) findObject(kind, nameAndField string) (*manifest.Document, string, error) {
	docs, err := w.documents()
	if err != nil {
		return nil, "", err
	}
	var best *manifest.Document
	var near []string
	for _, d := range docs {
		if !strings.EqualFold(d.ID.Kind, kind) {
			continue
		}
		near = append(near, d.ID.Kind+"/"+d.ID.Name)
		if rest, ok := strings.CutPrefix(nameAndField, d.ID.Name); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			if best == nil || len(d.ID.Name) > len(best.ID.Name) {
				best = d
			}
		}
	}
	if best != nil {
		return best, strings.TrimPrefix(strings.TrimPrefix(nameAndField, best.ID.Name), "."), nil
	}
	name, _, _ := strings.Cut(nameAndField, ".")
	hint := "run `meshstorm generate` first"
	switch {
	case len(near) > 8:
		hint = fmt.Sprintf("the files hold %s, … and %d more", strings.Join(near[:8], ", "), len(near)-8)
	case len(near) > 0:
		hint = "the files hold " + strings.Join(near, ", ")
	case len(docs) > 0:
		hint = "the files hold no object of this kind"
	}
	return nil, "", fmt.Errorf("no %s %q in the workspace; %s", kind, name, hint)
}

func (w *Workspace) documents() ([]*manifest.Document, error) {
	files, err := w.Manifests()
	if err != nil {
		return nil, err
	}
	var all []*manifest.Document
	for _, f := range files {
		data, err := manifest.ReadFile(filepath.Join(w.Root, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		docs, err := manifest.Parse(f, data)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.Node != nil {
				all = append(all, d)
			}
		}
	}
	return all, nil
}

func (w *Workspace) explainField(doc *manifest.Document, field string) (*Explanation, error) {
	e := &Explanation{
		Object: ObjectRef{doc.APIVersion, doc.ID.Kind, doc.ID.Namespace, doc.ID.Name},
		Field:  field, File: doc.Path,
	}
	e.Line, e.Column, _ = doc.Locate(field)
	for _, t := range Toppings() {
		if reason, ok := t.Why(w.Intent, doc.ID, field); ok {
			e.Why, e.Setting, e.Source = reason.Text, reason.Setting, reason.Source
			break
		}
	}
	if field == "" {
		e.Source = value(doc.Get("metadata.annotations[" + topping.SourceAnnotation + "]"))
	}
	if e.Setting != "" {
		e.Origin = w.Settings.Origin(e.Setting)
	}
	generated, err := w.generatedValue(doc, field)
	if err != nil {
		return nil, err
	}
	if field != "" {
		e.Value = value(doc.Get(field))
		e.Generated = value(generated)
		e.Edited = e.Value != e.Generated && (generated != nil || e.Why != "")
		if generated == nil && doc.Get(field) != nil {
			e.Why, e.Setting, e.Origin, e.Source = "", "", "", "" // somebody else's field
		}
	}
	if s, ok := checkschema.Describe(schema.FromAPIVersionAndKind(doc.APIVersion, doc.ID.Kind), field); ok {
		e.Type, e.Help = s.Type, s.Description
	}
	if e.Help == "" && e.Why == "" && doc.Get(field) == nil && field != "" {
		return nil, fmt.Errorf("%s has no field %q; ask for a field that it has, or see `meshstorm explain %s`", doc.ID.Kind, field, strings.ToLower(doc.ID.Kind))
	}
	return e, nil
}

// generatedValue is the field as the last generation wrote it.
func (w *Workspace) generatedValue(doc *manifest.Document, field string) (*yaml.Node, error) {
	data, err := w.read(BaseDir + "/" + doc.Path)
	if err != nil || data == nil {
		return nil, err
	}
	docs, err := manifest.Parse(BaseDir+"/"+doc.Path, data)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(docs, func(d *manifest.Document) bool { return d.ID == doc.ID && d.Node != nil })
	if i < 0 {
		return nil, nil
	}
	return docs[i].Get(field), nil
}

// explainAll adds one entry per rule that wrote part of the object.
func (w *Workspace) explainAll(e *Explanation, doc *manifest.Document) {
	seen := map[string]bool{}
	for _, field := range leaves(doc.Node, "") {
		for _, t := range Toppings() {
			reason, ok := t.Why(w.Intent, doc.ID, field)
			if !ok {
				continue
			}
			if !seen[reason.Text] {
				seen[reason.Text] = true
				one := Explanation{Object: e.Object, Field: field, Value: value(doc.Get(field)), File: doc.Path,
					Source: reason.Source, Why: reason.Text, Setting: reason.Setting}
				one.Line, one.Column, _ = doc.Locate(field)
				if one.Setting != "" {
					one.Origin = w.Settings.Origin(one.Setting)
				}
				e.Fields = append(e.Fields, one)
			}
			break
		}
	}
}

// leaves lists the field paths of all scalars, in the document's order.
func leaves(n *yaml.Node, path string) []string {
	switch n.Kind {
	case yaml.MappingNode:
		var all []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			switch {
			case strings.ContainsAny(key, "./"):
				key = path + "[" + key + "]"
			case path != "":
				key = path + "." + key
			}
			all = append(all, leaves(n.Content[i+1], key)...)
		}
		return all
	case yaml.SequenceNode:
		var all []string
		for i, item := range n.Content {
			all = append(all, leaves(item, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return all
	}
	return []string{path}
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	data, err := manifest.EncodeNode(n)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// explainKind is help for a kind that needs no object.
func explainKind(kindText, field string) (*Explanation, error) {
	kind, ok := findKind(kindText)
	if !ok {
		return nil, fmt.Errorf("unknown kind %q; expected KIND/NAME[.FIELD] or KIND[.FIELD], such as deploy/order.spec.replicas or vs.spec.http.retries", kindText)
	}
	s, ok := checkschema.Describe(kind, field)
	if !ok {
		return nil, fmt.Errorf("%s has no field %q", kind.Kind, field)
	}
	apiVersion, _ := kind.ToAPIVersionAndKind()
	return &Explanation{APIVersion: APIVersion, Object: ObjectRef{APIVersion: apiVersion, Kind: kind.Kind}, Field: field, Type: s.Type, Help: s.Description}, nil
}

// kinds that people ask for, with kubectl's short names.
var kinds = []struct {
	schema.GroupVersionKind
	names string
}{
	{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "svc services"},
	{schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, "sa serviceaccounts"},
	{schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "cm configmaps"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, "secrets"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "po pods"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "ns namespaces"},
	{schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}, "pvc persistentvolumeclaims"},
	{schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolume"}, "pv persistentvolumes"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, "deploy deployments"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "sts statefulsets"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}, "ds daemonsets"},
	{schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, "jobs"},
	{schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "CronJob"}, "cj cronjobs"},
	{schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, "pdb poddisruptionbudgets"},
	{schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, "hpa horizontalpodautoscalers"},
	{schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "ing ingresses"},
	{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"}, "vs vsvc virtualservices"},
	{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "DestinationRule"}, "dr destrule destinationrules"},
	{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "Gateway"}, "gw gateways"},
	{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "ServiceEntry"}, "se serviceentries"},
	{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "Sidecar"}, "sidecars"},
	{schema.GroupVersionKind{Group: "security.istio.io", Version: "v1", Kind: "AuthorizationPolicy"}, "ap authorizationpolicies"},
	{schema.GroupVersionKind{Group: "security.istio.io", Version: "v1", Kind: "PeerAuthentication"}, "pa peerauthentications"},
	{schema.GroupVersionKind{Group: "security.istio.io", Version: "v1", Kind: "RequestAuthentication"}, "ra requestauthentications"},
}

func findKind(text string) (schema.GroupVersionKind, bool) {
	text = strings.ToLower(text)
	for _, k := range kinds {
		if text == strings.ToLower(k.Kind) || slices.Contains(strings.Fields(k.names), text) {
			return k.GroupVersionKind, true
		}
	}
	return schema.GroupVersionKind{}, false
}
