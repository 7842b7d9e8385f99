package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestThePageIsUpToDate(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "routes.md"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := fill(string(page), route.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if next != string(page) {
		t.Error("docs/routes.md is stale; run go generate ./route")
	}
}

func TestAPageWithoutPlacesForTheTablesIsRefused(t *testing.T) {
	for _, page := range []string{"", "<!-- counts -->\n", "<!-- counts -->\n<!-- end -->\n"} {
		if _, err := fill(page, route.Fields()); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %v", page, err)
		}
	}
}

func TestNamesOfRoutesLoseTheirPackage(t *testing.T) {
	for name, want := range map[string]string{
		"envoy.config.route.v3.RouteAction.timeout": "RouteAction.timeout",
		"google.protobuf.Any":                       "google.protobuf.Any",
	} {
		if got := short(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
}
