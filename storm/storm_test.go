package storm_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/storm"
)

func TestKindOfIsDecidedByTheTwoEnds(t *testing.T) {
	const (
		command, event, policy   = storm.KindCommand, storm.KindEvent, storm.KindPolicy
		view, aggregate, context = storm.KindView, storm.KindAggregate, storm.KindBoundedContext
		external, actor, ui      = storm.KindExternal, storm.KindActor, storm.KindUI
	)
	for _, c := range []struct {
		from, to storm.Kind
		want     storm.RelationKind
	}{
		{event, policy, storm.PubSub},
		{event, command, storm.ReqRes},
		{command, view, storm.ReqRes},
		{policy, view, storm.ReqRes},
		{command, aggregate, storm.ReqRes},
		{policy, aggregate, storm.ReqRes},
		{command, external, storm.ReqRes},
		{policy, external, storm.ReqRes},
		{command, event, storm.Trigger},
		{policy, event, storm.Trigger},
		{policy, command, storm.Trigger},
		{aggregate, aggregate, storm.Reference},
		{view, aggregate, storm.Mashup},
		{event, event, storm.Other},
		{event, external, storm.Other},
		{command, policy, storm.Other},
		{command, command, storm.Other},
		{policy, policy, storm.Other},
		{policy, event, storm.Trigger},
		{actor, command, storm.Other},
		{ui, command, storm.Other},
		{context, context, storm.Other},
		{aggregate, view, storm.Other},
		{"", policy, storm.Other},
	} {
		if got := storm.KindOf(c.from, c.to); got != c.want {
			t.Errorf("%s to %s is %s, want %s", c.from, c.to, got, c.want)
		}
	}
}

func TestLabelIsWhatPeopleRecogniseTheStickerBy(t *testing.T) {
	for name, c := range map[string]struct {
		e             storm.Element
		label, string string
	}{
		"the name":                             {storm.Element{ID: "e1", Kind: storm.KindEvent, Name: "OrderPlaced", DisplayName: "주문됨"}, "OrderPlaced", `Event "OrderPlaced"`},
		"the display name where there is none": {storm.Element{ID: "e1", Kind: storm.KindEvent, DisplayName: "주문됨"}, "주문됨", `Event "주문됨"`},
		"the id where there is neither":        {storm.Element{ID: "e1", Kind: storm.KindEvent}, "e1", `Event "e1"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.e.Label(); got != c.label {
				t.Errorf("label is %q, want %q", got, c.label)
			}
			if got := c.e.String(); got != c.string {
				t.Errorf("string is %q, want %q", got, c.string)
			}
		})
	}
}

func TestWarningNamesTheSticker(t *testing.T) {
	for name, c := range map[string]struct {
		w    storm.Warning
		want string
	}{
		"a sticker":            {storm.Warning{ID: "c1", Element: `Command "Pay"`, Message: "it has no aggregate"}, `Command "Pay" (id c1): it has no aggregate`},
		"a sticker without id": {storm.Warning{Element: `Command "Pay"`, Message: "it has no aggregate"}, `Command "Pay": it has no aggregate`},
		"an id only":           {storm.Warning{ID: "c1", Message: "it has no aggregate"}, `id c1: it has no aggregate`},
		"the whole model":      {storm.Warning{Message: "there are no contexts"}, "there are no contexts"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.w.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func element(id string, kind storm.Kind) storm.Element {
	return storm.Element{ID: id, Kind: kind, Name: id}
}

// indexed is a model with one element of every sort in every place.
func indexed() *storm.Model {
	order := &storm.Context{Element: element("order", storm.KindBoundedContext),
		Aggregates: []*storm.Aggregate{{Element: element("Order", storm.KindAggregate),
			Commands: []*storm.Command{{Element: element("Place", storm.KindCommand)}},
			Events:   []*storm.Event{{Element: element("Placed", storm.KindEvent)}}}},
		Commands: []*storm.Command{{Element: element("Loose", storm.KindCommand)}},
		Events:   []*storm.Event{{Element: element("Loosened", storm.KindEvent)}},
		Policies: []*storm.Policy{{Element: element("React", storm.KindPolicy)}},
		Views:    []*storm.View{{Element: element("MyPage", storm.KindView)}},
	}
	note, bank, paid, shared := element("note", storm.KindText), element("bank", storm.KindExternal), element("Paid", storm.KindEvent), element("Placed", storm.KindEvent)
	m := &storm.Model{
		Contexts:  []*storm.Context{order},
		Outside:   &storm.Context{Aggregates: []*storm.Aggregate{{Element: element("Lost", storm.KindAggregate)}}},
		Externals: []*storm.Element{&bank},
		Actors:    []*storm.Actor{{Element: element("customer", storm.KindActor)}},
		Notes:     []*storm.Element{&note},
		Packages:  []*storm.Package{{Element: element("payment", storm.KindPackage), Elements: []*storm.Element{&paid, &shared}}},
	}
	m.Index()
	return m
}

func TestLookupTellsWhereAnElementLives(t *testing.T) {
	m := indexed()
	for _, c := range []struct{ id, context, aggregate, pack string }{
		{"order", "order", "", ""},
		{"Order", "order", "Order", ""},
		{"Place", "order", "Order", ""},
		{"Placed", "order", "Order", "payment"},
		{"Loose", "order", "", ""},
		{"Loosened", "order", "", ""},
		{"React", "order", "", ""},
		{"MyPage", "order", "", ""},
		{"Lost", "outside", "Lost", ""},
		{"bank", "", "", ""},
		{"customer", "", "", ""},
		{"note", "", "", ""},
		{"payment", "", "", "payment"},
		{"Paid", "", "", "payment"},
	} {
		l, ok := m.Lookup(c.id)
		if !ok || l.ID != c.id {
			t.Errorf("%s is not found", c.id)
			continue
		}
		var context, aggregate, pack string
		switch {
		case l.Context == m.Outside:
			context = "outside"
		case l.Context != nil:
			context = l.Context.ID
		}
		if l.Aggregate != nil {
			aggregate = l.Aggregate.ID
		}
		if l.Package != nil {
			pack = l.Package.ID
		}
		if context != c.context || aggregate != c.aggregate || pack != c.pack {
			t.Errorf("%s lives in context %q, aggregate %q, package %q; want %q, %q, %q", c.id, context, aggregate, pack, c.context, c.aggregate, c.pack)
		}
	}
	for _, id := range []string{"", "nothing"} {
		if _, ok := m.Lookup(id); ok {
			t.Errorf("%q is found", id)
		}
		if _, ok := m.Resolve(id); ok {
			t.Errorf("%q is resolved", id)
		}
	}
}

func TestLookupOfAModelThatWasNeverIndexedFindsNothing(t *testing.T) {
	if _, ok := new(storm.Model).Lookup("a"); ok {
		t.Error("something was found")
	}
	m := &storm.Model{}
	m.Index()
	if _, ok := m.Resolve("a"); ok {
		t.Error("something was resolved")
	}
}

func TestResolveFollowsMirrors(t *testing.T) {
	policies := []*storm.Policy{}
	for id, mirror := range map[string]string{
		"original": "", "mirror": "original", "mirror of a mirror": "mirror",
		"orphan": "nowhere", "mirror of an orphan": "orphan",
		"itself": "itself", "left": "right", "right": "left", "into a loop": "left",
	} {
		p := &storm.Policy{Element: element(id, storm.KindPolicy)}
		p.Mirror = mirror
		policies = append(policies, p)
	}
	m := &storm.Model{Contexts: []*storm.Context{{Element: element("c", storm.KindBoundedContext), Policies: policies}}}
	m.Index()
	for id, want := range map[string]string{
		"original": "original", "mirror": "original", "mirror of a mirror": "original",
		"orphan": "orphan", "mirror of an orphan": "orphan",
		"itself": "itself", "left": "left", "right": "right", "into a loop": "into a loop",
	} {
		l, ok := m.Resolve(id)
		if !ok || l.ID != want {
			t.Errorf("%s resolves to %v, want %s", id, l.Element, want)
		}
	}
}
