// Package capture takes what runs in a namespace, or stands in YAML, into a
// workspace: into an existing one as edits of a person, or into a new one with a
// model derived from Services, workloads and routes. It takes a Snapshot of
// objects and gives the files to write, together with a report that says of
// every object what became of it, and what no object can tell about the model.
package capture

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// APIVersion is that of the report's JSON.
const APIVersion = "meshstorm.io/v1"

// Where imported things go in a workspace; slash-separated.
const (
	// Dir holds the objects that meshstorm does not generate, a file for each name.
	Dir = workspace.ManifestDir + "/imported"
	// StateDir holds the files as the last import left them: what still is as it
	// was then is no edit of a person's.
	StateDir = workspace.BaseDir + "/imported"
)

// ErrNothing says that a snapshot holds no object to import.
var ErrNothing = errors.New("nothing to import")

// ErrNamespace says that a snapshot is of another namespace than the workspace.
var ErrNamespace = errors.New("another namespace than the workspace's")

// Snapshot is what is to be imported.
type Snapshot struct {
	Namespace string // where objects without a namespace are
	Objects   []Object
	Skipped   []SkippedKind
	// Kubernetes is the API server's release as "1.37"; "" where that is not known.
	Kubernetes string
}

// Object is one object of a snapshot. Of a Secret it holds no values.
type Object struct {
	Content map[string]any
	Origin  string // "file:line"; "" for a live one

	kept string // what in the inventory asks for it, such as "canary of order"
}

// ID names the object; a missing namespace stays empty.
func (o Object) ID() manifest.ID {
	group := ""
	if g, _, ok := strings.Cut(text(o.Content, "apiVersion"), "/"); ok {
		group = g
	}
	return manifest.ID{Group: group, Kind: text(o.Content, "kind"), Namespace: text(o.Content, "metadata", "namespace"), Name: text(o.Content, "metadata", "name")}
}

// SkippedKind is a kind that could not be read from the cluster.
type SkippedKind struct {
	Kind   string `json:"kind"` // "NetworkPolicy.networking.k8s.io"
	Reason string `json:"reason"`
}

// Options say how to import.
type Options struct {
	Theirs    bool // what runs wins over edits of people
	NodePorts bool // keep the node ports that the cluster gave to Services
	Getenv    func(string) string
}

// Fate is what became of an object.
type Fate string

// Fates of objects.
const (
	AsModel     Fate = "model"       // the model and the settings say all of it
	AsEdit      Fate = "edit"        // a generated object, with edits in the YAML
	Same        Fate = "same"        // the workspace says the same already
	Stands      Fate = "stands"      // it differs only where a person's edits stand
	AsFile      Fate = "file"        // written to a file of its own
	LeftOut     Fate = "left-out"    // not taken; Why says why
	OnlyInFiles Fate = "only-files"  // the workspace has it, the namespace does not
	NotRunning  Fate = "not-running" // meshstorm would generate it, but it does not run: taken out of the new files
)

// Outcome tells what became of one object.
type Outcome struct {
	APIGroup  string       `json:"group,omitempty"`
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name"`
	Fate      Fate         `json:"fate"`
	Origin    string       `json:"origin,omitempty"` // where the YAML stood
	File      string       `json:"file,omitempty"`   // relative to the workspace
	Fields    []FieldValue `json:"fields,omitempty"` // that were set, in the order of the object
	Conflicts []FieldValue `json:"conflicts,omitempty"`
	Why       string       `json:"why,omitempty"`
}

// FieldValue is a field in the files and in what is imported, each as JSON; ""
// where it is not there.
type FieldValue struct {
	Field string `json:"field"`
	Files string `json:"files,omitempty"`
	Live  string `json:"live,omitempty"`
}

// Service is a bounded context of a new workspace.
type Service struct {
	Name       string           `json:"name"`
	Paths      []string         `json:"paths,omitempty"`
	PathPrefix string           `json:"pathPrefix,omitempty"`
	Exposed    bool             `json:"exposed"`
	Weights    map[string]int32 `json:"weights,omitempty"` // of 100, where they are not stable 100
	Replicas   int32            `json:"replicas"`
	Image      string           `json:"image,omitempty"`
}

// Gap is something that the model does not know.
type Gap struct {
	About string `json:"about"` // "Service/order", "events"
	Text  string `json:"text"`
}

// Result is a whole import, before or after it is written.
type Result struct {
	APIVersion string        `json:"apiVersion"`
	Root       string        `json:"-"` // absolute
	Namespace  string        `json:"namespace"`
	Created    bool          `json:"created"` // it makes a new workspace
	Model      string        `json:"model"`   // where the model comes from
	Services   []Service     `json:"services"`
	Objects    []Outcome     `json:"objects"`
	Gaps       []Gap         `json:"unknown"`
	Skipped    []SkippedKind `json:"skippedKinds,omitempty"`
	Files      []string      `json:"files"` // that change, relative to the workspace

	changes []manifest.Change
	staging string // a new workspace, complete, in a temporary folder
}

// Conflicts counts the fields where a person's edit stands against what runs.
func (r *Result) Conflicts() int {
	n := 0
	for _, o := range r.Objects {
		n += len(o.Conflicts)
	}
	return n
}

func (r *Result) note(about, text string) { r.Gaps = append(r.Gaps, Gap{about, text}) }

func newOutcome(o Object, fate Fate) Outcome {
	id := o.ID()
	return Outcome{APIGroup: id.Group, Kind: id.Kind, Namespace: id.Namespace, Name: id.Name, Fate: fate, Origin: o.Origin}
}

// finish puts the report into an order that does not depend on the server's.
func (r *Result) finish() {
	slices.SortStableFunc(r.Objects, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIGroup, b.APIGroup))
	})
	slices.Sort(r.Files)
	r.Files = slices.Compact(r.Files)
	if r.Services == nil {
		r.Services = []Service{}
	}
	if r.Gaps == nil {
		r.Gaps = []Gap{}
	}
	if r.Files == nil {
		r.Files = []string{}
	}
	if r.Objects == nil {
		r.Objects = []Outcome{}
	}
}

// text is a string below the keys, "" where there is none.
func text(m map[string]any, keys ...string) string {
	s, _ := dig(m, keys...).(string)
	return s
}

// dig is a value below the keys, nil where there is none.
func dig(m map[string]any, keys ...string) any {
	var v any = m
	for _, k := range keys {
		next, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = next[k]
	}
	return v
}

func mapping(m map[string]any, keys ...string) map[string]any {
	v, _ := dig(m, keys...).(map[string]any)
	return v
}

// items are the mappings of a list below the keys.
func items(m map[string]any, keys ...string) []map[string]any {
	list, _ := dig(m, keys...).([]any)
	var all []map[string]any
	for _, v := range list {
		if item, ok := v.(map[string]any); ok {
			all = append(all, item)
		}
	}
	return all
}

func strs(m map[string]any, keys ...string) []string {
	list, _ := dig(m, keys...).([]any)
	var all []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// number is a whole number below the keys.
func number(m map[string]any, keys ...string) (int64, bool) {
	switch n := dig(m, keys...).(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}

// Add puts further outcomes into the report, such as those of FromDocuments.
func (r *Result) Add(outcomes []Outcome) {
	r.Objects = append(r.Objects, outcomes...)
	r.finish()
}
