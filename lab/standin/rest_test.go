package standin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const shop = "testdata/shop.json"

// exchange is a request and what its answer must be.
type exchange struct {
	name, method, path, body string
	header                   map[string]string // "" takes a header away
	status                   int
	contains                 []string // in the compacted body, or "Name: value" in the header
	without                  []string
}

func (e *exchange) check(t *testing.T, p *running) {
	t.Helper()
	resp, text, err := p.try(e.method, e.path, e.body, e.header)
	if err != nil {
		t.Fatal(err)
	}
	text = compact(text)
	if resp.StatusCode != e.status {
		t.Fatalf("%s %s: %s, want %d\n%s", e.method, e.path, resp.Status, e.status, text)
	}
	all := text + "\n" + headerText(resp.Header)
	for _, want := range e.contains {
		if !strings.Contains(all, want) {
			t.Errorf("%s %s lacks %s\n%s", e.method, e.path, want, all)
		}
	}
	for _, not := range e.without {
		if strings.Contains(all, not) {
			t.Errorf("%s %s has %s\n%s", e.method, e.path, not, all)
		}
	}
	if text != "" && strings.HasSuffix(resp.Header.Get("Content-Type"), "json") && !json.Valid([]byte(text)) {
		t.Errorf("%s %s is no JSON: %s", e.method, e.path, text)
	}
}

func headerText(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b)
	return strings.ReplaceAll(b.String(), "\r", "")
}

func TestHTTP(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	stock := c.start("stock-room", nil)
	order := c.start("order", nil)
	stock.send("POST", "/inventories", `{"name":"TV","stock":100}`, 201)
	for i := range 3 {
		order.send("POST", "/orders", []string{
			`{"inventoryId":1,"qty":3,"tags":["a","b"],"address":{"street":"s","zip":"123"},"kind":"EXPRESS","orderedAt":"2026-11-23T10:00:00+09:00","total":10.50,"weight":1.5,"paid":true,"note":{"any":[1]}}`,
			`{"inventoryId":1,"qty":1,"status":"mine"}`, `{"inventoryId":1,"qty":2,"address":{"street":"s","zip":1}}`}[i], 201)
	}
	json, problem := "application/json", "Content-Type: application/problem+json"
	for _, e := range []exchange{
		{"the index links the collections as templates", "GET", "/", "", nil, 200,
			[]string{`"orders":{"href":"http://shop.example/orders{?page,size,sort}","templated":true}`, `"myOrders":{"href":`, `"profile":{"href":"http://shop.example/profile"}`, "Content-Type: application/hal+json"}, []string{"orders-by-status"}},
		{"the profiles are listed", "GET", "/profile", "", nil, 200, []string{`"orders":{"href":"http://shop.example/profile/orders"}`}, nil},
		{"a profile describes the fields", "GET", "/profile/orders", "", nil, 200, []string{`{"name":"qty","type":"SEMANTIC"}`, `"id":"create-orders"`, "Content-Type: application/alps+json"}, nil},
		{"an unknown profile is not there", "GET", "/profile/nothing", "", nil, 404, []string{problem}, nil},
		{"the index cannot be posted to", "POST", "/", "{}", nil, 405, []string{"Allow: GET,HEAD,OPTIONS"}, nil},

		{"a collection embeds its items", "GET", "/orders", "", nil, 200,
			[]string{`{"_embedded":{"orders":[{"id":1,`, `"self":{"href":"http://shop.example/orders/1"},"order":{"href":"http://shop.example/orders/1"}`, `"page":{"size":20,"totalElements":3,"totalPages":1,"number":0}`, `"profile":{"href":"http://shop.example/profile/orders"}`}, []string{`"next"`, `"first"`}},
		{"a page links the others", "GET", "/orders?size=1&page=1", "", nil, 200,
			[]string{`"first":{"href":"http://shop.example/orders?page=0&size=1"}`, `"prev":{"href":"http://shop.example/orders?page=0&size=1"}`, `"next":{"href":"http://shop.example/orders?page=2&size=1"}`, `"last":{"href":"http://shop.example/orders?page=2&size=1"}`, `[{"id":2,`, `"totalPages":3,"number":1`}, nil},
		{"a page beyond the end is empty", "GET", "/orders?page=7", "", nil, 200, []string{`"orders":[]`, `"number":7`}, nil},
		{"nonsense in the paging is ignored", "GET", "/orders?page=x&size=-4", "", nil, 200, []string{`"size":20`, `"number":0`}, nil},
		{"a page has at most 1000 items", "GET", "/orders?size=5000", "", nil, 200, []string{`"size":1000`}, nil},
		{"a collection can be sorted", "GET", "/orders?sort=qty,desc&size=1", "", nil, 200, []string{`[{"id":1,`, `sort=qty%2Cdesc`}, nil},
		{"a slash at the end does not matter", "GET", "/orders/", "", nil, 200, []string{`"_embedded"`}, nil},
		{"https before the gateway shows in links", "GET", "/orders/1", "", map[string]string{"X-Forwarded-Proto": "https"}, 200, []string{`"href":"https://shop.example/orders/1"`}, nil},

		{"an item has all fields in the model's order", "GET", "/orders/1", "", nil, 200,
			[]string{`{"id":1,"inventoryId":1,"qty":3,"status":"OrderPlaced","address":{"street":"s","zip":123},"tags":["a","b"],"kind":"EXPRESS","orderedAt":"2026-11-23T01:00:00.000+00:00","total":10.50,"weight":1.5,"paid":true,"note":{"any":[1]},"_links"`, `Etag: "0"`, "X-Meshstorm-Workload: order-stable", "X-Meshstorm-Version: v2"}, nil},
		{"a status of the request stays", "GET", "/orders/2", "", nil, 200, []string{`"status":"mine"`, `"address":null`}, nil},
		{"HEAD has the length and no body", "HEAD", "/orders/1", "", nil, 200, []string{"Content-Length: "}, []string{"_links"}},
		{"an item that is not there", "GET", "/orders/99", "", nil, 404, []string{problem, `"status":404`}, nil},
		{"an item that did not change", "GET", "/orders/1", "", map[string]string{"If-None-Match": `"0"`}, 304, nil, nil},
		{"plain JSON for who asks for it", "GET", "/orders/1", "", map[string]string{"Accept": "application/json"}, 200, []string{"Content-Type: application/json"}, nil},
		{"a browser gets HAL", "GET", "/orders/1", "", map[string]string{"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"}, 200, []string{"Content-Type: application/hal+json"}, nil},
		{"a type that there is not", "GET", "/orders/1", "", map[string]string{"Accept": "text/xml"}, 406, []string{problem}, nil},
		{"a type refused with q=0", "GET", "/orders/1", "", map[string]string{"Accept": "application/json;q=0"}, 406, nil, nil},

		{"an unknown path says what there is", "GET", "/order", "", nil, 404, []string{problem, "/orders"}, nil},
		{"a method that there is not", "DELETE", "/orders", "", nil, 405, []string{"Allow: GET,HEAD,POST,OPTIONS", problem}, nil},
		{"a read model is only read", "POST", "/myOrders", "{}", nil, 405, []string{"Allow: GET,HEAD,OPTIONS"}, nil},
		{"OPTIONS of an item", "OPTIONS", "/orders/1", "", nil, 200, []string{"Allow: GET,HEAD,PUT,PATCH,DELETE,OPTIONS", "Accept-Patch: application/merge-patch+json"}, nil},

		{"a body that is no JSON", "POST", "/orders", "{", nil, 400, []string{problem, "no JSON object"}, nil},
		{"a list is no order", "POST", "/orders", "[]", nil, 400, []string{problem}, nil},
		{"every field that does not fit is named", "POST", "/orders", `{"qty":"many","paid":3,"kind":"SLOW","tags":"x","address":{"zip":"z"},"orderedAt":"never","total":[]}`, nil, 400,
			[]string{problem, `{"field":"qty","message":`, `"field":"paid"`, `"field":"kind"`, "NORMAL, EXPRESS", `"field":"tags"`, `"field":"address.zip"`, `"field":"orderedAt"`, `"field":"total"`}, nil},
		{"an Integer has 32 bits", "POST", "/orders", `{"qty":3000000000}`, nil, 400, []string{`"field":"qty"`}, nil},
		{"a form is not supported", "POST", "/orders", "qty=1", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415, []string{problem}, nil},
		{"a body without a type is not supported", "POST", "/orders", "{}", map[string]string{"Content-Type": ""}, 415, nil, nil},
		{"a body that is too large", "POST", "/orders", `{"status":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413, nil, nil},

		{"PATCH changes what is sent", "PATCH", "/orders/3", `{"qty":"5","address":{"zip":2},"unknown":1}`, nil, 200, []string{`"qty":5,`, `"address":{"street":"s","zip":2}`, `Etag: "1"`}, []string{"unknown"}},
		{"PATCH with null clears", "PATCH", "/orders/3", `{"address":null}`, map[string]string{"Content-Type": "application/merge-patch+json"}, 200, []string{`"address":null`}, nil},
		{"PATCH of another type", "PATCH", "/orders/3", `[]`, map[string]string{"Content-Type": "application/json-patch+json"}, 415, nil, nil},
		{"PUT replaces", "PUT", "/orders/3", `{"qty":7}`, nil, 200, []string{`"inventoryId":null,"qty":7,"status":null`}, nil},
		{"PUT creates where there is nothing", "PUT", "/orders/50", `{"inventoryId":1,"qty":1}`, nil, 201, []string{"Location: http://shop.example/orders/50", `"id":50`}, nil},
		{"the next key comes after it", "POST", "/orders", `{"id":3,"inventoryId":1,"qty":1}`, nil, 201, []string{"Location: http://shop.example/orders/51", "Content-Type: application/hal+json"}, nil},
		{"PUT with a key of the wrong kind", "PUT", "/orders/abc", `{"qty":1}`, nil, 400, []string{`"field":"id"`}, nil},
		{"a change of an old version", "PATCH", "/orders/3", `{"qty":1}`, map[string]string{"If-Match": `"0"`}, 412, []string{problem}, nil},
		{"a change of the right version", "PATCH", "/orders/2", `{"qty":1}`, map[string]string{"If-Match": `"0"`}, 200, []string{`Etag: "1"`}, nil},
		{"PUT with a version where there is nothing", "PUT", "/orders/77", `{"qty":1}`, map[string]string{"If-Match": `"0"`}, 404, nil, nil},
		{"DELETE of an old version", "DELETE", "/orders/2", "", map[string]string{"If-Match": `"0"`}, 412, nil, nil},
		{"DELETE", "DELETE", "/orders/2", "", nil, 204, nil, nil},
		{"DELETE again", "DELETE", "/orders/2", "", nil, 404, nil, nil},

		{"a command acts on an item", "PUT", "/orders/1/cancel", `{"reason":"why"}`, map[string]string{"Accept": json}, 200, []string{`"status":"OrderCancelled"`, "Content-Type: application/json;charset=UTF-8"}, []string{"_links"}},
		{"a command without a body", "PUT", "/orders/3/cancel", "", nil, 200, []string{`"status":"OrderCancelled"`}, nil},
		{"a command on an item that is not there", "PUT", "/orders/99/cancel", `{}`, nil, 404, []string{problem}, nil},
		{"a command that is asked the wrong way", "POST", "/orders/1/cancel", `{}`, nil, 405, []string{"Allow: PUT,OPTIONS"}, nil},

		{"a query with a path of its own", "GET", "/orders-by-status/OrderCancelled", "", nil, 200, []string{`"totalElements":2`, `{"id":1,`, `{"id":3,`, `"self":{"href":"http://shop.example/orders/1"}`}, nil},
		{"a query's parameters are fields too", "GET", "/orders-by-status/OrderCancelled?qty=7", "", nil, 200, []string{`"totalElements":1`}, nil},
		{"a query of one gives one", "GET", "/last-order?sort=id,desc", "", nil, 200, []string{`{"id":51,`}, []string{"_embedded"}},
		{"a query of one finds none", "GET", "/last-order?id=404", "", nil, 404, nil, nil},
		{"a query that the lab does not execute says so", "GET", "/reports", "", nil, 501, []string{"several aggregates"}, nil},

		{"health", "GET", "/actuator/health", "", nil, 200, []string{`{"status":"UP","groups":["liveness","readiness"]}`}, nil},
		{"liveness", "GET", "/actuator/health/liveness", "", nil, 200, []string{`{"status":"UP"}`}, nil},
		{"readiness", "GET", "/actuator/health/readiness", "", nil, 200, []string{`{"status":"UP"}`}, nil},
		{"info", "GET", "/actuator/info", "", nil, 200, []string{`"name":"order"`, `"version":"v2"`, `"model":"shop"`}, nil},
		{"an endpoint that there is not", "GET", "/actuator/beans", "", nil, 404, nil, nil},
		{"health cannot be deleted", "DELETE", "/actuator/health", "", nil, 405, nil, nil},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, order) })
	}
}

func TestTextKeysAndUndrawnEvents(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	p := c.start("MemberCare", nil) // the label differs in case and separators
	for _, e := range []exchange{
		{"a text key may be the client's", "POST", "/members", `{"memberId":"kim/1 é","name":"Kim","level":1}`, nil, 201, []string{"Location: http://shop.example/members/kim%2F1%20%C3%A9", `"memberId":"kim/1 é"`}, nil},
		{"the link leads to it", "GET", "/members/kim%2F1%20%C3%A9", "", nil, 200, []string{`"name":"Kim"`}, nil},
		{"a key that is taken", "POST", "/members", `{"memberId":"kim/1 é"}`, nil, 409, []string{"application/problem+json"}, nil},
		{"else it is made", "POST", "/members", `{"name":"Lee"}`, nil, 201, []string{`"name":"Lee"`}, []string{`"memberId":null`, `"memberId":""`}},
		{"PUT creates under the key", "PUT", "/members/park", `{"name":"Park","grade":"GOLD"}`, nil, 201, []string{"Location: http://shop.example/members/park"}, nil},
		{"an external system without a URL is left out", "PUT", "/members/park/credit", `{"level":3}`, nil, 200, []string{`"level":3,"grade":"GOLD"`}, nil},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, p) })
	}
}

func TestKoreanPathsAreServedEncoded(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	p := c.start("baesong", nil)
	for _, e := range []exchange{
		{"the index", "GET", "/", "", nil, 200, []string{`"배송관리":{"href":"http://shop.example/%EB%B0%B0%EC%86%A1%EA%B4%80%EB%A6%AC{?page,size,sort}"`}, nil},
		{"a new item", "POST", "/%EB%B0%B0%EC%86%A1%EA%B4%80%EB%A6%AC", `{"orderId":1}`, nil, 201, []string{"Location: http://shop.example/%EB%B0%B0%EC%86%A1%EA%B4%80%EB%A6%AC/1"}, nil},
		{"a collection", "GET", "/%EB%B0%B0%EC%86%A1%EA%B4%80%EB%A6%AC", "", nil, 200, []string{`"배송관리":[{"id":1`}, nil},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, p) })
	}
}
