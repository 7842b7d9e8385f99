package router_test

import (
	"strings"
	"testing"
)

// Header changes of fixed text take a shorter way than others: a value with an
// operator, which changes nothing else, sends the same changes the long way.
func TestHeaderChangesDoTheSameEitherWay(t *testing.T) {
	t.Parallel()
	option := func(name, value, action string) string {
		return `{"header":{"key":"` + name + `","value":"` + value + `"},"appendAction":"` + action + `"}`
	}
	const (
		over, only, add, absent = "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS", "APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT"
	)
	changes := strings.Join([]string{
		option("x-set", "1", over), option("x-was", "2", only), option("x-never", "3", only), option("x-more", "4", add),
		option("x-gone", "5", absent), option("x-was", "6", absent), option("x-set", "7", add), option("x-empty", "", over),
	}, ",")
	for _, most := range []string{"false", "true"} {
		for way, extra := range map[string]string{"short": "", "long": "," + option("x-operator", "%PROTOCOL%", over)} {
			one{
				name: way + " " + most,
				setup: setup{
					handlers: handlers(echo()),
					config:   `"mostSpecificHeaderMutationsWins":` + most + `,"requestHeadersToAdd":[` + option("x-level", "config", over) + `]`,
					routes: `{"match":{"prefix":"/"},"route":{"weightedClusters":{"clusters":[{"name":"a","weight":1,"requestHeadersToAdd":[` + option("x-w", "w", add) + `]}]}},
						"requestHeadersToRemove":["x-gone"],"requestHeadersToAdd":[` + option("x-level", "route", over) + `,` + changes + extra + `],
						"responseHeadersToRemove":["saw-method"],"responseHeadersToAdd":[` + option("x-back", "b", add) + extra + `]}`,
				},
				headers: []string{"X-Was", "0", "X-More", "0", "X-Gone", "0"},
				status:  200,
				want: []string{
					"Saw-X-Set", "1|7", "Saw-X-Was", "2", "Saw-X-Never", "", "Saw-X-More", "0|4", "Saw-X-Gone", "5", "Saw-X-Empty", "", "Saw-X-W", "w",
					"Saw-X-Level", map[string]string{"false": "config", "true": "route"}[most], "Saw-Method", "", "X-Back", "b",
				},
			}.run(t)
		}
	}
}
