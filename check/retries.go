package check

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/space"
)

// Codes of requests that are repeated although they must not be.
const (
	CodeRepeatedWrites = "MS0704" // retries of methods that are not idempotent
	CodeDefaultRetries = "MS0705" // Istio's default retries of them
)

// Retries looks for POST and PATCH requests that a proxy repeats on its own:
// one that was carried out although its answer got lost would be carried out
// again (RFC 9110, section 9.2.2; istio/istio#50506).
func Retries() Rule {
	return Rule{
		Codes: []string{CodeRepeatedWrites, CodeDefaultRetries},
		Name:  "repeated-writes",
		Doc:   "A rule repeats requests of methods that are not idempotent, such as POST.",
		CodeDocs: map[string]string{
			CodeDefaultRetries: "A rule says nothing about retries, so Istio's default ones repeat methods that are not idempotent.",
		},
		Rows: []Row{
			{Code: CodeRepeatedWrites, Severity: "warning",
				Means: "`retries` repeat POST or PATCH also where the first try may have been carried out: an order is placed twice. Such requests are known from the rule's match, or from the model",
				Todo:  "a rule of its own for these methods, with `retries: {attempts: 0}`"},
			{Code: CodeDefaultRetries, Severity: "info",
				Means: "a rule for POST or PATCH says nothing about retries, so Istio makes up to two: after failed connections, which is safe, but with gRPC also after UNAVAILABLE and CANCELLED, and in older releases after every 503",
				Todo:  "`retries: {attempts: 0}` in a rule for these methods"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			r := &retrying{in: in, off: defaultRetriesOff(in)}
			for _, vs := range in.Mesh().VirtualServices {
				r.declared(vs)
				if in.Intent != nil {
					r.modelled(vs)
				}
			}
			return r.found
		},
	}
}

type retrying struct {
	in    *Input
	off   bool // the mesh config switches the default off
	names map[string]*deploy.Service
	found []Finding
}

// write is a request that must not be repeated.
type write struct{ method, path, from string }

func (r *retrying) report(vs *VirtualService, rule int, w write, witness func() string) {
	h := vs.Spec.GetHttp()[rule]
	field := fmt.Sprintf("spec.http[%d]", rule)
	name := newSplit(vs, "http", rule, h.GetName()).name
	what := strings.TrimSpace(w.method + " " + w.path)
	if w.from != "" {
		what += " (" + w.from + ")"
	}
	var f Finding
	switch policy := h.GetRetries(); {
	case policy == nil && r.off, policy != nil && policy.GetAttempts() <= 0:
		return
	case policy == nil:
		f = vs.Finding(CodeDefaultRetries, Info, field,
			fmt.Sprintf("rule %s takes %s and says nothing about retries, so Istio repeats it up to two times when it fails: with gRPC also after UNAVAILABLE or CANCELLED, and in older releases after any 503, when it may have been carried out", name, what))
	default:
		on, risky := repeats(policy)
		if len(risky) == 0 {
			return
		}
		f = vs.Finding(CodeRepeatedWrites, Warning, field+".retries",
			fmt.Sprintf("rule %s repeats %s up to %d times on %s; after %s the request may have been carried out, and will be again",
				name, what, policy.GetAttempts(), on, listed(risky)))
	}
	f.Fix = "let a rule before this one take POST and PATCH with retries: {attempts: 0}, or make the request safe to repeat (an Idempotency-Key) and accept this finding"
	f.Witness = witness()
	r.found = append(r.found, f)
}

// harmless are the conditions under which a request never reached the
// application, or was answered before it (Envoy's documentation of
// x-envoy-retry-on).
var harmless = []string{"connect-failure", "refused-stream", "reset-before-request", "envoy-ratelimited"}

// repeats says on which conditions a policy repeats, and which of them may come
// after the request was carried out.
func repeats(policy *networking.HTTPRetry) (on string, risky []string) {
	on = policy.GetRetryOn()
	if on == "" {
		// connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
		// (pilot/pkg/networking/core/route/retry)
		return "Istio's default conditions", []string{"gRPC's UNAVAILABLE and CANCELLED (in older releases after any 503)"}
	}
	for condition := range strings.SplitSeq(on, ",") {
		if condition = strings.TrimSpace(condition); condition == "" || slices.Contains(harmless, condition) {
			continue
		}
		if code, err := strconv.Atoi(condition); err == nil && http.StatusText(code) != "" {
			condition = "a " + condition
		}
		risky = append(risky, condition)
	}
	return on, risky
}

// declared looks at rules whose match names such a method.
func (r *retrying) declared(vs *VirtualService) {
	told := map[int]bool{}
	for _, e := range vs.entries() {
		if told[e.rule] || e.match < 0 || len(e.httpRule().GetRoute()) == 0 {
			continue
		}
		method := e.request().GetMethod()
		if method == nil {
			continue
		}
		set, any, err := values(method)
		for _, name := range []string{"POST", "PATCH"} {
			if err == nil && !any && set.Has(name) {
				told[e.rule] = true
				r.report(vs, e.rule, write{method: name}, func() string {
					return r.in.Mesh().witness(vs, e.box.With(space.Method, space.OneOf(name)))
				})
				break
			}
		}
	}
}

// modelled asks the rules with the requests that the model knows.
func (r *retrying) modelled(vs *VirtualService) {
	told := map[int]bool{}
	for _, s := range r.services(vs) {
		edge := !slices.Equal(vs.Gateways, []string{MeshGateway})
		for _, res := range s.Resources {
			for _, method := range res.Methods {
				if deploy.Idempotent(method) {
					continue
				}
				w := write{method, requestPath(s, res, edge), res.Source.String()}
				for _, rule := range takers(vs, w) {
					if !told[rule] && !declares(vs, rule) {
						told[rule] = true
						r.report(vs, rule, w, func() string { return method + " " + w.path })
					}
				}
			}
		}
	}
}

// services are the model's services that a VirtualService routes to.
func (r *retrying) services(vs *VirtualService) []*deploy.Service {
	var all []*deploy.Service
	suffix := "." + r.in.Intent.Settings.Namespace + ".svc." + Domain
	for _, h := range vs.Spec.GetHttp() {
		for _, d := range h.GetRoute() {
			name, ok := strings.CutSuffix(ResolveHost(d.GetDestination().GetHost(), vs.Namespace()), suffix)
			if s := r.byName(name); ok && s != nil && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

func (r *retrying) byName(name string) *deploy.Service {
	if r.names == nil {
		r.names = map[string]*deploy.Service{}
		for _, s := range r.in.Intent.Services {
			r.names[s.Name] = s
		}
	}
	return r.names[name]
}

// requestPath is a path of the resource as clients send it.
func requestPath(s *deploy.Service, res deploy.Resource, edge bool) string {
	parts := strings.Split(res.Path, "/")
	for i, p := range parts {
		if strings.Contains(p, "{") {
			parts[i] = "1"
		}
	}
	path := strings.Join(parts, "/")
	if edge {
		path = s.PathPrefix + path
	}
	return deploy.EncodePath(path)
}

// takers are the rules that may get a request, up to the one that surely does.
func takers(vs *VirtualService, w write) []int {
	request := space.Box{}.With(space.Method, space.OneOf(w.method)).With(space.Path, space.OneOf(w.path))
	var rules []int
	for _, e := range vs.entries() {
		if !e.box.Overlaps(request) {
			continue
		}
		if len(e.httpRule().GetRoute()) > 0 && !slices.Contains(rules, e.rule) {
			rules = append(rules, e.rule)
		}
		if covered := space.Covered(request, []space.Box{e.box}); e.exact && covered.Empty && covered.Proved {
			break
		}
	}
	return rules
}

// declares tells whether a rule names such a method itself.
func declares(vs *VirtualService, rule int) bool {
	return slices.ContainsFunc(vs.Spec.GetHttp()[rule].GetMatch(), func(m *networking.HTTPMatchRequest) bool {
		set, any, err := values(m.GetMethod())
		return m.GetMethod() != nil && err == nil && !any && (set.Has("POST") || set.Has("PATCH"))
	})
}

// defaultRetriesOff tells whether the mesh config among the files switches the
// default retries off.
func defaultRetriesOff(in *Input) bool {
	for _, res := range in.Resources() {
		if res.Kind() != "ConfigMap" || res.Name() != "istio" || res.Namespace() != rootNamespace {
			continue
		}
		var mesh struct {
			Retry *struct {
				Attempts *int `yaml:"attempts"`
			} `yaml:"defaultHttpRetryPolicy"`
		}
		err := yaml.Unmarshal([]byte(res.text("data", "mesh")), &mesh)
		return err == nil && mesh.Retry != nil && (mesh.Retry.Attempts == nil || *mesh.Retry.Attempts <= 0)
	}
	return false
}
