package route_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/route"
)

// parse reads a route configuration from YAML.
func parse(t testing.TB, text string) *routev3.RouteConfiguration {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	rc := &routev3.RouteConfiguration{}
	if err := protojson.Unmarshal(data, rc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return rc
}

func compile(t testing.TB, text string) *route.Config {
	t.Helper()
	c, err := route.Compile(parse(t, text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c
}

// request reads "METHOD TARGET | name: value | ...". Pseudo headers set the
// request's fields, and so do "!random: N", "!internal" and "!tls" with
// "presented" and "validated" behind it.
func request(t testing.TB, text string) *route.Request {
	t.Helper()
	parts := strings.Split(text, " | ")
	r := &route.Request{Authority: "shop.example"}
	r.Method, r.Path, _ = strings.Cut(parts[0], " ")
	for _, part := range parts[1:] {
		i := strings.Index(part[1:], ":") + 1
		if i == 0 {
			i = len(part)
		}
		name, value := part[:i], strings.TrimPrefix(strings.TrimPrefix(part[i:], ":"), " ")
		switch name {
		case ":authority":
			r.Authority = value
		case ":scheme":
			r.Scheme = value
		case "!random":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			r.Random = n
		case "!internal":
			r.Internal = true
		case "!tls":
			r.TLS = &route.TLS{Presented: strings.Contains(value, "presented"), Validated: strings.Contains(value, "validated")}
		default:
			r.Headers = append(r.Headers, route.Header{Name: name, Value: value})
		}
	}
	return r
}

// matchCase is one RouteMatch with requests it takes and requests it leaves,
// these with the reason.
type matchCase struct {
	name   string
	doc    string // the field or page of Envoy's documentation that says so
	match  string
	takes  []string
	leaves map[string]string
	config string // fields of the route configuration
}

func runMatchCases(t *testing.T, cases []matchCase) {
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.doc == "" {
				t.Error("the case does not say where Envoy documents it")
			}
			c := compile(t, fmt.Sprintf("{%s virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: %s, route: {cluster: here}}]}]}", tc.config, tc.match))
			for _, text := range tc.takes {
				d, verdicts := c.Explain(request(t, text))
				if d.Cluster != "here" || !verdicts[0].Matched {
					t.Errorf("%s is not taken: %s%s", text, verdicts[0].Failed, verdicts[0].Unsupported)
				}
			}
			for text, why := range tc.leaves {
				d, verdicts := c.Explain(request(t, text))
				if d.Route != nil || verdicts[0].Matched {
					t.Errorf("%s is taken", text)
				}
				if verdicts[0].Failed != why {
					t.Errorf("%s fails because\n%s\nnot because\n%s", text, verdicts[0].Failed, why)
				}
			}
		})
	}
}
