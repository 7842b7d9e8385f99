package check_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
)

// condition is a match of a random rule; "" stands for no condition.
type condition struct {
	kind, path     string // exact, prefix, regex
	method, header string
	without        bool // header is one that must not be there with that value
	source         string
}

func (c condition) takes(r request) bool {
	switch c.kind {
	case "exact":
		if r.path != c.path {
			return false
		}
	case "prefix":
		if !strings.HasPrefix(r.path, c.path) {
			return false
		}
	case "regex":
		if !regexp.MustCompile("^(?:" + c.path + ")$").MatchString(r.path) {
			return false
		}
	}
	if c.header != "" && (r.header == c.header) == c.without {
		return false
	}
	return (c.method == "" || c.method == r.method) && (c.source == "" || c.source == r.source)
}

func (c condition) yaml() string {
	var parts []string
	if c.kind != "" {
		parts = append(parts, fmt.Sprintf("uri: {%s: %q}", c.kind, c.path))
	}
	if c.method != "" {
		parts = append(parts, fmt.Sprintf("method: {exact: %s}", c.method))
	}
	if c.header != "" {
		key := map[bool]string{false: "headers", true: "withoutHeaders"}[c.without]
		parts = append(parts, fmt.Sprintf("%s: {x-user: {exact: %q}}", key, c.header))
	}
	if c.source != "" {
		parts = append(parts, fmt.Sprintf("sourceLabels: {app: %s}", c.source))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

type request struct{ path, method, header, source string }

// requests has one of each kind that the random conditions tell apart.
func requests() []request {
	var all []request
	for _, path := range []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/abc", "/z", "/a/1", "/a/1/", "/first/a", "/first/a/", "/first/a/b", "/first/ab", "/first/"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, header := range []string{"", "1", "2"} {
				for _, source := range []string{"one", "two"} {
					all = append(all, request{path, method, header, source})
				}
			}
		}
	}
	return all
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomRules(r *rand.Rand) [][]condition {
	rules := make([][]condition, 2+r.IntN(3))
	for i := range rules {
		for range 1 + r.IntN(2) {
			c := condition{kind: pick(r, "exact", "prefix", "prefix", "regex", "")}
			switch c.kind {
			case "regex":
				c.path = pick(r, "/a/[0-9]+/?", "/(a|ab)", ".*", "/a.*")
			case "exact", "prefix":
				c.path = pick(r, "/", "/a", "/a/", "/a/b", "/ab")
			}
			c.method = pick(r, "", "", "", "GET", "POST")
			c.header = pick(r, "", "", "", "1", "2")
			c.without = r.IntN(2) == 0
			c.source = pick(r, "", "", "", "", "one")
			if c.yaml() == "{}" {
				c = condition{kind: "prefix", path: "/"}
			}
			rules[i] = append(rules[i], c)
		}
	}
	return rules
}

// dead are the rules that none of the requests reaches.
func dead(rules [][]condition) []string {
	var all []string
	won := map[int]bool{}
	for _, r := range requests() {
		if i := slices.IndexFunc(rules, func(rule []condition) bool {
			return slices.ContainsFunc(rule, func(c condition) bool { return c.takes(r) })
		}); i >= 0 {
			won[i] = true
		}
	}
	for i := range rules {
		if !won[i] {
			all = append(all, fmt.Sprintf("r%d", i))
		}
	}
	return all
}

var (
	never  = regexp.MustCompile(`^rule "(r\d)" never gets|: rule "(r\d)" never gets a request$`)
	behind = regexp.MustCompile(`stops reading there: (.*) never gets? a request`)
	quoted = regexp.MustCompile(`"(r\d)"`)
)

// said are the rules that the findings call dead.
func said(found []check.Finding) []string {
	var all []string
	for _, f := range found {
		if m := never.FindStringSubmatch(f.Message); m != nil && f.Severity == check.Warning {
			all = append(all, m[1]+m[2])
		} else if m := behind.FindStringSubmatch(f.Message); m != nil {
			for _, q := range quoted.FindAllStringSubmatch(m[1], -1) {
				all = append(all, q[1])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestRulesAreCalledDeadIfAndOnlyIfNoRequestReachesThem(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	for range 800 {
		rules := randomRules(random)
		var b strings.Builder
		b.WriteString("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: random}\nspec:\n  hosts: [random]\n  http:\n")
		for i, rule := range rules {
			fmt.Fprintf(&b, "  - name: r%d\n    match:\n", i)
			for _, c := range rule {
				fmt.Fprintf(&b, "    - %s\n", c.yaml())
			}
			fmt.Fprintf(&b, "    route: [{destination: {host: h%d}}]\n", i)
		}
		r := check.Run(t.Context(), input(t, "random.yml", b.String()), []check.Rule{check.Shadows()})
		want := dead(rules)
		if d := cmp.Diff(want, said(r.Findings)); d != "" {
			t.Fatalf("dead rules (-want +got):\n%s\n%s%s", d, b.String(), text(t, r))
		}
	}
}

// everything tells whether istiod takes the match for a catch-all.
func (c condition) everything() bool {
	return c.method == "" && c.header == "" && (c.kind == "prefix" && c.path == "/" || c.kind == "regex" && c.path == ".*" || c.kind == "")
}

// merged is where a gateway sends a request when the first list of rules is
// the older one; "" for a 404.
func merged(r request, lists ...[][]condition) string {
	last := ""
	for n, rules := range lists {
		for i, rule := range rules {
			for _, c := range rule {
				to := fmt.Sprintf("%p r%d", lists[n], i)
				if c.everything() {
					if last == "" {
						last = to
					}
					goto next
				}
				if c.takes(r) {
					return to
				}
			}
		}
	next:
	}
	return last
}

func TestTheOrderOfVirtualServicesMattersIfAndOnlyIfARequestShowsIt(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 4))
	matters := 0
	for range 800 {
		a, b := withoutSources(randomRules(random)), withoutSources(randomRules(random))
		if random.IntN(2) == 0 {
			a = below(a, "/first")
		}
		var text strings.Builder
		text.WriteString("apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  selector: {app: edge}\n  servers:\n  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}\n")
		for n, rules := range [][][]condition{a, b} {
			fmt.Fprintf(&text, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v%d}\nspec:\n  hosts: [random]\n  gateways: [edge]\n  http:\n", n)
			for i, rule := range rules {
				fmt.Fprintf(&text, "  - name: r%d\n    match:\n", i)
				for _, c := range rule {
					fmt.Fprintf(&text, "    - %s\n", c.yaml())
				}
				fmt.Fprintf(&text, "    route: [{destination: {host: h%d-%d}}]\n", n, i)
			}
		}
		want := slices.ContainsFunc(requests(), func(r request) bool { return merged(r, a, b) != merged(r, b, a) })
		if want {
			matters++
		}
		r := check.Run(t.Context(), input(t, "random.yml", text.String()), []check.Rule{check.Hosts()})
		got := slices.ContainsFunc(r.Findings, func(f check.Finding) bool { return f.Code == check.CodeUndefinedOrder })
		if got != want {
			t.Fatalf("the order matters: %v, said: %v\n%s\n%+v", want, got, text.String(), r.Findings)
		}
	}
	if matters < 100 || matters > 700 {
		t.Errorf("the order mattered in %d of 800 worlds, which tests little", matters)
	}
}

func withoutSources(rules [][]condition) [][]condition {
	for i := range rules {
		for j := range rules[i] {
			rules[i][j].source = ""
			if rules[i][j].yaml() == "{}" {
				rules[i][j] = condition{kind: "prefix", path: "/"}
			}
		}
	}
	return rules
}

// below moves the paths of rules under a prefix of their own.
func below(rules [][]condition, prefix string) [][]condition {
	for i := range rules {
		for j, c := range rules[i] {
			if c.kind == "exact" || c.kind == "prefix" && c.path != "/" {
				rules[i][j].path = prefix + c.path
			}
		}
	}
	return rules
}
