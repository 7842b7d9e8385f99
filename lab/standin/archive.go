package standin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// archive is a model with the details that only who executes it needs: classes
// inside aggregates, lifecycle triggers of events, rules of read models.
type archive struct {
	model    *storm.Model
	elements map[string]*element
}

// element is a sticker as the file has it. Real files hold wrong types: each
// part is decoded by itself, and one that does not fit counts as absent.
type element map[string]json.RawMessage

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// classElement is a class of an aggregate's UML diagram.
type classElement struct {
	Type   string `json:"_type"`
	Name   string `json:"name"`
	Pascal string `json:"namePascalCase"`
	Fields []struct {
		Name  string `json:"name"`
		Class string `json:"className"`
		Key   bool   `json:"isKey"`
		List  bool   `json:"isList"`
	} `json:"fieldDescriptors"`
	Items []struct {
		Value string `json:"value"`
	} `json:"items"`
}

// ruleElement is a rule by which an event changes a read model.
type ruleElement struct {
	When   *reference `json:"when"`
	Fields []struct {
		View     *ruleField `json:"viewField"`
		Event    *ruleField `json:"eventField"`
		Operator string     `json:"operator"`
	} `json:"fieldMapping"`
	Where []struct {
		View  *ruleField `json:"viewField"`
		Event *ruleField `json:"eventField"`
	} `json:"where"`
}

// ruleField is a field, or a constant where it has a value.
type ruleField struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// readArchive reads what the model's ConfigMaps hold, or any model file.
func readArchive(data []byte, name string) (*archive, error) {
	doc, err := msaez.Parse(data, name)
	if err != nil {
		return nil, err
	}
	slim, err := doc.Slim() // maps and references, however old the file is
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var file struct {
		Elements map[string]json.RawMessage `json:"elements"`
	}
	if err := json.Unmarshal(slim, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a := &archive{model: doc.Model, elements: make(map[string]*element, len(file.Elements))}
	for id, raw := range file.Elements {
		e := &element{}
		if json.Unmarshal(raw, e) == nil {
			a.elements[id] = e
		}
	}
	return a, nil
}

// part decodes a member of a sticker; v stays as it is where there is none that
// fits.
func (a *archive) part(id, name string, v any) {
	if e := a.elements[id]; e != nil {
		_ = json.Unmarshal((*e)[name], v)
	}
}

func (a *archive) text(id, name string) string {
	var s string
	a.part(id, name, &s)
	return s
}

func (a *archive) ref(id, name string) string {
	var r reference
	a.part(id, name, &r)
	return r.ID
}

// classes are the value objects, entities and enumerations of an aggregate.
func (a *archive) classes(aggregate string) map[string]*classElement {
	var root struct {
		Entities struct {
			Elements map[string]json.RawMessage `json:"elements"`
		} `json:"entities"`
	}
	a.part(aggregate, "aggregateRoot", &root)
	out := map[string]*classElement{}
	for _, raw := range root.Entities.Elements {
		c := &classElement{}
		if json.Unmarshal(raw, c) != nil || !strings.Contains(c.Type, "uml.model") {
			continue
		}
		for _, name := range []string{c.Name, c.Pascal} {
			if name != "" {
				out[name] = c
			}
		}
	}
	return out
}

// rules are those of one kind, "createRules", that name an event. Rules that
// nobody filled in are templates of the tool's panel.
func (a *archive) rules(view, kind string) []ruleElement {
	var raw []json.RawMessage
	a.part(view, kind, &raw)
	var out []ruleElement
	for _, r := range raw {
		var rule ruleElement
		if json.Unmarshal(r, &rule) == nil && rule.When != nil && (rule.When.ID != "" || rule.When.Name != "") {
			out = append(out, rule)
		}
	}
	return out
}
