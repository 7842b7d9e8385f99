package msaez

import "github.com/meshstorm/meshstorm/storm"

// field is a key of an entry that means something to us; all other keys are
// kept in the file and not looked at.
type field uint8

const (
	noField field = iota
	fieldType
	fieldID
	fieldName
	fieldDisplayName
	fieldDescription
	fieldView
	fieldMirror
	fieldContext
	fieldAggregate
	fieldRoot
	fieldDescriptors
	fieldController
	fieldREST
	fieldRepository
	fieldOutputs
	fieldSaga
	fieldQuery
	fieldParameters
	fieldProjection
	fieldCreateRules
	fieldUpdateRules
	fieldDeleteRules
	fieldInner
	fieldContexts
	fieldAggregates
	fieldPolicies
	fieldViews
	fieldEvents
	fieldCommands
	fieldElements
	fieldFrom
	fieldTo
	fieldSource
	fieldTarget
	fieldRelationView
	fieldFallback
	fieldBreaker
	fieldCount
)

func fieldOf(key []byte) field {
	switch string(key) {
	case "_type":
		return fieldType
	case "id":
		return fieldID
	case "name":
		return fieldName
	case "displayName":
		return fieldDisplayName
	case "description":
		return fieldDescription
	case "elementView":
		return fieldView
	case "mirrorElement":
		return fieldMirror
	case "boundedContext":
		return fieldContext
	case "aggregate":
		return fieldAggregate
	case "aggregateRoot":
		return fieldRoot
	case "fieldDescriptors":
		return fieldDescriptors
	case "controllerInfo":
		return fieldController
	case "restRepositoryInfo":
		return fieldREST
	case "isRestRepository":
		return fieldRepository
	case "outputEvents":
		return fieldOutputs
	case "isSaga":
		return fieldSaga
	case "queryOption":
		return fieldQuery
	case "queryParameters":
		return fieldParameters
	case "dataProjection":
		return fieldProjection
	case "createRules":
		return fieldCreateRules
	case "updateRules":
		return fieldUpdateRules
	case "deleteRules":
		return fieldDeleteRules
	case "innerAggregate":
		return fieldInner
	}
	return listOrRelationField(key)
}

func listOrRelationField(key []byte) field {
	switch string(key) {
	case "boundedContextes", "boundedContexts":
		return fieldContexts
	case "aggregates":
		return fieldAggregates
	case "policies":
		return fieldPolicies
	case "views":
		return fieldViews
	case "events":
		return fieldEvents
	case "commands":
		return fieldCommands
	case "elements":
		return fieldElements
	case "from":
		return fieldFrom
	case "to":
		return fieldTo
	case "sourceElement":
		return fieldSource
	case "targetElement":
		return fieldTarget
	case "relationView":
		return fieldRelationView
	case "fallback":
		return fieldFallback
	case "circuitBreaker":
		return fieldBreaker
	}
	return noField
}

// entry is one object of "elements" or "relations": where it lies in the file,
// and where in it the fields that matter.
type entry struct {
	storm.Element
	key      string // its key in the map; "" in an array
	keyAt    int    // the offset of the key, or of the entry in an array
	at       span
	typeName string // _type as written
	unknown  bool   // its type is no sticker
	viewID   string // elementView.id or relationView.id
	drawn    bool   // Box is known
	context  ref    // the stored boundedContext
	owner    ref    // the stored aggregate
	fields   []fieldAt

	in   *storm.Context   // the context it is, or lies in; nil where context has no meaning
	root *storm.Aggregate // the aggregate it is
	pack *storm.Package   // the package it is, or lies in

	visit int // the number of the last walk that came by, see reader.loop
}

// copied is the element for the model, which must not keep the reader alive.
func (e *entry) copied() *storm.Element {
	x := e.Element
	return &x
}

// ref is a stored reference to another sticker.
type ref struct{ id, name string }

func (f ref) empty() bool { return f.id == "" && f.name == "" }

// fieldAt is where the value of a field lies.
type fieldAt struct {
	field field
	at    span
}

// get is where the field's value lies; empty for null and for what is missing.
func (e *entry) get(f field) span {
	for _, x := range e.fields {
		if x.field == f {
			return x.at
		}
	}
	return span{}
}

// arena hands out entries and their fields from larger pieces: a model has
// hundreds of thousands of them, all of which die with the reader.
type arena struct {
	entries []entry
	fields  []fieldAt
	found   [fieldCount]span // of the entry being read
}

const piece = 256

func (a *arena) entry() *entry {
	if len(a.entries) == 0 {
		a.entries = make([]entry, piece)
	}
	e := &a.entries[0]
	a.entries = a.entries[1:]
	return e
}

// entry reads the object at the scanner and finds its fields. Of a key that
// comes twice the last counts, as in JavaScript.
func (r *reader) entry(s *scanner, key string, keyAt int) (*entry, *fault) {
	s.space()
	a := &r.arena
	a.found = [fieldCount]span{}
	start := s.pos
	f := s.object(func(key []byte, _ int) *fault {
		at, f := s.value()
		a.found[fieldOf(key)] = at
		return f
	})
	e := a.entry()
	*e = entry{key: key, keyAt: keyAt, at: span{int32(start), int32(s.pos)}}
	if cap(a.fields)-len(a.fields) < int(fieldCount) {
		a.fields = make([]fieldAt, 0, piece*8)
	}
	first := len(a.fields)
	for i := noField + 1; i < fieldCount; i++ {
		if r.has(a.found[i]) {
			a.fields = append(a.fields, fieldAt{i, a.found[i]})
		}
	}
	e.fields = a.fields[first:len(a.fields):len(a.fields)]
	return e, f
}
