package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm"
)

// shop is the intent behind the worlds below: order takes requests and events,
// mailer only reads events, pay is called by order.
func shop(change ...func(*deploy.Model)) *deploy.Model {
	source := func(name string) deploy.Source {
		return deploy.Source{Kind: storm.KindBoundedContext, ID: name, Name: name}
	}
	tracks := []deploy.Track{{Name: "stable", Weight: 100}, {Name: "canary"}}
	orders := []deploy.Resource{{Path: "/orders", Methods: []string{"GET", "POST"}, Source: source("order")},
		{Path: "/orders/{id}", Methods: []string{"GET", "PUT"}, Source: source("order")}}
	m := &deploy.Model{Workspace: "shop", Settings: deploy.DefaultSettings("shop"), Services: []*deploy.Service{
		{Name: "order", Source: source("order"), Resources: orders, Events: true, Publishes: []string{"OrderPlaced"}, Consumes: []string{"Paid"}, Tracks: tracks},
		{Name: "mailer", Source: source("mailer"), Events: true, Consumes: []string{"OrderPlaced"}, Tracks: tracks},
		{Name: "pay", Source: source("pay"), Tracks: tracks, Called: true},
	}, Calls: []*deploy.Call{{From: "order", To: "pay"}, {From: "order", To: "mailer", Async: true}}}
	for _, c := range change {
		c(m)
	}
	return m
}

func httpRoute(host, rules string) string {
	return fmt.Sprintf("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: %[1]s}\nspec:\n  hosts: [%[1]s]\n  http:\n%[2]s---\n", host, rules)
}

func halves(host string) string {
	return fmt.Sprintf("  - route:\n    - {destination: {host: %[1]s, subset: stable}, weight: 50}\n    - {destination: {host: %[1]s, subset: canary}, weight: 50}\n    retries: {attempts: 0}\n", host)
}

func pods(name, app, track, more string) string {
	return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec:\n  selector: {matchLabels: {app: %s, track: %s}}\n  template:\n    metadata: {labels: {app: %[2]s, track: %[3]s%s}}\n    spec: {containers: [{name: a, image: 'example.com/a:1'}]}\n---\n", name, app, track, more)
}

func TestRulesThatKnowTheModel(t *testing.T) {
	to := "    route: [{destination: {host: order}}]\n"
	tests := []struct {
		name, files string
		model       *deploy.Model
		want        []string // CODE severity: a part of the message
	}{
		{"a share of requests beside events is worth knowing", httpRoute("order", halves("order")), shop(), []string{"MS0608 info: order also reads Paid from Kafka"}},
		{"a canary with a variable of its own may leave the events alone", httpRoute("order", halves("order")), shop(func(m *deploy.Model) {
			m.Services[0].CanaryEnv = []deploy.EnvVar{{Name: "MESHSTORM_EVENTS", Value: "paused"}}
		}), []string{"MS0608 info: order also reads Paid from Kafka: its canary gets the messages of the partitions that it is assigned, whatever its share of the requests, unless the application heeds MESHSTORM_EVENTS, which canary.env sets for it"}},
		{"no share, no word", httpRoute("order", "  - route: [{destination: {host: order, subset: stable}}]\n    retries: {attempts: 0}\n"), shop(), nil},
		{"a canary that only reads events", pods("mailer-canary", "mailer", "canary", ""), shop(), []string{"MS0608 warning: mailer serves no requests, it reads OrderPlaced from Kafka"}},
		{"weights in the settings for what only reads events", "", shop(func(m *deploy.Model) {
			m.Services[1].Tracks = []deploy.Track{{Name: "stable", Weight: 90}, {Name: "canary", Weight: 10}}
		}), []string{"MS0608 warning: mailer serves no requests"}},
		{"weights in a rule for what only reads events", httpRoute("mailer", halves("mailer")), shop(), []string{"MS0608 warning: mailer serves no requests"}},

		{"a caller without a sidecar", httpRoute("pay", halves("pay")) + pods("order", "order", "stable", ", sidecar.istio.io/inject: 'false'"), shop(),
			[]string{"MS0610 warning: order calls pay, but its pods have no sidecar (label sidecar.istio.io/inject: false)"}},
		{"a caller in a namespace without injection", "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio-injection: disabled}}\n---\n" + httpRoute("pay", halves("pay")) + pods("order", "order", "stable", ""), shop(),
			[]string{"MS0610 warning: order calls pay, but its pods have no sidecar (namespace default is labelled istio-injection: disabled)"}},
		{"a caller with a sidecar", httpRoute("pay", halves("pay")) + pods("order", "order", "stable", ""), shop(), nil},
		{"a caller without a sidecar and nothing to divide", httpRoute("pay", "  - route: [{destination: {host: pay}}]\n    retries: {attempts: 0}\n") + pods("order", "order", "stable", ", sidecar.istio.io/inject: 'false'"), shop(), nil},

		{"the model knows which path takes a POST", httpRoute("order", "  - name: all\n    retries: {attempts: 2, retryOn: 5xx}\n"+to), shop(),
			[]string{`MS0704 warning: rule "all" repeats POST /orders (BoundedContext/order) up to 2 times`}},
		{"the default for a POST that the model knows", httpRoute("order", "  - name: all\n"+to), shop(), []string{`MS0705 info: rule "all" takes POST /orders (BoundedContext/order)`}},
		{"a rule before it takes the POST", httpRoute("order", "  - name: writes\n    match: [{method: {exact: POST}}]\n    retries: {attempts: 0}\n"+to+"  - name: all\n    retries: {attempts: 2, retryOn: 5xx}\n"+to), shop(), nil},
		{"a rule before it takes some of the POSTs", httpRoute("order", "  - name: testers\n    match: [{headers: {x-user: {exact: tester}}}]\n    retries: {attempts: 0}\n"+to+"  - name: all\n    retries: {attempts: 2, retryOn: 5xx}\n"+to), shop(),
			[]string{`MS0704 warning: rule "all" repeats POST /orders`}},
		{"a rule for other paths", httpRoute("order", "  - name: other\n    match: [{uri: {prefix: /orders/}}]\n    retries: {attempts: 2, retryOn: 5xx}\n"+to), shop(), nil},
		{"retries that only come before the request arrived", httpRoute("order", "  - name: all\n    retries: {attempts: 2, retryOn: 'connect-failure,refused-stream'}\n"+to), shop(), nil},
		{"the mesh config switches the default off", httpRoute("order", "  - name: all\n"+to) + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    defaultHttpRetryPolicy: {attempts: 0}\n", shop(), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, "a.yml", tt.files)
			in.Intent = tt.model
			var got []string
			for _, f := range check.Run(t.Context(), in, []check.Rule{check.EventWeights(), check.Bypass(), check.Retries()}).Findings {
				got = append(got, fmt.Sprintf("%s %s: %s", f.Code, f.Severity, f.Message))
				if f.Fix == "" || f.File == "" {
					t.Errorf("incomplete finding %+v", f)
				}
			}
			for i := range min(len(got), len(tt.want)) {
				if strings.HasPrefix(got[i], tt.want[i]) {
					got[i] = tt.want[i]
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
