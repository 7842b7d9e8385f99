package simulate

import (
	"fmt"
	"net/http"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// share is one cluster of a route's action.
type share struct {
	cluster string
	weight  int
}

// shares are the clusters a route sends to: all of the split, or the chosen
// one where the request has its own random value.
func shares(d route.Decision, random bool) []share {
	weighted := d.Route.Proto.GetRoute().GetWeightedClusters().GetClusters()
	if len(weighted) == 0 || random {
		if d.Cluster == "" {
			return nil
		}
		return []share{{d.Cluster, 100}}
	}
	var all []share
	for i, w := range weighted {
		name := w.GetName()
		if i == d.Weighted {
			name = d.Cluster // also where a header names it
		}
		all = append(all, share{name, int(w.GetWeight().GetValue())})
	}
	return all
}

// destinations fills in where the request goes, and what fails there.
func (m *Mesh) destinations(a *answer.Answer, at *place, d route.Decision, q *question) {
	all := shares(d, q.asked.Random != nil)
	total, failing := 0, 0
	for _, s := range all {
		total += s.weight
	}
	for _, s := range all {
		dest := m.destination(at, s.cluster)
		switch dest.Flag {
		case answer.FlagNoCluster:
			dest.Status = notFoundStatus(d.Route.Proto)
		case answer.FlagNoUpstream:
			dest.Status = http.StatusServiceUnavailable
		}
		dest.Weight = s.weight
		if total > 0 {
			dest.Share = float64(s.weight) / float64(total)
		}
		dest.Of100, dest.Of1000 = 100*dest.Share, 1000*dest.Share
		if dest.Flag != "" && s.weight > 0 {
			failing += s.weight
			if a.Flag == "" {
				a.Flag, a.Reason = dest.Flag, dest.Reason
			}
		}
		a.Destinations = append(a.Destinations, dest)
	}
	switch {
	case len(all) == 0:
		a.Outcome, a.Flag, a.Status = answer.OutcomeNoCluster, answer.FlagNoCluster, http.StatusServiceUnavailable
		a.Reason = noCluster(d.Route.Proto)
	case failing > 0 && failing == total:
		a.Status = http.StatusServiceUnavailable
		a.Outcome = answer.OutcomeNoUpstream
		if a.Flag == answer.FlagNoCluster {
			a.Outcome = answer.OutcomeNoCluster
			a.Status = notFoundStatus(d.Route.Proto)
		}
	case len(all) == 1 && a.Reason == "":
		a.Reason = a.Destinations[0].Reason
	case failing > 0:
		a.Flag, a.Reason = "", fmt.Sprintf("%.4g of 100 requests fail: %s", 100*float64(failing)/float64(total), a.Reason)
	}
}

func noCluster(r *routev3.Route) string {
	if h := r.GetRoute().GetClusterHeader(); h != "" {
		return fmt.Sprintf("the cluster is named by header %s, which the request does not have", h)
	}
	return "the route names no cluster for this request"
}

// notFoundStatus is what Envoy answers where a route's cluster is not there.
func notFoundStatus(r *routev3.Route) int {
	if r.GetRoute().GetClusterNotFoundResponseCode() == routev3.RouteAction_NOT_FOUND {
		return http.StatusNotFound
	}
	if r.GetRoute().GetClusterNotFoundResponseCode() == routev3.RouteAction_INTERNAL_SERVER_ERROR {
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable
}

// passthrough is the cluster through which sidecars let out what they do not
// know (MeshConfig.outboundTrafficPolicy).
const passthrough = "PassthroughCluster"

// unknownService is where istiod sends the requests of a backendRef that is
// refused (GetDestinationCluster in pilot/pkg/networking/core/route/route.go).
const unknownService = "UnknownService"

// destination says what stands behind a cluster.
func (m *Mesh) destination(at *place, cluster string) answer.Destination {
	dest := answer.Destination{Cluster: cluster, Host: cluster, Endpoints: -1}
	if parts, ok := istio.ParseCluster(cluster); ok {
		dest.Host, dest.Subset, dest.Port = parts.Host, parts.Subset, parts.Port
	}
	if cluster == passthrough {
		dest.Reason = "no service of the mesh has this host and port, and the outbound traffic policy ALLOW_ANY lets the request out untouched"
		return dest
	}
	if at.config.Cluster(cluster) == nil {
		dest.Endpoints, dest.Flag = 0, answer.FlagNoCluster
		dest.Reason = missing(dest)
		return dest
	}
	workloads, known := m.Workloads(at.config, cluster)
	if !known {
		return dest
	}
	dest.Endpoints = len(workloads)
	seen := map[string]bool{}
	for _, w := range workloads {
		name := w.Kind + "/" + w.Name
		if w.Kind == "" {
			name = w.Address // of an Endpoints or a ServiceEntry
		}
		if !seen[name] {
			seen[name] = true
			dest.Workloads = append(dest.Workloads, name)
		}
	}
	if len(workloads) == 0 {
		dest.Flag = answer.FlagNoUpstream
		dest.Reason = fmt.Sprintf("no pod stands behind %s", label(dest))
		if dest.Subset != "" {
			dest.Reason += ": no workload has the labels of the subset"
		}
	}
	return dest
}

// missing says why a proxy has no such cluster.
func missing(d answer.Destination) string {
	if d.Host == unknownService {
		return "istiod refuses the rule's backendRef: the Service is not there, its kind is not known, " +
			"or it is in another namespace, where no ReferenceGrant allows it"
	}
	if d.Subset != "" {
		return fmt.Sprintf("the proxy has no cluster for %s: no DestinationRule that Istio looks at defines subset %s "+
			"(it looks in the caller's, the service's and the root namespace), or the service or port is not there", label(d), d.Subset)
	}
	return fmt.Sprintf("the proxy has no cluster for %s: no Service or ServiceEntry has this host and port", label(d))
}

func label(d answer.Destination) string {
	s := d.Host
	if d.Subset != "" {
		s += "@" + d.Subset
	}
	if d.Port != 0 {
		s += fmt.Sprintf(":%d", d.Port)
	}
	return s
}

// hostOf names the host, subset and port of a cluster.
func hostOf(cluster string) (host, subset string, port int) {
	if parts, ok := istio.ParseCluster(cluster); ok {
		return parts.Host, parts.Subset, parts.Port
	}
	return strings.TrimSpace(cluster), "", 0
}
