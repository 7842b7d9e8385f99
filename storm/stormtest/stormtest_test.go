package stormtest_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

func TestMallIsAModelWithoutWarnings(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 11, 25} {
		t.Run(fmt.Sprintf("%d contexts", n), func(t *testing.T) {
			data := stormtest.Mall(n)
			if !bytes.Equal(data, stormtest.Mall(n)) {
				t.Error("two runs differ")
			}
			d, err := msaez.Parse(data, "mall")
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range d.Model.Warnings {
				t.Error(w)
			}
			if len(d.Model.Contexts) != n {
				t.Fatalf("%d contexts", len(d.Model.Contexts))
			}
			for i, c := range d.Model.Contexts {
				if want := fmt.Sprintf("svc-%04d", i+1); c.Name != want {
					t.Errorf("context %d is %q, want %q", i, c.Name, want)
				}
				if len(c.Aggregates) != 1 || len(c.Aggregates[0].Commands) != 2 || len(c.Aggregates[0].Events) != 2 || len(c.Policies) != 1 {
					t.Errorf("%s holds %d aggregates and %d policies, or its aggregate not two commands and events", c.Name, len(c.Aggregates), len(c.Policies))
				}
			}
			kinds := map[storm.RelationKind]int{}
			for _, r := range d.Model.Relations {
				kinds[r.Kind]++
			}
			pubsub := n
			if n < 2 {
				pubsub = 0
			}
			if kinds[storm.Trigger] != 2*n || kinds[storm.PubSub] != pubsub || kinds[storm.ReqRes] != n/10 {
				t.Errorf("relations are %v", kinds)
			}
		})
	}
}
