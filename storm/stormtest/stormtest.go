// Package stormtest is test support: models for the tests and benchmarks of
// every package that works on models. It takes the size that is wanted. It
// gives MSA-Ez version 3 JSON of a realistic shape, always the same for the
// same size.
package stormtest

import (
	"fmt"
	"math"
)

// Mall is a model with this many bounded contexts, named svc-0001, svc-0002
// and so on, laid out on a grid. Each holds the aggregate ItemNNNN (attributes
// id, name, quantity), the commands CreateItemNNNN (POST) and UpdateItemNNNN
// (PATCH), the events ItemNNNNCreated and ItemNNNNUpdated and the policy
// FollowNNNN; every second one, from the first on, holds the read model
// ItemNNNNList too. The event ItemNNNNCreated of each context is consumed by
// the policy of the next one, and the policy of every tenth context asks the
// read model of the next one synchronously, with fallback and circuit breaker.
// Below two contexts there are no relations between contexts.
//
// Ten contexts take about 190 kB, of which most are the copies of stickers in
// relations, as in files of the tool.
func Mall(contexts int) []byte {
	m := &mall{columns: max(1, int(math.Ceil(math.Sqrt(float64(contexts)))))}
	m.add(`{"elements":{`)
	for i := range contexts {
		m.context(i)
	}
	m.add(`},"relations":{`)
	for i := range contexts {
		m.relations(i, contexts)
	}
	m.add(`},"basePlatform":null,"basePlatformConf":{},"toppingPlatforms":["isVanillaK8s","istio"],"toppingPlatformsConf":{},` +
		`"scm":{"tag":"v1","org":"meshstorm","repo":"mall","forkedOrg":null,"forkedRepo":null,"forkedTag":null},` +
		`"version":3,"k8sValue":{"elements":{},"relations":{}},"type":"es","projectName":"mall"}`)
	return m.out
}

// The size of a context on the canvas, and the distance between two.
const (
	contextWidth  = 560
	contextHeight = 600
	gap           = 80
)

type mall struct {
	out     []byte
	columns int
}

func (m *mall) add(text string) { m.out = append(m.out, text...) }

// member writes one entry of a map of stickers or relations.
func (m *mall) member(id, body string) {
	if len(m.out) > 0 && m.out[len(m.out)-1] != '{' {
		m.add(",")
	}
	m.add(`"` + id + `":` + body)
}

// The kinds of stickers, as the fourth group of their ids.
const (
	contextID = iota + 1
	aggregateID
	createID
	updateID
	createdID
	updatedID
	policyID
	viewID
)

// id looks like the tool's own: a UUID that is the same in every run.
func id(context, what int) string {
	return fmt.Sprintf("%08x-5c0d-4e1a-%04x-6d6573687374", context+1, what)
}

func hasView(context int) bool { return context%2 == 0 }

// asksView tells whether a context's policy asks the next context's view.
func asksView(context int) bool { return context%10 == 9 }

func (m *mall) context(i int) {
	name := fmt.Sprintf("svc-%04d", i+1)
	views := ""
	if hasView(i) {
		views = fmt.Sprintf(`{"id":%q}`, id(i, viewID))
	}
	x, y := m.centre(i)
	m.member(id(i, contextID), fmt.Sprintf(`{"_type":"org.uengine.modeling.model.BoundedContext","id":%q,"name":%q,"oldName":"","displayName":"","description":null,"author":null,`+
		`"aggregates":[{"id":%q}],"policies":[{"id":%q}],"members":[],"views":[%s],"gitURL":null,%s,"portGenerated":%d,"tempId":"","templatePerElements":{},`+
		`"preferredPlatform":"spring-boot","preferredPlatformConf":{},"rotateStatus":false,"selected":false}`,
		id(i, contextID), name, id(i, aggregateID), id(i, policyID), views, drawings("BoundedContext", id(i, contextID), x, y, contextWidth, contextHeight), 8082+i))
	for _, what := range []int{aggregateID, createID, updateID, createdID, updatedID, policyID} {
		m.member(id(i, what), m.sticker(i, what))
	}
	if hasView(i) {
		m.member(id(i, viewID), m.sticker(i, viewID))
	}
}

func (m *mall) centre(i int) (x, y int) {
	return 400 + i%m.columns*(contextWidth+gap), 400 + i/m.columns*(contextHeight+gap)
}

// drawings are the two drawings of a sticker.
func drawings(kind, id string, x, y, width, height int) string {
	return fmt.Sprintf(`"elementView":{"_type":"org.uengine.modeling.model.%[1]s","id":%[2]q,"x":%[3]d,"y":%[4]d,"width":%[5]d,"height":%[6]d,"style":"{}","angle":0},`+
		`"hexagonalView":{"_type":"org.uengine.modeling.model.%[1]sHexagonal","id":%[2]q,"x":%[3]d,"y":%[4]d,"subWidth":100,"width":20,"height":20,"style":"{}"}`,
		kind, id, x, y, width, height)
}

const attributes = `"fieldDescriptors":[` +
	`{"_type":"org.uengine.model.FieldDescriptor","name":"id","className":"Long","nameCamelCase":"id","namePascalCase":"Id","isKey":true,"isVO":false,"isLob":false},` +
	`{"_type":"org.uengine.model.FieldDescriptor","name":"name","className":"String","nameCamelCase":"name","namePascalCase":"Name","isKey":false,"isVO":false,"isLob":false},` +
	`{"_type":"org.uengine.model.FieldDescriptor","name":"quantity","className":"Integer","nameCamelCase":"quantity","namePascalCase":"Quantity","isKey":false,"isVO":false,"isLob":false}]`

// sticker is the JSON of one sticker of a context.
func (m *mall) sticker(i, what int) string {
	x, y := m.centre(i)
	item := fmt.Sprintf("Item%04d", i+1)
	place := func(kind, name string, dx, dy, width, height int, rest string) string {
		return fmt.Sprintf(`{"_type":"org.uengine.modeling.model.%s","id":%q,"name":%q,"oldName":"","displayName":"","namePlural":"","namePascalCase":"","nameCamelCase":"","description":null,"author":null,`+
			`"boundedContext":{"id":%q},%s,%s,"visibility":"public","rotateStatus":false,"selected":false}`,
			kind, id(i, what), name, id(i, contextID), drawings(kind, id(i, what), x+dx, y+dy, width, height), rest)
	}
	owner := fmt.Sprintf(`"aggregate":{"id":%q},"mirrorElement":null,`, id(i, aggregateID))
	command := func(name, method string, dy int) string {
		return place("Command", name, -110, dy, 100, 100, owner+fmt.Sprintf(`"isRestRepository":true,"controllerInfo":{"apiPath":"","method":"PUT","fullApiPath":""},"restRepositoryInfo":{"method":%q},`+
			`"relationEventInfo":[],"relationCommandInfo":[],"trigger":"@PostPersist","fieldDescriptors":[]`, method))
	}
	event := func(name string, dy int) string {
		return place("Event", name, 110, dy, 100, 100, owner+`"alertURL":"/static/image/symbol/alert-icon.png","checkAlert":true,"relationPolicyInfo":[],"relationCommandInfo":[],"trigger":"@PostPersist",`+attributes)
	}
	switch what {
	case aggregateID:
		return place("Aggregate", item, 0, 0, 130, 400, `"aggregateRoot":{"_type":"org.uengine.modeling.model.AggregateRoot",`+attributes+
			`,"entities":{"elements":{},"relations":{}},"operations":[]},"mirrorElement":null,"events":[],"commands":[]`)
	case createID:
		return command("Create"+item, "POST", -120)
	case updateID:
		return command("Update"+item, "PATCH", 0)
	case createdID:
		return event(item+"Created", -120)
	case updatedID:
		return event(item+"Updated", 0)
	case policyID:
		return place("Policy", fmt.Sprintf("Follow%04d", i+1), -220, 200, 100, 100, `"isSaga":false,"relationEventInfo":[],"fieldDescriptors":[]`)
	}
	return place("View", item+"List", 220, 200, 100, 100, `"queryParameters":[],"queryOption":{"apiPath":"","useDefaultUri":true,"multipleResult":true},`+
		`"controllerInfo":{"url":""},"dataProjection":"cqrs","createRules":[],"updateRules":[],"deleteRules":[],`+attributes)
}

// relations writes the arrows that begin in a context.
func (m *mall) relations(i, contexts int) {
	m.relation(i, 1, i, createID, i, createdID, "", "")
	m.relation(i, 2, i, updateID, i, updatedID, "", "")
	next := (i + 1) % contexts
	if next == i {
		return
	}
	m.relation(i, 3, i, createdID, next, policyID, "Pub/Sub", "")
	if asksView(i) && hasView(next) {
		m.relation(i, 4, i, policyID, next, viewID, "Req/Res", `"fallback":true,"circuitBreaker":true,`)
	}
}

func (m *mall) relation(i, number, from, fromWhat, to, toWhat int, name, rest string) {
	own := fmt.Sprintf("%08x-5c0d-4e1a-a%03x-6d6573687374", i+1, number)
	ends := fmt.Sprintf(`"from":%q,"to":%q`, id(from, fromWhat), id(to, toWhat))
	m.member(own, fmt.Sprintf(`{"_type":"org.uengine.modeling.model.Relation","id":%[1]q,"name":%[2]q,"displayName":"","sourceElement":%[3]s,"targetElement":%[4]s,%[5]s,%[6]s`+
		`"relationView":{"id":%[1]q,"style":"{\"arrow-start\":\"none\",\"arrow-end\":\"none\"}","value":"[[542,274],[848,140]]",%[5]s,"needReconnect":true},`+
		`"hexagonalView":{"_type":"org.uengine.modeling.model.RelationHexagonal",%[5]s,"id":%[1]q,"needReconnect":true,"style":"{\"arrow-start\":\"none\",\"arrow-end\":\"none\"}","value":null},`+
		`"sourceMultiplicity":1,"targetMultiplicity":1}`,
		own, name, m.sticker(from, fromWhat), m.sticker(to, toWhat), ends, rest))
}
