package studio

import (
	"encoding/json"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/studio/graph"
)

// SessionState tells whether a request comes with a session.
type SessionState struct {
	SignedIn bool   `json:"signedIn"`
	Login    string `json:"login" enum:"code,password" doc:"How to sign in: with the one-time code in a URL that meshstorm studio --print-url makes, or also with the password."`
}

// Credentials open a session.
type Credentials struct {
	Code     string `json:"code,omitempty" doc:"The one-time code from the URL's fragment; it is valid for 60 s, and once."`
	Password string `json:"password,omitempty" doc:"Where the studio was started with --password-file."`
}

// About describes the program.
type About struct {
	Version  string `json:"version"`
	Language string `json:"lang,omitempty" enum:"ko,en" doc:"The language that the person's system asks for; missing: the browser's."`
}

// Example is a workspace that comes with meshstorm.
type Example struct {
	ID          string `json:"id" doc:"Opens it read-only where an operation wants a workspace's id." example:"example:12st-mall"`
	Name        string `json:"name" example:"12st-mall"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Examples are the workspaces that come with meshstorm.
type Examples struct {
	Items []Example `json:"items"`
}

// Workspace is a folder with a model.
type Workspace struct {
	ID       string   `json:"id" doc:"The folder's name; URL-encode it." example:"12st-mall"`
	Name     string   `json:"name"`
	ReadOnly bool     `json:"readOnly"`
	Reason   string   `json:"reason,omitempty" doc:"Why it is read-only, and what to do."`
	Problem  string   `json:"problem,omitempty" doc:"Why it cannot be opened, as the command line says it; its files can still be read and edited."`
	Revision string   `json:"revision" doc:"Changes with every file of the workspace but the layout."`
	Services []string `json:"services" doc:"Their DNS names, in the model's order."`
	Toppings []string `json:"toppings" doc:"Those that are on."`
}

// Workspaces are those in the studio's folder, by name.
type Workspaces struct {
	Items []Workspace `json:"items"`
}

// NewWorkspace says what a workspace is made of.
type NewWorkspace struct {
	Name string `json:"name" minLength:"1" maxLength:"80" doc:"The new folder's name."`
	From From   `json:"from"`
}

// From is the origin of a new workspace: one of its fields.
type From struct {
	Example   string `json:"example,omitempty" doc:"An example's name." example:"12st-mall"`
	URL       string `json:"url,omitempty" doc:"Where a model (JSON of MSA-Ez) is downloaded from."`
	Workspace string `json:"workspace,omitempty" doc:"A workspace's id; it is copied with its edits."`
	Text      string `json:"text,omitempty" doc:"A model file's content."`
	Empty     bool   `json:"empty,omitempty"`
	Live      *Live  `json:"live,omitempty" doc:"What runs, as meshstorm import takes it."`
}

// Live is a namespace of a cluster.
type Live struct {
	Context   string `json:"context,omitempty" maxLength:"500" doc:"As /contexts lists them; missing: the current one."`
	Namespace string `json:"namespace" pattern:"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" example:"default"`
}

// Fork names a copy.
type Fork struct {
	Name string `json:"name" minLength:"1" maxLength:"80" doc:"The new folder's name."`
}

// Model is a workspace's model: as it is saved, and as people see it.
type Model struct {
	Revision string          `json:"revision"`
	Document json.RawMessage `json:"document" doc:"storm.json as it is, MSA-Ez's JSON with every field that meshstorm does not know."`
	Canvas   Canvas          `json:"canvas"`
}

// ModelChange is a model to save.
type ModelChange struct {
	Document json.RawMessage `json:"document" doc:"The whole of storm.json."`
}

// Canvas is the EventStorming board, with all containment decided.
type Canvas struct {
	Elements  []Element  `json:"elements" doc:"In the order of the file, those that contain others first."`
	Relations []Relation `json:"relations"`
}

// Element is a sticker.
type Element struct {
	ID          string        `json:"id"`
	Type        string        `json:"type" enum:"context,aggregate,command,event,policy,view,actor,external,ui,issue,text,line,package"`
	Name        string        `json:"name" doc:"As written; may be empty."`
	DisplayName string        `json:"displayName,omitempty" doc:"The label people read, often Korean."`
	Description string        `json:"description,omitempty"`
	X           float64       `json:"x" doc:"Of the centre."`
	Y           float64       `json:"y" doc:"Of the centre."`
	Width       float64       `json:"width" doc:"0 where the sticker was never drawn."`
	Height      float64       `json:"height"`
	Context     string        `json:"context,omitempty" doc:"The id of the bounded context that it lies in."`
	Aggregate   string        `json:"aggregate,omitempty" doc:"The id of the aggregate that it belongs to."`
	Service     string        `json:"service,omitempty" doc:"Of a context, the DNS name that its objects have."`
	Method      string        `json:"method,omitempty" doc:"Of a command."`
	Path        string        `json:"path,omitempty" doc:"Of a command, its custom REST path."`
	Fields      []Field       `json:"fields,omitempty" doc:"Of an aggregate, event, command or view."`
	Saga        bool          `json:"saga,omitempty" doc:"Of a policy."`
	Mirror      string        `json:"mirror,omitempty" doc:"The id of the element that this one stands for."`
	Problems    []graph.Issue `json:"problems"`
}

// Field is an attribute of a sticker.
type Field struct {
	Name  string `json:"name"`
	Class string `json:"class" example:"Long"`
	Key   bool   `json:"key,omitempty"`
	List  bool   `json:"list,omitempty"`
}

// Relation is an arrow between two stickers.
type Relation struct {
	ID    string `json:"id"`
	From  string `json:"from"`
	To    string `json:"to"`
	Kind  string `json:"kind" enum:"pubsub,request,trigger,reference,mashup,other" doc:"pubsub: an event that a policy waits for. request: a synchronous call. trigger: what raises what inside a context. reference: between aggregates. mashup: a page that asks for more. other: drawn without a meaning."`
	Label string `json:"label,omitempty"`
}

// FileInfo is a file in the tree.
type FileInfo struct {
	Path      string `json:"path" example:"kubernetes/template/istio.yml"`
	Size      int    `json:"size" doc:"In bytes."`
	Revision  string `json:"revision"`
	Generated bool   `json:"generated" doc:"Generate writes it."`
	Edited    bool   `json:"edited" doc:"It differs from what was generated last."`
}

// Files is a workspace's tree, sorted by path.
type Files struct {
	Revision string     `json:"revision" doc:"The workspace's."`
	Items    []FileInfo `json:"items"`
}

// File is a file's content.
type File struct {
	Path      string `json:"path"`
	Revision  string `json:"revision"`
	Text      string `json:"text"`
	Generated string `json:"generated,omitempty" doc:"What was generated last, for a diff."`
}

// FileChange is a file's new content.
type FileChange struct {
	Text string `json:"text"`
}

// SchemaKinds are the kinds that have a schema.
type SchemaKinds struct {
	Items []SchemaKind `json:"items"`
}

// SchemaKind is a kind that has a schema.
type SchemaKind struct {
	APIVersion string `json:"apiVersion" example:"networking.istio.io/v1"`
	Kind       string `json:"kind" example:"VirtualService"`
}

// Run says how to generate.
type Run struct {
	DryRun   bool     `json:"dryRun,omitempty" doc:"Write nothing, only say what would change."`
	Toppings []string `json:"toppings,omitempty" doc:"Switches these on in meshstorm.yaml and all others off, before the run."`
}

// Generated says what a run of generate did, or would do.
type Generated struct {
	DryRun    bool              `json:"dryRun"`
	Revision  string            `json:"revision" doc:"The workspace's, after the run."`
	Changes   []GeneratedChange `json:"changes" doc:"Only files that change."`
	Conflicts []Conflict        `json:"conflicts" doc:"Values that the model and a person changed; the person's are in the files."`
	Warnings  []string          `json:"warnings" doc:"What generate worked around."`
}

// GeneratedChange is what becomes of one file.
type GeneratedChange struct {
	Path    string   `json:"path"`
	Action  string   `json:"action" enum:"create,update,remove"`
	Diff    string   `json:"diff" doc:"Unified."`
	Added   []string `json:"added" doc:"Objects, Kind/namespace/name."`
	Updated []string `json:"updated"`
	Removed []string `json:"removed"`
	Kept    []string `json:"kept" doc:"Objects with edits of people that stand."`
}

// Conflict is a value that both a person and the generator changed.
type Conflict struct {
	Path      string `json:"path"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Object    string `json:"object" doc:"Kind/namespace/name."`
	Field     string `json:"field"`
	Yours     string `json:"yours" doc:"As YAML; empty where deleted."`
	Generated string `json:"generated" doc:"As YAML; empty where removed."`
}

// Toppings are the renderers that a workspace may switch on.
type Toppings struct {
	Groups []ToppingGroup `json:"groups"`
}

// ToppingGroup is a heading with its toppings.
type ToppingGroup struct {
	Name  string    `json:"name" example:"Service Mesh"`
	Items []Topping `json:"items"`
}

// Topping is a renderer.
type Topping struct {
	Name        string   `json:"name" example:"istio"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Files       []string `json:"files" doc:"What it writes."`
	Enabled     bool     `json:"enabled"`
}

// ToppingChange says which toppings are on.
type ToppingChange struct {
	Enabled []string `json:"enabled"`
}

// Findings are what check says about a workspace.
type Findings struct {
	Revision string          `json:"revision" doc:"The workspace's."`
	Findings []check.Finding `json:"findings"`
	Summary  check.Summary   `json:"summary"`
}

// Graph is the deploy screen's, with what it was made of.
type Graph struct {
	Revision string `json:"revision" doc:"Of all manifests together; If-Match of weights wants it."`
	Checked  bool   `json:"checked" doc:"False where the problems are those of an earlier state, as in the answer to save-weights: rules take longer than a hand on a slider. Findings, and the same GET, have the new ones."`
	graph.Graph
	Unread []string `json:"unread" doc:"Files and documents that are not shown because they cannot be read, and why."`
}

// WeightChange sets the shares of a rule.
type WeightChange struct {
	VirtualService string         `json:"virtualService" doc:"NAMESPACE/NAME." example:"default/vsvc-order"`
	Rule           *RuleName      `json:"rule,omitempty" doc:"The http rule's name, or its index from 0. Missing: every rule of the VirtualService that sends to all these subsets."`
	Weights        map[string]int `json:"weights" doc:"Subset to weight, 0 to 100. The rule's weights must add up to 100; a subset that is not named keeps its own."`
}

// Layout is where objects lie on the deploy screen.
type Layout struct {
	Revision string                `json:"revision"`
	Objects  map[string]canvas.Box `json:"objects" doc:"By a key of the page's choice, such as a node's id. X and Y are the centre."`
}

// LayoutChange is a layout to save.
type LayoutChange struct {
	Objects map[string]canvas.Box `json:"objects"`
}

// Question is a request to follow through the mesh.
type Question struct {
	Method  string            `json:"method,omitempty" doc:"Default: GET."`
	URL     string            `json:"url" example:"http://shop.example/orders/1"`
	Headers map[string]string `json:"headers,omitempty"`
	From    string            `json:"from,omitempty" doc:"gateway, gateway:NAME[.NAMESPACE], or the SERVICE[.NAMESPACE] whose sidecar sends it. Default: gateway."`
	Random  *uint64           `json:"random,omitempty" doc:"The number that weights draw; missing: the whole split."`
}

// Keeping is a question that becomes a route test.
type Keeping struct {
	Question Question `json:"question"`
	Path     string   `json:"path" doc:"The test file, which is made where it is missing." example:"routes/asked.yaml" pattern:"^routes/[^/]+\\.ya?ml$"`
	Name     string   `json:"name,omitempty" doc:"The test's."`
}

// Changed says that files of a workspace changed, through the studio or not.
type Changed struct {
	Revision string   `json:"revision" doc:"The workspace's."`
	Paths    []string `json:"paths"`
}

// Ping is sent when a stream begins and every 15 s after that.
type Ping struct {
	Revision string `json:"revision"`
}
