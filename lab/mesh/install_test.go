package mesh

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheDemoProfileIsRenderedTheSameEachTime(t *testing.T) {
	render := func() string {
		objects, err := Install()
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(objects)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := render()
	for range 5 {
		if render() != first {
			t.Fatal("it differs")
		}
	}
	for _, want := range []string{`enableAutoMtls: false`, `docker.io/istio/pilot:` + Tag, `"nodePort":30080`, `"name":"istio-egressgateway"`} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(first, "registry.istio.io/testing") || strings.Contains(first, ":latest") {
		t.Error("an image of the development branch is named")
	}
}
