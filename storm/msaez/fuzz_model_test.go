package msaez_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
)

// FuzzModel makes models of few ids, so that stickers repeat, overlap, refer
// to each other, loop and lead nowhere far more often than flipped bytes in a
// file would make them.
func FuzzModel(f *testing.F) {
	for _, seed := range []string{"", "meshstorm", strings.Repeat("\x01\x02\x03\x04\x05\x06\x07", 40), strings.Repeat("order delivery", 30)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 4096 {
			return
		}
		g := &generator{choices: choices}
		data := []byte(g.model())
		if _, err := msaez.Parse(data, "model"); err != nil {
			var e *msaez.Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("not a complete error: %#v", err)
			}
			return
		}
		checkRoundTrip(t, data)
	})
}

// generator turns bytes into a model, one decision per byte.
type generator struct{ choices []byte }

func (g *generator) pick(options ...string) string {
	if len(g.choices) == 0 {
		return options[0]
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return options[c%len(options)]
}

// id is often unset, seldom of the wrong type.
func (g *generator) id() string {
	return g.pick(`"a"`, `"b"`, `"c"`, `"d"`, `"e"`, `"f"`, `"g"`, `"h"`, `""`, `null`, `1`)
}

func (g *generator) ref() string {
	id := g.id()
	return g.pick(`{"id":`+id+`}`, id, `{"name":`+id+`}`, `null`, `{"elementView":{"id":`+id+`}}`, `true`, `[]`)
}

func (g *generator) model() string {
	var b strings.Builder
	list := g.pick("", "list") != ""
	b.WriteString(g.pick(`{"version":3,`, `{"value":{"version":3,`))
	wrapped := strings.Contains(b.String(), "value")
	collection := func(name string, keys string, one func() string) {
		open, end := "{", "}"
		if list {
			open, end = "[", "]"
		}
		b.WriteString(`"` + name + `":` + open)
		for i := range len(g.choices) / 12 {
			if i > 20 {
				break
			}
			if i > 0 {
				b.WriteString(",")
			}
			if !list {
				key, _ := json.Marshal(fmt.Sprintf("%s%d", keys, i))
				b.WriteString(g.pick(string(key), string(key), `"a"`, `"b"`, `"c"`) + ":")
			}
			b.WriteString(one())
		}
		b.WriteString(end)
	}
	collection(g.pick("elements", "definition"), "k", g.element)
	b.WriteString(",")
	collection(g.pick("relations", "relation"), "r", g.relation)
	b.WriteString("}")
	if wrapped {
		b.WriteString("}")
	}
	return b.String()
}

func (g *generator) element() string {
	if g.pick("", "", "", "", "null") != "" {
		return "null"
	}
	var fields []string
	add := func(key, value string) {
		if value != "" {
			fields = append(fields, `"`+key+`":`+value)
		}
	}
	add("_type", `"`+g.pick("BoundedContext", "Aggregate", "Command", "Event", "Policy", "View", "PBC", "Actor", "External", "UI", "Persona", "org.uengine.uml.model.bounded", "Line")+`"`)
	add("id", g.pick("", g.id()))
	add("name", g.id())
	if g.pick("drawn", "") != "" {
		add("elementView", fmt.Sprintf(`{"id":%s,"x":%s,"y":%s,"width":%s,"height":%s}`, g.id(),
			g.pick("0", "1", "2", "3", "4", `"5"`, "null"), g.pick("0", "1", "2", "3"), g.pick("1", "2", "3", "0", "9"), g.pick("1", "2", "9")))
	}
	add("boundedContext", g.pick("", g.ref()))
	add("aggregate", g.pick("", g.ref()))
	add("mirrorElement", g.pick("", "", "", g.ref()))
	add("innerAggregate", g.pick("", `{"command":[`+g.ref()+`]}`))
	for _, list := range []string{"aggregates", "policies", "views", "events", "commands", "boundedContextes"} {
		add(list, g.pick("", "", "["+g.ref()+"]", `{"x":`+g.ref()+`}`, `[{"id":`+g.id()+`,"name":"n"}]`))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func (g *generator) relation() string {
	return fmt.Sprintf(`{"id":%s,"from":%s,"to":%s,"sourceElement":%s,"targetElement":%s,"relationView":{"id":%s,"from":%s},"fallback":%s}`,
		g.id(), g.id(), g.id(), g.ref(), g.ref(), g.id(), g.id(), g.pick("true", `"true"`, "null", "1", `"x"`))
}
