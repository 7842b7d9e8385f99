package route_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

// The index may only leave out routes that fail anyway: for random
// configurations, what it finds is the first route whose own verdict is that
// it matches.
func TestTheIndexFindsWhatTryingEveryRouteFinds(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		text := randomConfig(rnd, 1+rnd.IntN(60))
		c := compile(t, text)
		for range 60 {
			r := randomRequest(rnd)
			d, verdicts := c.Explain(r)
			var want *route.Route
			for _, v := range verdicts {
				if v.Matched {
					want = v.Route
					break
				}
			}
			if d.Route != want {
				t.Fatalf("seed %d: %s %s %v goes to %v, not %v in\n%s", seed, r.Method, r.Path, r.Headers, name(d.Route), name(want), text)
			}
			if d2 := c.Decide(r); d2 != d {
				t.Fatalf("seed %d: Decide and Explain disagree: %+v, %+v", seed, d2, d)
			}
		}
	}
}

func TestTheFirstOfManyNestedPrefixesWins(t *testing.T) {
	const depth = 50
	var long, short strings.Builder
	for i := range depth {
		fmt.Fprintf(&long, "  - {match: {prefix: %s}, route: {cluster: c%d}}\n", strings.Repeat("/a", depth-i), depth-i)
		fmt.Fprintf(&short, "  - {match: {prefix: %s}, route: {cluster: c%d}}\n", strings.Repeat("/a", i+1), i+1)
	}
	head := "virtual_hosts:\n- name: shop\n  domains: ['*']\n  routes:\n"
	r := &route.Request{Path: strings.Repeat("/a", 40) + "/b"}
	if got := compile(t, head+long.String()).Decide(r).Cluster; got != "c40" {
		t.Errorf("with long prefixes first, the request goes to %s, not c40", got)
	}
	if got := compile(t, head+short.String()).Decide(r).Cluster; got != "c1" {
		t.Errorf("with short prefixes first, the request goes to %s, not c1", got)
	}
}

func name(r *route.Route) string {
	if r == nil {
		return "nowhere"
	}
	return r.Name
}

func pick(rnd *rand.Rand, all ...string) string { return all[rnd.IntN(len(all))] }

func randomPath(rnd *rand.Rand) string {
	var path strings.Builder
	for range 1 + rnd.IntN(3) {
		path.WriteString(pick(rnd, "/a", "/ab", "/b", "/A", "/abc", "/", "/a.b"))
	}
	return path.String()
}

func randomRequest(rnd *rand.Rand) *route.Request {
	r := &route.Request{
		Method: pick(rnd, "GET", "POST", "CONNECT", ""),
		Path:   randomPath(rnd) + pick(rnd, "", "", "?x=1", "#f", ";p=1"),
		Random: rnd.Uint64(),
	}
	if rnd.IntN(10) == 0 {
		r.Path = ""
	}
	if rnd.IntN(2) == 0 {
		r.Headers = append(r.Headers, route.Header{Name: "X-User", Value: pick(rnd, "1", "2")})
	}
	return r
}

func randomConfig(rnd *rand.Rand, routes int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "ignore_path_parameters_in_path_matching: %v\nvirtual_hosts:\n- name: shop\n  domains: ['*']\n  routes:\n", rnd.IntN(4) == 0)
	few := rnd.IntN(3) == 0 // many routes for each path
	for i := range routes {
		path, extra := randomPath(rnd), ""
		if few {
			path = pick(rnd, "/a", "/ab")
		}
		if rnd.IntN(3) == 0 {
			extra = ", case_sensitive: false"
		}
		match := ""
		switch rnd.IntN(9) {
		case 0, 1, 2:
			match = "path: " + path + extra
		case 3, 4:
			match = "prefix: " + path + extra
		case 5:
			match = "path_separated_prefix: " + strings.TrimRight(path, "/") + "/z" + extra
		case 6:
			match = fmt.Sprintf("safe_regex: {regex: %q}", pick(rnd, path, path+".*", path+"(/b)?", "(?i)"+path, ".*b", path+"|/b", "^"+path+"$", "("+path+")+", path+"?", "[/]a.*"))
		case 7:
			match = `path_match_policy: {name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` +
				pick(rnd, "/a/*", "/a/**", "/{x}/b", "/a{x}", "/ab", "/{x=a/*}/b") + `"}}`
		case 8:
			match = pick(rnd, "connect_matcher: {}", `prefix: ""`)
		}
		match += pick(rnd, "", "", ", headers: [{name: x-user, string_match: {exact: '"+pick(rnd, "1", "2")+"'}}]",
			", headers: [{name: x-user, exact_match: '1', invert_match: true}]",
			", headers: [{name: ':method', exact_match: POST}, {name: x-user, present_match: false}]",
			", headers: [{name: x-user, string_match: {exact: '1', ignore_case: true}, treat_missing_header_as_empty: true}]")
		if rnd.IntN(3) == 0 {
			match += ", runtime_fraction: {default_value: {numerator: 50}}"
		}
		fmt.Fprintf(&out, "  - {name: r%d, match: {%s}, route: {cluster: c%d}}\n", i, match, i)
	}
	return out.String()
}
