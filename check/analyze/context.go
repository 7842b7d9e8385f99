package analyze

import (
	"context"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/analysis"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"
)

// analysisContext is what Istio's analyzers look at the world through. Unlike
// istioctl's it needs no store and no goroutine, and goes through the objects
// in source order.
type analysisContext struct {
	ctx      context.Context
	world    *world
	analyzer string
	messages []diag.Message
	// only replaces the objects of some kinds; see eachDeployment.
	only map[config.GroupVersionKind][]*resource.Instance
}

var _ analysis.Context = &analysisContext{}

// Report implements analysis.Context.
func (c *analysisContext) Report(_ config.GroupVersionKind, m diag.Message) {
	c.messages = append(c.messages, m)
}

// Find implements analysis.Context.
func (c *analysisContext) Find(kind config.GroupVersionKind, name resource.FullName) *resource.Instance {
	return c.world.index[key{kind, name}]
}

// Exists implements analysis.Context.
func (c *analysisContext) Exists(kind config.GroupVersionKind, name resource.FullName) bool {
	return c.Find(kind, name) != nil
}

// ForEach implements analysis.Context.
func (c *analysisContext) ForEach(kind config.GroupVersionKind, fn analysis.IteratorFn) {
	all, ok := c.only[kind]
	if !ok {
		all = c.world.objects[kind]
	}
	for _, r := range all {
		if !fn(r) {
			return
		}
	}
}

// Canceled implements analysis.Context.
func (c *analysisContext) Canceled() bool { return c.ctx.Err() != nil }

// SetAnalyzer implements analysis.Context.
func (c *analysisContext) SetAnalyzer(name string) { c.analyzer = name }

// servicesOfDeployment is the analyzer that compares every Deployment with
// every Service, which takes minutes for some thousand of each.
const servicesOfDeployment = "deployment.MultiServiceAnalyzer"

// eachDeployment runs an analyzer that judges Deployments one by one, each
// time with that Deployment and the Services of its namespace that may select
// its pods. The findings are the same as for all at once.
func (c *analysisContext) eachDeployment(analyze func(analysis.Context)) {
	defer func() { c.only = nil }()
	services := c.world.servicesByLabel()
	for _, deployment := range c.world.objects[gvk.Deployment] {
		if c.Canceled() {
			return
		}
		c.only = map[config.GroupVersionKind][]*resource.Instance{
			gvk.Deployment: {deployment},
			gvk.Service:    services.of(deployment),
		}
		analyze(c)
	}
}
