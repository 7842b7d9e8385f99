package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// object is the YAML of one object of the mesh.
func object(s *browser.Studio, name string) string {
	for doc := range strings.SplitSeq(s.Read(mesh), "\n---\n") {
		if strings.Contains(doc, "\n  name: "+name+"\n") {
			return doc
		}
	}
	return ""
}

func TestEveryMatchConditionIsSetInTheBuilderAndFoundInTheYAML(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Click("button", "Add rule at the top")
	p.Wait("group", "Path")
	add := func(item, kind string, fields ...string) {
		t.Helper()
		p.Click("button", "Add condition")
		p.Click("menuitem", item)
		for i := 0; i < len(fields); i += 2 {
			p.Wait(kind, fields[i])
			p.Fill(kind, fields[i], fields[i+1])
		}
		p.Settle()
	}
	p.Fill("textbox", "Path: value", "/orders/new")
	add("Method method", "combobox", "Method: value", "GET")
	add("Host name authority", "textbox", "Host name: value", "shop.example")
	add("Scheme scheme", "combobox", "Scheme: value", "http")
	add("Header headers", "textbox", "Header: name", "x-canary", "Header: value", "true")
	add("Without header withoutHeaders", "textbox", "Without header: name", "x-old", "Without header: value", "1")
	add("Query parameter queryParams", "textbox", "Query parameter: name", "beta", "Query parameter: value", "yes")
	add("Port port", "textbox", "Port: value", "8080")
	add("Caller’s label sourceLabels", "combobox", "Caller’s label: value", "delivery")
	p.Fill("textbox", "Caller’s label: name", "app")
	add("Caller’s namespace sourceNamespace", "textbox", "Caller’s namespace: value", "default")
	add("Gateways gateways", "combobox", "Gateways: value", "main-gw")
	add("Ignore case of the path ignoreUriCase", "checkbox")
	add("Name name", "textbox", "Name: value", "first")
	add("Prefix of statistics statPrefix", "textbox", "Prefix of statistics: value", "orders")
	p.Settle()
	p.Shot("conditions")
	p.Axe("Deploy with the match builder")
	browser.Eventually(t, "vsvc-order has every condition", func() bool { return len(lacking(object(s, "vsvc-order"))) == 0 })
	p.Shot("saved")
	s.Meshstorm("check", "shop") // fails on errors, such as a field that the API server refuses
}

// lacking are the conditions of the test that are not in a VirtualService.
func lacking(virtualService string) []string {
	var none []string
	for _, want := range []string{
		"prefix: /orders/new", "method:\n        exact: GET", "authority:\n        exact: shop.example", "scheme:\n        exact: http",
		"x-canary:\n          exact: \"true\"", "x-old:\n          exact: \"1\"", "beta:\n          exact: \"yes\"", "port: 8080", "sourceLabels:\n        app: delivery",
		"sourceNamespace: default", "gateways:\n      - main-gw", "ignoreUriCase: true", "name: first", "statPrefix: orders",
	} {
		if !strings.Contains(virtualService, want) {
			none = append(none, want)
		}
	}
	return none
}

func TestRulesMoveByKeyboardAndPoliciesAreEdited(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Wait("button", "Add rule at the top")
	browser.Eval[bool](p, `(document.querySelector('.rule-head').focus(), true)`)
	p.Press("Alt+Down")
	browser.Eventually(t, "the first rule is the second", func() bool {
		got := object(s, "vsvc-order")
		return strings.Index(got, "name: primary") < strings.Index(got, "name: writes")
	})
	browser.Eventually(t, "the rule that never acts is struck through, with its witness", func() bool {
		return browser.Eval[bool](p, `document.querySelector('.rule.dead')?.textContent.includes('For example') ?? false`)
	})
	p.Shot("dead")
	p.Goto("/w/shop/deploy?node=DestinationRule/default/destrule-order")
	p.Wait("button", "Add subset")
	p.Click("button", "Add subset")
	browser.Eventually(t, "a third subset", func() bool { return strings.Contains(object(s, "destrule-order"), "version: v3") })
	p.Settle()
	p.Shot("subsets")
	p.Axe("Deploy with a DestinationRule")
	p.Goto("/w/shop/deploy?node=Gateway/default/main-gw")
	p.Click("button", "Add server")
	browser.Eventually(t, "a server for HTTPS", func() bool { return strings.Contains(object(s, "main-gw"), "credentialName: tls") })
	p.Settle()
	p.Shot("gateway")
	p.Axe("Deploy with a Gateway")
}
