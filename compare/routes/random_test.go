package routes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/compare/routes"
	"github.com/meshstorm/meshstorm/route"
)

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

var somePaths = []string{"/", "/a", "/a/", "/ab", "/a/b", "/b", "/A"}

func randomMatch(r *rand.Rand) string {
	p := pick(r, somePaths...)
	var parts []string
	switch r.IntN(12) {
	case 0, 1, 2:
		parts = append(parts, fmt.Sprintf(`"path": %q`, p))
	case 3, 4, 5:
		parts = append(parts, fmt.Sprintf(`"prefix": %q`, p))
	case 6:
		parts = append(parts, fmt.Sprintf(`"path_separated_prefix": %q`, pick(r, "/a", "/a/b", "/B")))
	case 7:
		parts = append(parts, fmt.Sprintf(`"prefix": %q, "case_sensitive": false`, p))
	case 8, 9:
		parts = append(parts, fmt.Sprintf(`"safe_regex": {"regex": %q}`, pick(r, "/a.*", "/[ab]+", "/.*b", "(?i)/a(/.*)?", ".*")))
	case 10:
		parts = append(parts, `"path_match_policy": {"name": "t", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", "path_template": "/a/{x}"}}`)
	case 11:
		parts = append(parts, `"prefix": "/"`)
	}
	if r.IntN(2) == 0 {
		parts = append(parts, `"headers": [`+randomHeader(r)+`]`)
	} else if r.IntN(4) == 0 {
		parts = append(parts, `"headers": [`+randomHeader(r)+`, `+randomHeader(r)+`]`)
	}
	if r.IntN(4) == 0 {
		parts = append(parts, `"query_parameters": [`+pick(r,
			`{"name": "q", "present_match": true}`, `{"name": "q", "string_match": {"exact": "a"}}`,
			`{"name": "q", "string_match": {"prefix": "A", "ignore_case": true}}`, `{"name": "q", "present_match": false}`, `{"name": "q"}`)+`]`)
	}
	if r.IntN(12) == 0 {
		parts = append(parts, pick(r, `"grpc": {}`, `"runtime_fraction": {"default_value": {"numerator": 30}}`,
			`"runtime_fraction": {"default_value": {"numerator": 60}}`, `"tls_context": {"presented": true}`,
			`"cookies": [{"name": "c", "string_match": {"exact": "a"}}]`, `"cookies": [{"name": "c", "string_match": {"exact": "a"}, "invert_match": true}]`,
			`"dynamic_metadata": [{"filter": "f", "path": [{"key": "k"}], "value": {"present_match": true}}]`))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func randomHeader(r *rand.Rand) string {
	name := pick(r, "h", "h", "h", ":method", ":method", ":authority", "x-forwarded-proto", ":scheme", ":path")
	value := pick(r, "a", "ab", "b")
	switch name {
	case ":method":
		value = pick(r, "GET", "POST")
	case ":authority":
		value = pick(r, "a.x", "b.x")
	case "x-forwarded-proto", ":scheme":
		value = pick(r, "http", "https")
	case ":path":
		value = pick(r, "/a", "/a?q=a")
	}
	how := ""
	switch r.IntN(10) {
	case 0, 1, 2:
		how = fmt.Sprintf(`"string_match": {"exact": %q}`, value)
	case 3:
		how = fmt.Sprintf(`"string_match": {"prefix": %q, "ignore_case": true}`, value)
	case 4:
		how = fmt.Sprintf(`"string_match": {"suffix": %q}`, value)
	case 5:
		how = fmt.Sprintf(`"string_match": {"contains": %q}`, value)
	case 6:
		how = fmt.Sprintf(`"safe_regex_match": {"regex": %q}`, pick(r, value, value+".*", ".*", "[a-z]*"))
	case 7:
		how = fmt.Sprintf(`"present_match": %v`, r.IntN(2) == 0)
	case 8:
		how = fmt.Sprintf(`"range_match": {"start": %d, "end": %d}`, r.IntN(3), 2+r.IntN(9))
	case 9:
		how = fmt.Sprintf(`"exact_match": %q`, value)
	}
	out := fmt.Sprintf(`{"name": %q, %s`, name, how)
	if r.IntN(4) == 0 {
		out += `, "invert_match": true`
	}
	if r.IntN(4) == 0 {
		out += `, "treat_missing_header_as_empty": true`
	}
	return out + "}"
}

func randomRoute(r *rand.Rand) string {
	to := fmt.Sprintf(`"route": {"cluster": "c%d"}`, r.IntN(3))
	switch r.IntN(8) {
	case 0:
		to = `"redirect": {"path_redirect": "/new"}`
	case 1:
		to = `"direct_response": {"status": 418}`
	}
	return fmt.Sprintf(`{"match": %s, %s}`, randomMatch(r), to)
}

func randomConfig(r *rand.Rand, t *testing.T) *routev3.RouteConfiguration {
	t.Helper()
	domains := [][]string{{`"a.x"`, `"b.x"`}, {`"*.x"`}, {`"a.*"`}, {`"*"`}, {`"*.a.x"`}, {`"a.x:8080"`}, {`"b.*"`, `"c"`}}
	r.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
	var hosts []string
	for i := range 1 + r.IntN(4) {
		var rs []string
		for range r.IntN(5) {
			rs = append(rs, randomRoute(r))
		}
		tls := ""
		if r.IntN(8) == 0 {
			tls = fmt.Sprintf(`, "require_tls": %q`, pick(r, "ALL", "EXTERNAL_ONLY"))
		}
		hosts = append(hosts, fmt.Sprintf(`{"name": "v%d", "domains": [%s], "routes": [%s]%s}`, i, strings.Join(domains[i], ","), strings.Join(rs, ","), tls))
	}
	text := `{"name": "random", "virtual_hosts": [` + strings.Join(hosts, ",") + `]`
	if r.IntN(3) > 0 {
		text += `, "ignore_port_in_host_matching": true`
	}
	rc := &routev3.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(text+"}"), rc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return rc
}

// edited changes a few routes, as people do.
func edited(r *rand.Rand, t *testing.T, rc *routev3.RouteConfiguration) *routev3.RouteConfiguration {
	t.Helper()
	out := proto.Clone(rc).(*routev3.RouteConfiguration)
	for range 1 + r.IntN(2) {
		h := out.VirtualHosts[r.IntN(len(out.VirtualHosts))]
		fresh := &routev3.Route{}
		if err := protojson.Unmarshal([]byte(randomRoute(r)), fresh); err != nil {
			t.Fatal(err)
		}
		n := len(h.Routes)
		switch at := r.IntN(n + 1); {
		case r.IntN(3) == 0:
			h.Routes = slices.Insert(h.Routes, at, fresh)
		case at == n:
		case r.IntN(3) == 0:
			h.Routes = slices.Delete(h.Routes, at, at+1)
		case r.IntN(2) == 0:
			h.Routes[at].Name = "renamed"
		default:
			h.Routes[at].Match = fresh.Match
		}
	}
	return out
}

func randomRequest(r *rand.Rand) route.Request {
	q := route.Request{
		Method: pick(r, "GET", "POST", "PUT"), Scheme: pick(r, "http", "https"),
		Authority: pick(r, "a.x", "b.x", "c", "a.a.x", "a.y", "z.x", "a.x:8080", "b.y:80", "c:1", "z.x:80", "q"),
		Path:      pick(r, somePaths...) + pick(r, "", "", "b", "/c", "a"), Random: uint64(r.IntN(100)),
	}
	if q.Scheme == "https" {
		q.TLS = &route.TLS{Presented: r.IntN(2) == 0}
	}
	q.Path += pick(r, "", "", "", "?q=a", "?q=", "?p=1", "?q=ab&q=c")
	if r.IntN(2) == 0 {
		q.Headers = append(q.Headers, route.Header{Name: "h", Value: pick(r, "", "a", "ab", "b", "3", "c", "Ab")})
	}
	if r.IntN(8) == 0 {
		q.Headers = append(q.Headers, route.Header{Name: "x-forwarded-proto", Value: pick(r, "http", "https")})
	}
	if r.IntN(8) == 0 {
		q.Headers = append(q.Headers, route.Header{Name: "content-type", Value: pick(r, "application/grpc", "application/json")})
	}
	if r.IntN(8) == 0 {
		q.Headers = append(q.Headers, route.Header{Name: "cookie", Value: pick(r, "c=a", "c=b", "d=a")})
	}
	return q
}

// outcome is what the tests tell treatments apart by.
func outcome(c *route.Config, q *route.Request) string {
	d := c.Decide(q)
	switch {
	case d.Unsupported != "":
		return "unknown"
	case d.TLSRedirect:
		return "tls"
	case d.Route == nil:
		return "404"
	}
	e := c.Effect(d, q)
	switch {
	case e.Redirect != nil:
		return "redirect"
	case e.Direct != nil:
		return "direct"
	}
	return d.Cluster
}

func TestRandomConfigurations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	same, differing, unproved := 0, 0, 0
	for n := range 700 {
		a := randomConfig(r, t)
		b := edited(r, t, a)
		if n%5 == 0 {
			b = randomConfig(r, t)
		}
		before, err := route.Compile(a)
		if err != nil {
			t.Fatal(err)
		}
		after, err := route.Compile(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := routes.Compare(t.Context(), routes.Side{Config: before}, routes.Side{Config: after}, routes.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("configuration %d: %s\n%v\n%v", n, fmt.Sprintf(format, args...), a, b)
		}
		for _, d := range got.Disagreements {
			fail("%s", d)
		}
		for _, d := range got.Differences {
			if x, y := outcome(before, &d.Request), outcome(after, &d.Request); x == y {
				fail("%+v is said to differ (%v), but both sides say %s", d.Request, d.Changes, x)
			}
		}
		if got.Same() {
			same++
		}
		differing += len(got.Differences)
		unproved += len(got.Unproved)
		known := func(q *route.Request) bool {
			x, y := before.Decide(q), after.Decide(q)
			return slices.ContainsFunc(got.Differences, func(d routes.Difference) bool { return d.Before.Route == x.Route && d.After.Route == y.Route }) ||
				slices.ContainsFunc(got.Unproved, func(u routes.Unproved) bool {
					return u.Before.Host == nil && u.Before.Route == nil && u.After.Route == nil || u.Before.Route == x.Route && u.After.Route == y.Route
				})
		}
		for range 300 {
			q := randomRequest(r)
			x, y := outcome(before, &q), outcome(after, &q)
			if x != y && x != "unknown" && y != "unknown" && !known(&q) {
				fail("%+v is %s and then %s, which is not reported; unchanged: %v\n%+v", q, x, y, got.Same(), got.Unproved)
			}
		}
	}
	t.Logf("%d unchanged, %d differences, %d not proved", same, differing, unproved)
	if same == 0 || differing == 0 {
		t.Error("the configurations are not diverse enough")
	}
}
