package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

const own = "shop/kubernetes/own.yaml"

func TestObjectsAreAddedConnectedAndDeletedOnTheDeployScreen(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Wait("group", "Deployment order")
	p.Shot("routing")
	if p.Has("group", "ServiceAccount order") {
		t.Error("the first view shows configuration")
	}
	p.Click("button", "ConfigMap")
	p.Fill("textbox", "Name", "settings")
	p.Fill("textbox", "Key", "GREETING")
	p.Fill("textbox", "Value", "hello")
	p.Shot("add")
	p.Click("button", "Add")
	p.Wait("group", "ConfigMap settings")
	if got := s.Read(own); !strings.Contains(got, "GREETING: hello") {
		t.Errorf("%s:\n%s", own, got)
	}
	p.Click("combobox", "Connect to…")
	p.Type("Deployment order")
	p.Click("option", "Deployment order")
	p.Click("button", "As environment variables")
	browser.Eventually(t, "the Deployment has the variables", func() bool {
		return strings.Contains(s.Read("shop/kubernetes/template/template.yml"), "configMapRef:")
	})
	p.Settle()
	p.Shot("connected")
	p.Axe("Deploy with configuration")
	p.Click("button", "Duplicate")
	p.Wait("group", "ConfigMap settings-2")
	p.Click("group", "ConfigMap settings")
	p.Press("Delete")
	p.Sees("These refer to it")
	p.Shot("delete")
	p.Press("Enter")
	p.Gone("group", "ConfigMap settings")
	if got := s.Read(own); strings.Contains(got, "name: settings\n") || !strings.Contains(got, "name: settings-2") {
		t.Errorf("%s:\n%s", own, got)
	}
	p.Press("Ctrl+Z")
	p.Wait("group", "ConfigMap settings")
}
