package simulate_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// stringMatch is Istio's StringMatch: one of exact, prefix, regex, or none of
// them for "is there".
type stringMatch struct{ kind, value string }

func (m stringMatch) yaml() string {
	if m.kind == "" {
		return "{}"
	}
	return fmt.Sprintf("{%s: %q}", m.kind, m.value)
}

// holds follows the reference of HTTPMatchRequest
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/#StringMatch):
// a regex has to match the whole value.
func (m stringMatch) holds(v string, fold bool) bool {
	switch m.kind {
	case "exact":
		return v == m.value || fold && strings.EqualFold(v, m.value)
	case "prefix":
		if fold {
			return strings.HasPrefix(strings.ToLower(v), strings.ToLower(m.value))
		}
		return strings.HasPrefix(v, m.value)
	case "regex":
		return regexp.MustCompile("^(?:" + m.value + ")$").MatchString(v)
	}
	return true
}

// condition is one entry of a rule's match list, as its author thinks of it.
type condition struct {
	uri, method, scheme, authority *stringMatch
	headers, without, query        map[string]stringMatch
	fold                           bool
	port                           int
}

func (c condition) yaml() string {
	var parts []string
	for name, m := range map[string]*stringMatch{"uri": c.uri, "method": c.method, "scheme": c.scheme, "authority": c.authority} {
		if m != nil {
			parts = append(parts, name+": "+m.yaml())
		}
	}
	for name, set := range map[string]map[string]stringMatch{"headers": c.headers, "withoutHeaders": c.without, "queryParams": c.query} {
		var fields []string
		for k, m := range set {
			fields = append(fields, k+": "+m.yaml())
		}
		slices.Sort(fields)
		if len(fields) > 0 {
			parts = append(parts, name+": {"+strings.Join(fields, ", ")+"}")
		}
	}
	if c.fold {
		parts = append(parts, "ignoreUriCase: true")
	}
	if c.port != 0 {
		parts = append(parts, fmt.Sprintf("port: %d", c.port))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

// holds is written from Istio's reference alone; it knows nothing of Envoy.
func (c condition) holds(method string, u *url.URL, headers map[string]string) bool {
	if c.uri != nil && !c.uri.holds(u.EscapedPath(), c.fold && c.uri.kind != "regex") ||
		c.method != nil && !c.method.holds(method, false) ||
		c.scheme != nil && !c.scheme.holds(u.Scheme, false) ||
		c.authority != nil && !c.authority.holds(u.Host, false) ||
		c.port != 0 && c.port != 80 {
		return false
	}
	for name, m := range c.headers {
		if v, ok := headers[name]; !ok || !m.holds(v, false) {
			return false
		}
	}
	for name, m := range c.without {
		v, ok := headers[name]
		if m.kind == "" && ok || m.kind != "" && m.holds(v, false) {
			return false
		}
	}
	for name, m := range c.query {
		v, ok := firstQuery(u.RawQuery, name)
		if !ok || !m.holds(v, false) {
			return false
		}
	}
	return true
}

// firstQuery is the first value of a parameter as it was sent: Envoy compares
// query parameters without decoding them.
func firstQuery(raw, name string) (string, bool) {
	for _, pair := range strings.Split(raw, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == name {
			return v, true
		}
	}
	return "", false
}

// catchAll tells whether istiod sends nothing of a VirtualService behind this
// entry: it takes every path and asks for nothing else.
func (c condition) catchAll() bool {
	path := c.uri == nil || *c.uri == stringMatch{"prefix", "/"} || *c.uri == stringMatch{"regex", ".*"}
	return path && c.method == nil && c.scheme == nil && c.authority == nil && len(c.headers)+len(c.without)+len(c.query) == 0 && c.port == 0
}

// world is a random VirtualService on a gateway. Rule i goes to subset vi.
type world struct {
	rules [][]condition
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func randomMatch(r *rand.Rand, values []string, regexes []string) stringMatch {
	switch r.IntN(3) {
	case 0:
		return stringMatch{"exact", pick(r, values...)}
	case 1:
		v := pick(r, values...)
		return stringMatch{"prefix", v[:1+r.IntN(len(v))]}
	}
	return stringMatch{"regex", pick(r, regexes...)}
}

var (
	paths   = []string{"/", "/a", "/a/", "/A/b", "/a/b", "/a/bc", "/api", "/apis", "/api/v2/x", "/주문", "/%EC%A3%BC%EB%AC%B8/1"}
	words   = []string{"a", "ab", "tester", "b", "x y"}
	queries = []string{"", "q=a", "q=ab", "q=", "p=1&q=b", "q=%61", "q=a&q=b"}
)

func randomCondition(r *rand.Rand) condition {
	c := condition{headers: map[string]stringMatch{}, without: map[string]stringMatch{}, query: map[string]stringMatch{}}
	if r.IntN(5) > 0 {
		m := randomMatch(r, paths[:9], []string{".*", "/a.*", "/(a|api)/.+", "/[^/]+", "/a|/api"})
		c.uri, c.fold = &m, r.IntN(5) == 0
	}
	if r.IntN(3) == 0 {
		m := randomMatch(r, []string{"GET", "POST", "PATCH"}, []string{"P.*", "GET|POST"})
		c.method = &m
	}
	if r.IntN(3) == 0 {
		c.headers["x-user"] = randomMatch(r, words, []string{".*", "[ab]+", "test.*"})
	}
	if r.IntN(6) == 0 {
		c.headers["x-flag"] = stringMatch{}
	}
	if r.IntN(5) == 0 {
		c.without["x-user"] = pick(r, stringMatch{}, randomMatch(r, words, []string{"a.*"}))
	}
	if r.IntN(4) == 0 {
		c.query["q"] = randomMatch(r, []string{"a", "ab", "b"}, []string{"a.*", "[a-z]*"})
	}
	if r.IntN(10) == 0 {
		c.scheme = &stringMatch{"exact", pick(r, "http", "https")}
	}
	if r.IntN(10) == 0 {
		c.authority = &stringMatch{"prefix", pick(r, "shop.", "x")}
	}
	if r.IntN(12) == 0 {
		c.port = pick(r, 80, 8080)
	}
	return c
}

func randomWorld(r *rand.Rand) world {
	var w world
	for range 1 + r.IntN(6) {
		var rule []condition
		for range 1 + r.IntN(3) {
			rule = append(rule, randomCondition(r))
		}
		w.rules = append(w.rules, rule)
	}
	return w
}

func (w world) yaml() string {
	var b strings.Builder
	b.WriteString(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {app: s}
  ports: [{name: http, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs}
spec:
  hosts: [shop.example]
  gateways: [gw]
  http:
`)
	for i, rule := range w.rules {
		b.WriteString("  - match:\n")
		for _, c := range rule {
			b.WriteString("    - " + c.yaml() + "\n")
		}
		fmt.Fprintf(&b, "    route: [{destination: {host: s, subset: v%d}}]\n", i)
	}
	return b.String()
}

// want is the rule that takes a request, -1 for none.
func (w world) want(method string, u *url.URL, headers map[string]string) int {
	for i, rule := range w.rules {
		for _, c := range rule {
			if c.holds(method, u, headers) {
				return i
			}
			if c.catchAll() {
				return -1 // unreachable: it holds for every request
			}
		}
	}
	return -1
}

func meshOf(t testing.TB, text string) *simulate.Mesh {
	t.Helper()
	docs, err := manifest.Parse("mesh.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := istio.New(t.Context(), docs, istio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	for _, p := range m.Problems() {
		t.Fatalf("%s in\n%s", p.Message, text)
	}
	return simulate.New(m)
}

// TestTheMeshDoesWhatIstioDocuments holds istiod's translation and the
// evaluation of its routes together against a reading of Istio's reference that
// shares no code with either.
func TestTheMeshDoesWhatIstioDocuments(t *testing.T) {
	worlds := 150
	if testing.Short() {
		worlds = 20
	}
	taken, asked := 0, 0
	for seed := range worlds {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		w := randomWorld(r)
		m := meshOf(t, w.yaml())
		for range 60 {
			method := pick(r, "GET", "POST", "PATCH", "DELETE")
			target := "http://shop.example" + pick(r, paths...)
			if q := pick(r, queries...); q != "" {
				target += "?" + q
			}
			headers := map[string]string{}
			question := answer.Request{Method: method, URL: target}
			for name, chance := range map[string]int{"x-user": 2, "x-flag": 4} {
				if r.IntN(chance) == 0 {
					headers[name] = pick(r, words...)
					question.Headers = append(question.Headers, route.Header{Name: name, Value: headers[name]})
				}
			}
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			got := -1
			a, err := m.Ask(t.Context(), question)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Destinations) > 0 {
				fmt.Sscanf(a.Destinations[0].Subset, "v%d", &got)
			}
			asked++
			if got >= 0 {
				taken++
			}
			if want := w.want(method, u, headers); got != want {
				t.Fatalf("seed %d: %s %s %v is taken by rule %d, want %d\n%s\n%+v", seed, method, target, headers, got, want, w.yaml(), a.Rules)
			}
		}
	}
	if taken < asked/5 || taken > asked*9/10 {
		t.Errorf("rules took %d of %d requests: the worlds ask too little", taken, asked)
	}
	t.Logf("rules took %d of %d requests", taken, asked)
}
