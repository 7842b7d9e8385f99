package msaez

import (
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// top holds the places of what a model file says beside its stickers.
type top struct {
	project     span // projectName
	toppings    span
	scm         span
	information span // version 1: where scm was
	canvas      span // k8sValue
	kind        span // type: "es", "k8s", …
	platform    span // basePlatform
	value       span // the model, where the file wraps it
}

// orElse takes from outer what the wrapped model does not say itself.
func (t top) orElse(outer top) top {
	or := func(p *span, o span) {
		if p.empty() {
			*p = o
		}
	}
	or(&t.project, outer.project)
	or(&t.toppings, outer.toppings)
	or(&t.scm, outer.scm)
	or(&t.information, outer.information)
	or(&t.canvas, outer.canvas)
	or(&t.kind, outer.kind)
	or(&t.platform, outer.platform)
	return t
}

// reader turns one file into a model.
type reader struct {
	data      []byte
	model     *storm.Model
	top       top
	elements  []*entry
	relations []*entry

	hasElements bool
	deleted     map[string]bool   // keys whose entry is null
	ids         map[string]*entry // stickers by id, elementView.id and key
	nested      map[string]bool   // ids inside packages
	places      places
	arena       arena
	words       map[string]string // texts that occur often
	walks       int               // how many walks are over, see reader.loop
}

func (r *reader) read() *fault {
	r.model = &storm.Model{Outside: &storm.Context{}}
	r.deleted = map[string]bool{}
	s := &scanner{data: r.data}
	if f := r.start(s); f != nil {
		return f
	}
	if f := r.object(s); f != nil {
		return f
	}
	if s.peek() != 0 || s.pos < len(r.data) {
		f := s.expected("the end of the file")
		f.hint = "delete what follows the model"
		return f
	}
	if !r.hasElements && r.is(r.top.value, '{') {
		outer := r.top
		r.top = top{}
		if f := r.object(r.inside(outer.value)); f != nil {
			return f
		}
		r.top = r.top.orElse(outer)
	}
	if !r.hasElements {
		s.pos = 0
		s.space()
		return &fault{off: s.pos, msg: `this is no model of the tool: neither "elements" nor "definition" was found, also not under "value"`,
			hint: "name a file that MSA-Ez has saved (Download model)"}
	}
	return r.understand()
}

// start refuses, with a fitting hint, what is not even an object.
func (r *reader) start(s *scanner) *fault {
	switch c := s.peek(); {
	case len(r.data) == 0 || s.pos == len(r.data):
		return &fault{off: s.pos, msg: "the file is empty where a model was expected", hint: `save the model again, or make an empty one with "meshstorm new DIR"`}
	case c == '{':
		return nil
	case c == '[':
		return &fault{off: s.pos, msg: "the file is a list where an object with a model's elements was expected", hint: "name a file that MSA-Ez has saved (Download model), not a part of one"}
	case strings.HasPrefix(string(r.data[:min(2, len(r.data))]), "\xff\xfe"), strings.HasPrefix(string(r.data[:min(2, len(r.data))]), "\xfe\xff"):
		return &fault{off: s.pos, msg: "the file is UTF-16 where UTF-8 was expected", hint: "convert it: iconv -f UTF-16 -t UTF-8"}
	case c == 'P' && strings.HasPrefix(string(r.data[s.pos:min(s.pos+4, len(r.data))]), "PK\x03\x04"):
		return &fault{off: s.pos, msg: "the file is a zip archive where a JSON model was expected", hint: "unpack it and name the model inside"}
	}
	if at, f := s.value(); f == nil {
		return &fault{off: int(at.start), msg: "the file is " + kindName(r.raw(at)) + " where an object with a model's elements was expected", hint: "name a file that MSA-Ez has saved (Download model)"}
	}
	s.pos = 0
	s.space()
	f := s.expected(`"{"`)
	f.hint = "name a JSON file that MSA-Ez has saved (Download model)"
	return f
}

// object reads the object that holds "elements" or, in version 1, "definition".
func (r *reader) object(s *scanner) *fault {
	var elements, definition, relations, relation []*entry
	seen := map[string]bool{}
	f := s.object(func(key []byte, at int) *fault {
		name := string(key)
		list := map[string]*[]*entry{"elements": &elements, "definition": &definition, "relations": &relations, "relation": &relation}[name]
		if list != nil {
			if seen[name] {
				return &fault{off: at, msg: fmt.Sprintf("%q is there twice", name), hint: "keep one of the two"}
			}
			seen[name] = true
			return r.collection(s, name, list)
		}
		value, f := s.value()
		switch name {
		case "projectName":
			r.top.project = value
		case "toppingPlatforms":
			r.top.toppings = value
		case "scm":
			r.top.scm = value
		case "information":
			r.top.information = value
		case "k8sValue":
			r.top.canvas = value
		case "type":
			r.top.kind = value
		case "basePlatform":
			r.top.platform = value
		case "value":
			r.top.value = value
		}
		return f
	})
	if len(elements) == 0 {
		elements, definition = definition, nil
	}
	if len(relations) == 0 {
		relations, relation = relation, nil
	}
	r.elements, r.relations = elements, relations
	r.hasElements = seen["elements"] || seen["definition"]
	if len(definition)+len(relation) > 0 {
		r.warn(nil, `the file holds the model twice: "definition" and "relation" of version 1 are left out, "elements" and "relations" are read`)
	}
	return f
}

// collection reads a map or a list of entries. Null entries are what the tool
// leaves of deleted stickers.
func (r *reader) collection(s *scanner, name string, list *[]*entry) *fault {
	one := func(key string, at int, path func() string) *fault {
		if s.peek() == '{' {
			e, f := r.entry(s, key, at)
			if f != nil && f.path == "" {
				f.path = path()
			}
			*list = append(*list, e)
			return f
		}
		value, f := s.value()
		switch {
		case f != nil:
			return f
		case r.has(value):
			r.warn(nil, "%s is %s where an object was expected; it is left out", path(), kindName(r.raw(value)))
		case key != "":
			r.deleted[key] = true
		}
		return nil
	}
	switch s.peek() {
	case '{':
		seen := map[string]int{}
		return s.object(func(key []byte, at int) *fault {
			k := string(key)
			path := func() string { return fmt.Sprintf("%s[%q]", name, short(k)) }
			if first, ok := seen[k]; ok {
				line, column := position(r.data, first)
				return &fault{off: at, path: path(), msg: fmt.Sprintf("this id is there twice, first at %d:%d", line, column), hint: "give one of the two its own id, or delete it"}
			}
			seen[k] = at
			if s.peek() == 0 {
				return s.expected("a sticker")
			}
			return one(k, at, path)
		})
	case '[':
		return s.array(func(i int) *fault {
			s.space()
			return one("", s.pos, func() string { return fmt.Sprintf("%s[%d]", name, i) })
		})
	}
	value, f := s.value()
	if f == nil && r.has(value) {
		return &fault{off: int(value.start), path: name, msg: "this is " + kindName(r.raw(value)) + " where a map or list was expected", hint: "save the model from the tool again"}
	}
	return f
}

// understand makes the domain model of what was found.
func (r *reader) understand() *fault {
	r.readTop()
	if f := r.identify(); f != nil {
		return f
	}
	r.readPackages()
	r.readLists()
	if f := r.findLoops(); f != nil {
		return f
	}
	r.build()
	r.model.Index()
	r.connect()
	r.checkNames()
	return nil
}

// readTop reads what a file says beside its stickers.
func (r *reader) readTop() {
	m := r.model
	m.Name = r.text(nil, r.top.project, "projectName")
	r.items(nil, r.top.toppings, "toppingPlatforms", func(_ []byte, at span) {
		// A topping is a short name or the address of its repository.
		name := strings.TrimSuffix(strings.TrimRight(r.text(nil, at, "toppingPlatforms entry"), "/"), ".git")
		name = strings.TrimPrefix(name[strings.LastIndexByte(name, '/')+1:], "topping-")
		if name != "" {
			m.Toppings = append(m.Toppings, name)
		}
	})
	r.pick(r.top.scm, func(key []byte, at span) {
		switch string(key) {
		case "org":
			m.SCM.Org = r.text(nil, at, "scm.org")
		case "repo":
			m.SCM.Repo = r.text(nil, at, "scm.repo")
		case "tag":
			m.SCM.Tag = r.text(nil, at, "scm.tag")
		}
	})
	r.pick(r.top.information, func(key []byte, at span) {
		switch {
		case string(key) == "gitOrgName" && m.SCM.Org == "":
			m.SCM.Org = r.text(nil, at, "information.gitOrgName")
		case string(key) == "gitRepoName" && m.SCM.Repo == "":
			m.SCM.Repo = r.text(nil, at, "information.gitRepoName")
		case string(key) == "projectName" && m.Name == "":
			m.Name = r.text(nil, at, "information.projectName")
		}
	})
	if r.has(r.top.canvas) && !r.is(r.top.canvas, '{') {
		r.mistyped(nil, r.top.canvas, "k8sValue", "an object", "the deployment canvas is taken as empty")
	}
}
