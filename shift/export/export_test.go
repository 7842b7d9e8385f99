package export_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/shift/export"
)

var update = flag.Bool("update", false, "write the golden files anew")

type engine func(export.Plan) ([]*unstructured.Unstructured, []string, error)

var engines = map[string]engine{"argo": export.Argo, "flagger": export.Flagger}

// order is the plan for the example's service.
func order() export.Plan {
	return export.Plan{
		Service: "order", Namespace: "shop", Port: 8080, Replicas: 4,
		VirtualServices: []export.VirtualServiceRef{{Name: "vsvc-order", Routes: []string{"writes", "primary"}}},
		DestinationRule: "destrule-order", StableSubset: "stable", CanarySubset: "canary",
		Gateways: []string{"main-gw"}, Hosts: []string{"*"}, Paths: []string{"/orders", "/myPages"},
		Steps: []int{5, 20, 50, 100}, Every: 2 * time.Minute,
		MaxErrorRate: 0.01, MaxP95: 800 * time.Millisecond, Prometheus: "http://prometheus.istio-system:9090",
	}
}

// everything adds what only some plans have.
func everything() export.Plan {
	p := order()
	p.VirtualServices = append(p.VirtualServices, export.VirtualServiceRef{Name: "vsvc-order-mesh", Routes: []string{"writes", "primary"}})
	p.TestersHeader, p.TestersValue = "x-canary", "true"
	p.StickyCookie, p.MirrorPercent = "order-side", 10
	return p
}

func changed(p export.Plan, change func(*export.Plan)) export.Plan {
	change(&p)
	return p
}

func TestPlansBecomeTheEnginesObjects(t *testing.T) {
	for name, plan := range map[string]export.Plan{
		"steps":      order(),
		"everything": everything(),
		"blue-green": changed(everything(), func(p *export.Plan) { p.BlueGreen, p.StickyCookie, p.MirrorPercent = true, "", 0 }),
		"by-hand": changed(order(), func(p *export.Plan) {
			p.Every, p.Prometheus, p.Replicas, p.Paths, p.MirrorPercent = 0, "", 0, nil, 10
		}),
	} {
		for to, write := range engines {
			t.Run(name+" for "+to, func(t *testing.T) {
				golden(t, to+"-"+name+".yaml", plan, write)
			})
		}
	}
}

func golden(t *testing.T, file string, plan export.Plan, write engine) {
	t.Helper()
	objects, notes, err := write(plan)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, note := range notes {
		fmt.Fprintf(&text, "# %s\n", note)
	}
	for _, o := range objects {
		if !reflect.DeepEqual(o, o.DeepCopy()) { // it panics on numbers that JSON has not
			t.Error("a copy differs")
		}
		data, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(data))
	}
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// field walks to a field; numbers in the path are indexes.
func field(t *testing.T, o *unstructured.Unstructured, path ...any) any {
	t.Helper()
	var node any = o.Object
	for _, step := range path {
		switch key := step.(type) {
		case string:
			m, _ := node.(map[string]any)
			node = m[key]
		case int:
			items, _ := node.([]any)
			if key >= len(items) {
				t.Fatalf("%v: only %d entries", path, len(items))
			}
			node = items[key]
		}
	}
	return node
}

func last(t *testing.T, write engine, p export.Plan) (*unstructured.Unstructured, string) {
	t.Helper()
	objects, notes, err := write(p)
	if err != nil {
		t.Fatal(err)
	}
	return objects[len(objects)-1], strings.Join(notes, "\n")
}

func TestTheAnalysisOfArgoBeginsWithTheFirstWeight(t *testing.T) {
	for name, plan := range map[string]export.Plan{
		"steps": order(), "testers and mirror": everything(),
		"blue-green": changed(order(), func(p *export.Plan) { p.BlueGreen = true }),
	} {
		t.Run(name, func(t *testing.T) {
			rollout, _ := last(t, export.Argo, plan)
			at, _ := field(t, rollout, "spec", "strategy", "canary", "analysis", "startingStep").(int64)
			if field(t, rollout, "spec", "strategy", "canary", "steps", int(at), "setWeight") == nil {
				t.Errorf("step %d sets no weight", at)
			}
			for i := range int(at) {
				if field(t, rollout, "spec", "strategy", "canary", "steps", i, "setWeight") != nil {
					t.Errorf("step %d sets a weight before", i)
				}
			}
		})
	}
}

func TestEveryRouteThatArgoMakesIsAManagedOne(t *testing.T) {
	rollout, _ := last(t, export.Argo, everything())
	managed := map[any]bool{}
	routes, _ := field(t, rollout, "spec", "strategy", "canary", "trafficRouting", "managedRoutes").([]any)
	for _, r := range routes {
		managed[r.(map[string]any)["name"]] = true
	}
	steps, _ := field(t, rollout, "spec", "strategy", "canary", "steps").([]any)
	made := 0
	for _, step := range steps {
		for _, kind := range []string{"setHeaderRoute", "setMirrorRoute"} {
			if route, ok := step.(map[string]any)[kind].(map[string]any); ok {
				made++
				if !managed[route["name"]] {
					t.Errorf("%s %v is not among the managed routes %v", kind, route["name"], managed)
				}
			}
		}
	}
	if made != 3 || len(managed) != 2 {
		t.Errorf("%d steps make or drop %d routes, want the header, and the mirror made and dropped", made, len(managed))
	}
}

func TestAMirrorTakesReadsOfTheServicesPathsOnly(t *testing.T) {
	rollout, _ := last(t, export.Argo, changed(order(), func(p *export.Plan) { p.MirrorPercent, p.Paths = 10, []string{"/a.b/"} }))
	match := []any{"spec", "strategy", "canary", "steps", 1, "setMirrorRoute", "match", 0}
	path, _ := field(t, rollout, append(match, "path", "regex")...).(string)
	for given, want := range map[string]bool{"/a.b": true, "/a.b/1": true, "/axb": false, "/a.bc": false} {
		if regexp.MustCompile("^(?:"+path+")$").MatchString(given) != want {
			t.Errorf("%s matches %s: want %v", given, path, want)
		}
	}
	if method := field(t, rollout, append(match, "method", "regex")...); method != "GET|HEAD" {
		t.Errorf("methods %v", method)
	}
	rollout, notes := last(t, export.Argo, changed(order(), func(p *export.Plan) { p.MirrorPercent, p.Paths = 10, nil }))
	if routes := field(t, rollout, "spec", "strategy", "canary", "trafficRouting", "managedRoutes"); routes != nil || !strings.Contains(notes, "mirror: left out") {
		t.Errorf("without paths there is a mirror (%v), or no note says that there is none:\n%s", routes, notes)
	}
}

func TestBoundsThatNothingMeasuresWaitForAPerson(t *testing.T) {
	objects, notes, err := export.Argo(changed(order(), func(p *export.Plan) { p.Prometheus = "" }))
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 {
		t.Errorf("%d objects, want the Rollout alone", len(objects))
	}
	steps, _ := field(t, objects[0], "spec", "strategy", "canary", "steps").([]any)
	for _, step := range steps {
		if pause, ok := step.(map[string]any)["pause"].(map[string]any); ok && len(pause) > 0 {
			t.Errorf("a pause ends by itself: %v", pause)
		}
	}
	if !strings.Contains(strings.Join(notes, "\n"), "nothing is judged") {
		t.Error("no note says so")
	}
}

func TestMissingMetricsAreNeitherGoodNorBadForArgo(t *testing.T) {
	objects, _, err := export.Argo(order())
	if err != nil {
		t.Fatal(err)
	}
	metrics, _ := field(t, objects[0], "spec", "metrics").([]any)
	if len(metrics) != 2 {
		t.Fatalf("%d metrics, want success rate and p95", len(metrics))
	}
	query, _ := field(t, objects[0], "spec", "metrics", 0, "provider", "prometheus", "query").(string)
	if !strings.Contains(query, `response_code=~"5.*"`) || !strings.Contains(query, "* 0") {
		t.Errorf("a version that fails every request, or none, has no value:\n%s", query)
	}
	for _, m := range metrics {
		for _, condition := range []string{"successCondition", "failureCondition"} {
			text, _ := m.(map[string]any)[condition].(string)
			if !strings.HasPrefix(text, "len(result) > 0 && !isNaN(result[0]) && ") {
				t.Errorf("%s: %s", condition, text)
			}
		}
	}
}

func TestNotesSayWhatAnEngineCannotDo(t *testing.T) {
	sticky := changed(order(), func(p *export.Plan) { p.StickyCookie = "side" })
	testers := changed(order(), func(p *export.Plan) { p.TestersHeader, p.TestersValue = "x-canary", "true" })
	for name, c := range map[string]struct {
		write engine
		plan  export.Plan
		says  string
	}{
		"Argo needs subsets without track":          {export.Argo, order(), "Take `track` out of both subsets"},
		"Argo has no cookies":                       {export.Argo, sticky, "the cookie side is left out"},
		"Argo's header route has no paths":          {export.Argo, testers, "without paths"},
		"Argo's default is one pod":                 {export.Argo, changed(order(), func(p *export.Plan) { p.Replicas = 0 }), "has one pod"},
		"Flagger owns rules and subsets":            {export.Flagger, order(), "Take VirtualService vsvc-order, DestinationRule destrule-order out"},
		"Flagger has weights or a header":           {export.Flagger, testers, "either weights or a header"},
		"Flagger mirrors commands":                  {export.Flagger, changed(order(), func(p *export.Plan) { p.MirrorPercent = 5 }), "executed and published twice"},
		"Flagger has one interval":                  {export.Flagger, changed(order(), func(p *export.Plan) { p.Pauses = []time.Duration{60e9, 60e9, 120e9, 60e9} }), "the longest one, 2m"},
		"Flagger does not wait":                     {export.Flagger, changed(order(), func(p *export.Plan) { p.Every = 0 }), "does not wait for a person"},
		"Flagger's duration is another percentile":  {export.Flagger, changed(order(), func(p *export.Plan) { p.Prometheus = "" }), "99th percentile"},
		"Flagger promotes after the last step":      {export.Flagger, changed(order(), func(p *export.Plan) { p.Steps = []int{5, 20} }), "after the step of 20 %"},
		"Flagger cannot have * inside the mesh":     {export.Flagger, order(), "`*` is not possible inside the mesh"},
		"Argo's canary consumes events as well":     {export.Argo, order(), "joins the consumer group"},
		"Flagger's canary consumes events as well":  {export.Flagger, order(), "joins the consumer group"},
		"Argo without bounds goes on in any case":   {export.Argo, changed(order(), func(p *export.Plan) { p.MaxErrorRate, p.MaxP95 = 0, 0 }), "whatever the canary answers"},
		"Flagger's A/B testing shows testers alone": {export.Flagger, changed(testers, func(p *export.Plan) { p.BlueGreen = true }), "A/B testing"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, notes := last(t, c.write, c.plan); !strings.Contains(notes, c.says) {
				t.Errorf("no note says %q:\n%s", c.says, notes)
			}
		})
	}
}

func TestFlaggersIntervalsFitItsSchema(t *testing.T) {
	pattern := regexp.MustCompile(`^[0-9]+(m|s)`) // of the CRD
	for _, every := range []time.Duration{0, time.Second, 90 * time.Second, time.Minute, 2 * time.Hour, time.Hour + time.Millisecond} {
		canary, _ := last(t, export.Flagger, changed(order(), func(p *export.Plan) { p.Every = every }))
		text, _ := field(t, canary, "spec", "analysis", "interval").(string)
		if !pattern.MatchString(text) {
			t.Errorf("%s: interval %q", every, text)
		}
		if d, err := time.ParseDuration(text); err != nil || d < 10*time.Second {
			t.Errorf("%s: interval %q, want a time of at least ten seconds", every, text)
		}
	}
}

func TestPlansThatMakeNoSenseAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		write  engine
		change func(*export.Plan)
		says   string
	}{
		"no service":             {export.Argo, func(p *export.Plan) { p.Service = "" }, "expected a service"},
		"no steps":               {export.Flagger, func(p *export.Plan) { p.Steps = nil }, "no steps"},
		"steps that fall":        {export.Argo, func(p *export.Plan) { p.Steps = []int{50, 20} }, "step 20 comes after 50"},
		"a step of 0":            {export.Argo, func(p *export.Plan) { p.Steps = []int{0, 20} }, "step 0"},
		"too few pauses":         {export.Argo, func(p *export.Plan) { p.Pauses = []time.Duration{1} }, "1 pauses for 4 steps"},
		"a negative time":        {export.Flagger, func(p *export.Plan) { p.Every = -1 }, "below zero"},
		"an error rate over 1":   {export.Flagger, func(p *export.Plan) { p.MaxErrorRate = 5 }, "from 0 to 1"},
		"a header without value": {export.Argo, func(p *export.Plan) { p.TestersHeader = "x" }, "a header and its value"},
		"a mirror over 100":      {export.Argo, func(p *export.Plan) { p.MirrorPercent = 101 }, "0 to 100 percent"},
		"a rule without a name":  {export.Argo, func(p *export.Plan) { p.VirtualServices[0].Routes = []string{""} }, "give it one"},
		"no VirtualService":      {export.Argo, func(p *export.Plan) { p.VirtualServices = nil }, "no VirtualService"},
		"no subsets":             {export.Argo, func(p *export.Plan) { p.CanarySubset = "" }, "a stable and a canary subset"},
		"no port":                {export.Flagger, func(p *export.Plan) { p.Port = 0 }, "port 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.write(changed(order(), c.change))
			if !errors.Is(err, export.ErrPlan) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
