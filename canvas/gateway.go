package canvas

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// foldGateways folds Gateways with the generated one's selector into it. One
// that brings servers of its own survives, unless it is the only one: then its
// servers are edits.
func (t *taker) foldGateways() {
	doc := t.files.find(groupIstio, "Gateway", t.model.Settings.Gateway.Name)
	if doc == nil {
		return
	}
	var candidates []*drawing
	for _, d := range t.drawn {
		if d.is(groupIstio, "Gateway") && (d.name == doc.ID.Name || t.sameSelector(d, doc)) {
			candidates = append(candidates, d)
		}
	}
	slices.SortStableFunc(candidates, func(a, b *drawing) int {
		return rank(b.name == doc.ID.Name) - rank(a.name == doc.ID.Name)
	})
	for i, d := range candidates {
		switch {
		case i == 0:
			t.editGateway(d, doc)
		case t.sameSelector(d, doc) && coveredServers(d, doc) || d.name == doc.ID.Name:
			(&editor{taker: t, d: d, doc: doc}).close()
		default:
			t.warn(d, "kept as a Gateway of its own beside %s: its servers differ", doc.ID.Name)
		}
	}
	t.sweep()
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (t *taker) sameSelector(d *drawing, doc *document) bool {
	selector := at(d.node, "spec", "selector")
	return empty(selector) || same(selector, at(doc.node, "spec", "selector"))
}

// coveredServers reports whether every server is the default one or one that
// the generated Gateway has by now.
func coveredServers(d *drawing, doc *document) bool {
	for _, s := range items(d.node, "spec", "servers") {
		found := slices.ContainsFunc(items(doc.node, "spec", "servers"), func(own *yaml.Node) bool {
			return samePort(own, s) && same(at(own, "tls"), at(s, "tls")) &&
				(slices.Equal(texts(s, "hosts"), []string{"*"}) || slices.Equal(texts(own, "hosts"), texts(s, "hosts")))
		})
		if !found {
			return false
		}
	}
	return true
}

func samePort(a, b *yaml.Node) bool {
	return text(a, "port", "number") == text(b, "port", "number") && text(a, "port", "protocol") == text(b, "port", "protocol")
}

// editGateway takes hosts, ports and TLS.
func (t *taker) editGateway(d *drawing, doc *document) {
	e := &editor{taker: t, d: d, doc: doc}
	e.metadata("metadata")
	if !t.sameSelector(d, doc) {
		e.take("its selector", at(d.node, "spec", "selector"), "spec", "selector")
	}
	portNames := map[string]bool{}
	for _, own := range items(doc.node, "spec", "servers") {
		portNames[text(own, "port", "name")] = true
	}
	for _, s := range items(d.node, "spec", "servers") {
		n, ok := number(s, "port", "number")
		if !ok || n < 1 || n > 65535 {
			t.warn(d, "a server without a port is left out")
			continue
		}
		i := slices.IndexFunc(items(doc.node, "spec", "servers"), func(own *yaml.Node) bool { return samePort(own, s) })
		if i < 0 {
			if name := text(s, "port", "name"); portNames[name] {
				set(s, str(name+"-"+integer(n).Value), "port", "name")
			}
			portNames[text(s, "port", "name")] = true
			add(doc.node, clone(s), "spec", "servers")
			doc.edited = true
			e.tell("the server at port %d", n)
			continue
		}
		e.server(s, items(doc.node, "spec", "servers")[i], n)
	}
	e.close()
}

// server takes what differs in a server that the generated Gateway has, too.
func (e *editor) server(from, to *yaml.Node, port int) {
	for key, value := range fields(from) {
		if key == "port" || key == "name" || blank(value) || same(at(to, key), value) || key == "hosts" && slices.Equal(texts(value), []string{"*"}) {
			continue
		}
		set(to, clone(value), key)
		e.doc.edited = true
		e.tell("%s of the server at port %d", key, port)
	}
}
