// Package analyze lets Istio's own validation and all of its analyzers judge
// manifests, with no cluster behind them. It takes the documents of a
// check.Input and completes them to a world that the analyzers can judge: what
// the chosen installation profile brings along, the namespaces, and the pods
// that workloads would start. It gives findings with Istio's codes, placed in
// the files, that say what happens at run time and what to do.
package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"istio.io/istio/pkg/config/analysis"
	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/msg"
	"istio.io/istio/pkg/log"

	"github.com/meshstorm/meshstorm/check"
)

// Options say which installation the manifests are meant for.
type Options struct {
	// Profile is Istio's installation profile, one of Profiles; "" is "default".
	// It decides whether an ingress or egress gateway is there, and what mesh
	// config they run with.
	Profile string
	// IstioNamespace is where Istio is installed and the root of its
	// configuration; "" is "istio-system".
	IstioNamespace string
}

func (o Options) istioNamespace() string {
	if o.IstioNamespace == "" {
		return "istio-system"
	}
	return o.IstioNamespace
}

// Rules gives the rules that run Istio's code.
func Rules(opts Options) []check.Rule {
	rule := check.Rule{
		Name:     "istio",
		Doc:      "Istio's own validation and analyzers judge the objects.",
		CodeDocs: map[string]string{},
		Rows:     rows(),
		// These know the Service's selector and who sends requests there.
		Yields: map[string][]string{"IST0173": {check.CodeEmptySubset, check.CodeNoReplicas}},
		Run: func(ctx context.Context, in *check.Input) []check.Finding {
			return run(ctx, in, opts, analyzers.All())
		},
	}
	for _, m := range msg.All() {
		rule.CodeDocs[m.Code()] = explain(m.Code(), nil).doc
		rule.Codes = append(rule.Codes, m.Code())
	}
	slices.Sort(rule.Codes)
	return []check.Rule{rule}
}

// turn lets one run at a time into Istio's analyzers, because some of them
// keep state in package variables (multicluster.serviceRegistries,
// authz.meshConfig).
var turn sync.Mutex

func run(ctx context.Context, in *check.Input, opts Options, all []analysis.Analyzer) []check.Finding {
	turn.Lock()
	defer turn.Unlock()
	silence()

	w := buildWorld(in, opts, all)
	found := w.broken
	c := &analysisContext{ctx: ctx, world: w}
	for _, a := range all {
		if ctx.Err() != nil {
			break
		}
		if failure, ok := runOne(c, a); ok {
			found = append(found, failure)
		}
	}
	for _, m := range c.messages {
		if f, ok := w.finding(m); ok {
			found = append(found, f)
		}
	}
	return oncePerPlace(found)
}

// perPod are the codes that Istio reports for each pod again.
var perPod = []string{"IST0110", "IST0149", "IST0159", "IST0166"}

// oncePerPlace keeps the first message of those that differ in the pod only.
func oncePerPlace(found []check.Finding) []check.Finding {
	slices.SortStableFunc(found, func(a, b check.Finding) int { return strings.Compare(a.Message, b.Message) })
	type place struct {
		code, file   string
		line, column int
	}
	seen := map[place]bool{}
	return slices.DeleteFunc(found, func(f check.Finding) bool {
		p := place{f.Code, f.File, f.Line, f.Column}
		again := seen[p] && slices.Contains(perPod, f.Code)
		seen[p] = true
		return again
	})
}

// silence keeps Istio's packages from writing to stdout, which belongs to the
// results.
func silence() {
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel)
	}
}

// runOne runs one analyzer. One that panics costs its own findings only; the
// ones that it had already reported stand.
func runOne(c *analysisContext, a analysis.Analyzer) (failure check.Finding, failed bool) {
	name := a.Metadata().Name
	defer func() {
		if p := recover(); p != nil {
			failed = true
			failure = check.Finding{
				Code: check.CodeInternal, Severity: check.Error,
				Message: fmt.Sprintf("Istio's analyzer %s failed with an internal error (%v), so nothing is known about what it looks for", name, p),
				Fix:     "report this with the files that cause it; the other analyzers did run",
			}
		}
	}()
	c.SetAnalyzer(name)
	if name == servicesOfDeployment {
		c.eachDeployment(a.Analyze)
		return failure, false
	}
	a.Analyze(c)
	return failure, false
}

func severityOf(level diag.Level) check.Severity {
	switch level {
	case diag.Error:
		return check.Error
	case diag.Warning:
		return check.Warning
	}
	return check.Info
}
