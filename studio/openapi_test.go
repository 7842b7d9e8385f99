package studio_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/studio"
)

func TestDescriptionIsUpToDate(t *testing.T) {
	got, err := studio.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json differs; `make generate` writes it anew (-file +now):\n%s", diff)
	}
}
