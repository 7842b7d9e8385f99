package main

import "testing"

func TestEmbeddedSchemasAreThoseOfTheModules(t *testing.T) {
	files, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if err := compare("../data", files); err != nil {
		t.Error(err)
	}
}
