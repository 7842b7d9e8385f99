package check

import (
	"slices"
	"sync"

	"github.com/meshstorm/meshstorm/check/schema"
	"github.com/meshstorm/meshstorm/manifest"
)

// Memo keeps what was found out about single objects, for who checks nearly the
// same input again and again, such as an editor: objects whose content did not
// change are neither decoded nor held against their schemas again. It forgets
// what the last two inputs did not have, and is safe for concurrent use. The
// zero value is ready.
type Memo struct {
	mu     sync.Mutex
	now    map[string]*content
	before map[string]*content

	docs, docsBefore map[*manifest.Document]*content // the same documents, which manifest.Reader gives
}

// content is what an object's JSON alone says, wherever it stands. It is shared:
// read only.
type content struct {
	json   []byte
	object map[string]any
	err    error

	typing sync.Once
	typed  typed

	judging sync.Once
	faults  []schema.FieldError

	known sync.Map // see Resource.Once
}

func readContent(doc *manifest.Document) *content {
	c := &content{}
	if c.json, c.err = doc.JSON(); c.err == nil {
		c.object, c.err = decodeObject(c.json)
	}
	return c
}

// turn begins a new input.
func (m *Memo) turn() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before, m.now = m.now, make(map[string]*content, len(m.now))
	m.docsBefore, m.docs = m.docs, make(map[*manifest.Document]*content, len(m.docs))
}

// content gives what is known of the document, or of the same JSON, or begins
// to know it.
func (m *Memo) content(doc *manifest.Document) *content {
	if m == nil {
		return readContent(doc)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.docs[doc]
	if c == nil {
		c = m.docsBefore[doc]
	}
	if c == nil {
		c = readContent(doc)
		for _, known := range []map[string]*content{m.before, m.now} {
			if old := known[string(c.json)]; old != nil && c.err == nil {
				c = old
			}
		}
	}
	m.docs[doc], m.now[string(c.json)] = c, c
	return c
}

// Once gives what make gave for the same content and key before, else calls it.
// What make gives must depend on the object's content alone, not on its place,
// its namespace by default, or other objects; it is shared, so read only.
func (r *Resource) Once(key any, make func() any) any {
	v, _ := r.content.known.LoadOrStore(key, sync.OnceValue(make))
	return v.(func() any)()
}

// Faults is what the object's CRD holds against it; empty for kinds without
// one.
func (r *Resource) Faults() []schema.FieldError {
	r.content.judging.Do(func() {
		if s, ok := schema.For(r.GVK()); ok && r.Err == nil {
			r.content.faults = s.Validate(r.Object)
		}
	})
	return slices.Clone(r.content.faults)
}
