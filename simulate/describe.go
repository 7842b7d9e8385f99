package simulate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// describe fills in what is done to the request on the way.
func (m *Mesh) describe(a *answer.Answer, at *place, d route.Decision, e *route.Effect, q *question) {
	a.Headers, a.Hash, a.CORS, a.Unsupport = append(a.Headers, e.HeaderChanges...), e.Hash, e.CORS, e.Unsupported
	if a.Outcome == answer.OutcomeRedirect || a.Outcome == answer.OutcomeDirect || d.Route == nil {
		return
	}
	if e.Path != q.proxy.Path || e.Authority != q.proxy.Authority {
		a.Rewrite = &answer.Rewrite{}
		if e.Path != q.proxy.Path {
			a.Rewrite.Path = e.Path
		}
		if e.Authority != q.proxy.Authority {
			a.Rewrite.Authority = e.Authority
		}
	}
	switch {
	case e.TimeoutSet && e.Timeout > 0:
		a.Timeout = e.Timeout.String()
	case !e.TimeoutSet:
		a.Timeout = defaultTimeout.String()
	}
	a.Retries = retries(e.Retry, at.config.Origins[d.Route.Proto])
	if f := e.Fault; f != nil {
		a.Fault = &answer.Fault{DelayShare: f.DelayShare, Abort: f.Abort, AbortGRPC: f.AbortGRPC, AbortShare: f.AbortShare}
		if f.Delay > 0 {
			a.Fault.Delay = f.Delay.String()
		}
	}
	for _, mirror := range e.Mirrors {
		host, subset, port := hostOf(mirror.Cluster)
		a.Mirrors = append(a.Mirrors, answer.Mirror{
			Host: host, Subset: subset, Port: port, Share: mirror.Share, Reason: m.destination(at, mirror.Cluster).Reason,
		})
	}
}

// defaultTimeout is Envoy's where a route sets none (RouteAction.timeout).
const defaultTimeout = 15 * time.Second

// retryField is where a rule of a kind says how often to try again.
var retryField = map[string]string{"VirtualService": "retries", "HTTPRoute": "retry", "GRPCRoute": "retry"}

func retries(r *route.Retry, o istio.Origin) *answer.Retries {
	if r == nil {
		return nil
	}
	out := &answer.Retries{Attempts: int(r.Attempts), On: r.On}
	if r.PerTryTimeout > 0 {
		out.PerTryTimeout = r.PerTryTimeout.String()
	}
	out.Default = o.Document == nil || o.Document.Get(o.Field+"."+retryField[o.Document.ID.Kind]) == nil
	return out
}

// condition is the match entry of a rule as people wrote it, on one line.
func condition(o istio.Origin) string {
	if o.Match == "" {
		return "every request"
	}
	n := o.Document.Get(o.Match)
	if n == nil {
		return ""
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return ""
	}
	if fields, ok := value.(map[string]any); ok {
		var parts []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			parts = append(parts, name+" "+short(n.Content[i+1], fields[name]))
		}
		return strings.Join(parts, " and ")
	}
	return short(n, value)
}

// short writes {exact: /orders} as `exact /orders`, and anything longer as JSON.
func short(n *yaml.Node, value any) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[1].Kind == yaml.ScalarNode {
		return n.Content[0].Value + " " + n.Content[1].Value
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
