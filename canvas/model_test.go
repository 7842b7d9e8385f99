package canvas_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// element is one thing on the canvas of a test: its type, and its object as
// JSON. The id is the type and the object's name, unless given.
type element struct {
	id, typ, object string
	more            string // further fields of the element, ending with a comma
}

// on makes an element.
func on(typ, object string) element { return element{typ: typ, object: object} }

// modelWith is a model of three contexts, order (/orders), "Book Management"
// (/books) and catalog (/items and /tags), with a canvas. A policy of catalog
// calls order, so that order has routes inside the mesh. Arrows are "from to".
func modelWith(t testing.TB, elements []element, arrows ...string) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"version":3,"projectName":"shop","scm":{"org":"acme","repo":"shop","tag":"v1"},"elements":{`)
	x := 0
	for i, c := range []struct {
		name       string
		aggregates []string
	}{{"order", []string{"Order"}}, {"Book Management", []string{"Book"}}, {"catalog", []string{"Item", "Tag"}}} {
		if i > 0 {
			b.WriteString(",")
		}
		left := x
		var inside []string
		for j, a := range c.aggregates {
			fmt.Fprintf(&b, `"agg-%s":{"_type":"org.uengine.modeling.model.Aggregate","id":"agg-%s","name":"%s","boundedContext":{"id":"bc-%d"},"elementView":{"id":"agg-%s","x":%d,"y":300,"width":100,"height":200}},`,
				a, a, a, i, a, left+100+j*150)
			inside = append(inside, fmt.Sprintf(`{"id":"agg-%s"}`, a))
		}
		if c.name == "catalog" {
			fmt.Fprintf(&b, `"pol":{"_type":"org.uengine.modeling.model.Policy","id":"pol","name":"reserve","boundedContext":{"id":"bc-%d"},"elementView":{"id":"pol","x":%d,"y":450,"width":50,"height":50}},`, i, left+60)
		}
		fmt.Fprintf(&b, `"bc-%d":{"_type":"org.uengine.modeling.model.BoundedContext","id":"bc-%d","name":"%s","aggregates":[%s],"elementView":{"id":"bc-%d","x":%d,"y":300,"width":400,"height":500}}`,
			i, i, c.name, strings.Join(inside, ","), i, left+200)
		x += 600
	}
	b.WriteString(`},"relations":{"call":{"_type":"org.uengine.modeling.model.Relation","id":"call","name":"Req/Res","from":"pol","to":"agg-Order"}},"k8sValue":{"elements":{`)
	for i, e := range elements {
		id := e.id
		if id == "" {
			id = fmt.Sprintf("e%d", i+1)
		}
		if i > 0 {
			b.WriteString(",")
		}
		object := ""
		if e.object != "" {
			object = `,"object":` + e.object
		}
		fmt.Fprintf(&b, `"%s":{%s"_type":"%s","id":"%s","elementView":{"id":"%s","x":%d,"y":7,"width":100,"height":90}%s}`, id, e.more, e.typ, id, id, 100+i, object)
	}
	b.WriteString(`},"relations":{`)
	for i, a := range arrows {
		from, to, _ := strings.Cut(a, " ")
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `"r%d":{"_type":"org.uengine.modeling.model.Relation","id":"r%d","from":"%s","to":"%s"}`, i, i, from, to)
	}
	b.WriteString(`}}}`)
	if !json.Valid([]byte(b.String())) {
		t.Fatalf("the test's model is no JSON: %s", b.String())
	}
	return []byte(b.String())
}

// The objects that the original draws by itself.
func defaultDeployment(name string) string {
	return strings.ReplaceAll(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"NAME","labels":{"app":"NAME"},"annotations":{"msaez.io/x":"395","msaez.io/y":"560"}},
"spec":{"selector":{"matchLabels":{"app":"NAME"}},"replicas":1,"template":{"metadata":{"labels":{"app":"NAME"}},"spec":{"containers":[{"name":"NAME","image":"ghcr.io/undefined","ports":[{"containerPort":8080}],
"readinessProbe":{"httpGet":{"path":"/actuator/health","port":8080},"initialDelaySeconds":10,"timeoutSeconds":2,"periodSeconds":5,"failureThreshold":10},
"livenessProbe":{"httpGet":{"path":"/actuator/health","port":8080},"initialDelaySeconds":120,"timeoutSeconds":2,"periodSeconds":5,"failureThreshold":5}}]}}}}`, "NAME", name)
}

func defaultService(name string) string {
	return strings.ReplaceAll(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"NAME","labels":{"app":"NAME"}},"spec":{"ports":[{"port":8080,"targetPort":8080}],"selector":{"app":"NAME"}}}`, "NAME", name)
}

// changed replaces parts of an object's JSON: pairs of old and new.
func changed(object string, oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(object)
}

func istioObject(kind, name, spec string) string {
	return fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1alpha3","kind":"%s","metadata":{"name":"%s"},"spec":%s}`, kind, name, spec)
}

// routesTo is a VirtualService of the gateway with these http rules.
func routesTo(name, rules string) element {
	return on("VirtualService", istioObject("VirtualService", name, `{"hosts":["*"],"gateways":["main-gw"],"http":[`+rules+`]}`))
}
