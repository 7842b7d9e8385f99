package routetest

import (
	"reflect"
	"strings"
)

// Document is a document of the own format, for its JSON Schema: the reader
// works on YAML nodes, so that messages have places.
type Document struct {
	// From is who sends the requests below: gateway (default), gateway:NAME[.NAMESPACE], or the SERVICE[.NAMESPACE] whose sidecar sends them.
	From string `json:"from,omitempty"`
	// Host is scheme, host and port of the requests that give only a path: http://shop.example.
	Host string `json:"host,omitempty"`
	// Headers are request headers of all tests below; a test's own replace those of the same name.
	Headers map[string]any `json:"headers,omitempty"`
	// Tests are the tests, one mapping each.
	Tests []Spec `json:"tests,omitempty"`
	// Table is tests as rows: | request | to | ... |; columns are keys of a test, or names of request headers.
	Table string `json:"table,omitempty"`
}

// Spec is one test of the own format.
type Spec struct {
	// Name is what reports call the test. Default: the request.
	Name string `json:"name,omitempty"`
	// Request is METHOD PATH or METHOD URL: GET /orders/1.
	Request string `json:"request"`
	// From is who sends the request, as at the top of the file.
	From string `json:"from,omitempty"`
	// Host is scheme, host and port, as at the top of the file.
	Host string `json:"host,omitempty"`
	// Headers are request headers: NAME: VALUE; a null removes one that the top of the file sets.
	Headers map[string]any `json:"headers,omitempty"`
	// Random is the random number that weights and fractions draw. Default: the whole split is compared.
	Random uint64 `json:"random,omitempty"`
	// To is where it goes: HOST[.NAMESPACE][@SUBSET][:PORT], several with their percentages ("order@stable 90, order@canary 10"), a status ("404", "503 UH"), "redirect 301 URL" or "respond 418".
	To any `json:"to,omitempty"`
	// VirtualService is the name, or NAMESPACE/NAME, of the VirtualService or HTTPRoute that takes it.
	VirtualService string `json:"virtualService,omitempty"`
	// Rule is the name of the rule that takes it; http[0] is a first rule without a name.
	Rule string `json:"rule,omitempty"`
	// Rewrite is the path, with its query, that is sent upstream.
	Rewrite string `json:"rewrite,omitempty"`
	// Authority is the host that is sent upstream.
	Authority string `json:"authority,omitempty"`
	// Timeout is a duration such as 5s, or none.
	Timeout any `json:"timeout,omitempty"`
	// Retries is how often the proxy tries again, or a mapping with attempts, on and perTryTimeout.
	Retries any `json:"retries,omitempty"`
	// Mirror is where copies go: HOST[@SUBSET][:PORT] [PERCENT], several with commas, or none.
	Mirror string `json:"mirror,omitempty"`
	// Fault is what is injected: "delay 5s 10", "abort 503", both with a comma, or none.
	Fault string `json:"fault,omitempty"`
	// Sends are headers that the upstream gets: NAME: VALUE; null where it must not be there.
	Sends map[string]any `json:"sends,omitempty"`
	// Returns are headers that the proxy adds to a response: NAME: VALUE; null where it must not be there.
	Returns map[string]any `json:"returns,omitempty"`
}

// keysOf are the JSON names of a struct's fields.
func keysOf(v any) []string {
	t := reflect.TypeOf(v)
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return keys
}
