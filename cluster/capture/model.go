package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	pluralize "github.com/gertd/go-pluralize"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// sticker is an aggregate or a read model that derives a path.
type sticker struct {
	name string
	kind storm.Kind
}

// stickersOf finds for each context the aggregates and read models from which
// deploy derives its paths, and the paths that no sticker gives.
func stickersOf(contexts []*bounded) (stickers map[*bounded][]sticker, rest map[*bounded][]string) {
	collections := collectionsOf(contexts)
	stickers, rest = map[*bounded][]sticker{}, map[*bounded][]string{}
	for _, c := range contexts {
		roots := map[string]bool{}
		for _, p := range c.paths {
			name := collections[p.text]
			if name == "" {
				continue
			}
			kind := storm.KindAggregate
			if p.read {
				kind = storm.KindView
			}
			roots[p.text] = true
			stickers[c] = append(stickers[c], sticker{name, kind})
		}
		for _, p := range c.paths {
			first, _, below := strings.Cut(p.text[1:], "/")
			if !roots[p.text] && (!below || !roots["/"+first]) {
				rest[c] = append(rest[c], p.text)
			}
		}
	}
	return stickers, rest
}

// collectionsOf gives for paths of one segment the name of an aggregate that is
// served there. deploy itself says so, so that both always agree.
func collectionsOf(contexts []*bounded) map[string]string {
	plurals := pluralize.NewClient()
	probe := &storm.Context{Element: storm.Element{ID: "probe", Kind: storm.KindBoundedContext, Name: "probe"}}
	wanted := map[string]string{} // an aggregate's name → the path
	try := func(name, path string) {
		if _, there := wanted[name]; there || name == "" {
			return
		}
		wanted[name] = path
		probe.Aggregates = append(probe.Aggregates, &storm.Aggregate{Element: storm.Element{ID: name, Kind: storm.KindAggregate, Name: name}})
	}
	for _, c := range contexts {
		for _, p := range c.paths {
			segment := p.text[1:]
			if strings.ContainsAny(segment, "/{") {
				continue
			}
			try(capital(plurals.Singular(segment)), p.text)
			try(capital(segment), p.text)
		}
	}
	m := &storm.Model{Contexts: []*storm.Context{probe}, Outside: &storm.Context{}}
	m.Index()
	found := map[string]string{}
	for _, r := range deploy.Build(m, deploy.DefaultSettings("probe")).Services[0].Resources {
		if path := wanted[r.Source.Name]; path == r.Path && found[path] == "" {
			found[path] = r.Source.Name
		}
	}
	return found
}

func capital(s string) string {
	runes := []rune(s)
	if len(runes) > 0 {
		runes[0] = unicode.ToUpper(runes[0])
	}
	return string(runes)
}

// The size of a context on the canvas, and the distance between two.
const (
	contextWidth, contextHeight = 420, 560
	gapBetween                  = 60
)

// drawing is a model file in the making.
type drawing struct {
	buf   bytes.Buffer
	count int
}

// newModel draws the contexts with what was found of them: the smallest model
// from which the same services and paths follow.
func newModel(name string, contexts []*bounded, stickers map[*bounded][]sticker) (*msaez.Document, error) {
	w := &drawing{}
	w.buf.WriteString(`{"elements":{`)
	columns := max(1, int(math.Ceil(math.Sqrt(float64(len(contexts))))))
	for i, c := range contexts {
		x, y := 300+i%columns*(contextWidth+gapBetween), 340+i/columns*(contextHeight+gapBetween)
		if err := w.context(c.name, stickers[c], x, y); err != nil {
			return nil, err
		}
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&w.buf, `},"relations":{},"basePlatform":null,"basePlatformConf":{},"toppingPlatforms":["isVanillaK8s","istio"],"toppingPlatformsConf":{},`+
		`"scm":{"tag":null,"org":null,"repo":null,"forkedOrg":null,"forkedRepo":null,"forkedTag":null},`+
		`"version":3,"k8sValue":{"elements":{},"relations":{}},"type":"es","projectName":%s}`, quoted)
	return msaez.Parse(w.buf.Bytes(), "storm.json")
}

// id looks like the original's own, and is the same for the same sticker.
func id(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%x-%x-5%x-a%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])[:36]
}

func (w *drawing) member(key string, value map[string]any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if w.count++; w.count > 1 {
		w.buf.WriteByte(',')
	}
	fmt.Fprintf(&w.buf, "%q:%s", key, data)
	return nil
}

const typePrefix = "org.uengine.modeling.model."

// element is what all stickers share.
func element(kind storm.Kind, id, name string, x, y, width, height int) map[string]any {
	view := func(suffix string) map[string]any {
		return map[string]any{"_type": typePrefix + string(kind) + suffix, "id": id, "x": x, "y": y, "width": width, "height": height, "style": "{}"}
	}
	return map[string]any{
		"_type": typePrefix + string(kind), "id": id, "name": name, "oldName": "", "displayName": "", "description": nil, "author": nil,
		"elementView": view(""), "hexagonalView": view("Hexagonal"), "rotateStatus": false, "selected": false,
	}
}

func (w *drawing) context(name string, stickers []sticker, x, y int) error {
	own := id("context", name)
	refs := map[storm.Kind][]any{storm.KindAggregate: {}, storm.KindView: {}}
	for _, s := range stickers {
		refs[s.kind] = append(refs[s.kind], map[string]any{"id": id(string(s.kind), name, s.name)})
	}
	c := element(storm.KindBoundedContext, own, name, x, y, contextWidth, contextHeight)
	c["aggregates"], c["views"], c["policies"], c["members"] = refs[storm.KindAggregate], refs[storm.KindView], []any{}, []any{}
	c["gitURL"], c["portGenerated"], c["preferredPlatform"], c["templatePerElements"] = nil, 8080, "spring-boot", map[string]any{}
	if err := w.member(own, c); err != nil {
		return err
	}
	height := min(120, (contextHeight-40)/max(1, len(stickers))-20)
	for i, s := range stickers {
		e := element(s.kind, id(string(s.kind), name, s.name), s.name, x, y-contextHeight/2+60+height/2+i*(height+20), 130, max(20, height))
		e["boundedContext"] = map[string]any{"id": own}
		e["namePlural"], e["visibility"], e["mirrorElement"] = "", "public", nil
		if s.kind == storm.KindAggregate {
			e["aggregateRoot"] = map[string]any{"_type": typePrefix + "AggregateRoot", "fieldDescriptors": keyField(),
				"entities": map[string]any{"elements": map[string]any{}, "relations": map[string]any{}}, "operations": []any{}}
			e["commands"], e["events"] = []any{}, []any{}
		} else {
			e["queryParameters"], e["fieldDescriptors"], e["dataProjection"] = []any{}, keyField(), "cqrs"
			e["queryOption"] = map[string]any{"apiPath": "", "useDefaultUri": true, "multipleResult": true}
			e["createRules"], e["updateRules"], e["deleteRules"] = []any{}, []any{}, []any{}
		}
		if err := w.member(id(string(s.kind), name, s.name), e); err != nil {
			return err
		}
	}
	return nil
}

func keyField() []any {
	return []any{map[string]any{"_type": "org.uengine.model.FieldDescriptor", "name": "id", "className": "Long",
		"nameCamelCase": "id", "namePascalCase": "Id", "isKey": true, "isVO": false, "isLob": false}}
}

// unique are the values without repetition, in their order.
func unique(values []string) []string {
	var all []string
	for _, v := range values {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}
