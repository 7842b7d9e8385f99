package capture

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// workloadKinds make pods, by group and kind.
var workloadKinds = map[string]bool{"apps/Deployment": true, "apps/StatefulSet": true, "apps/DaemonSet": true, "argoproj.io/Rollout": true}

// derivedKinds are made by controllers; in YAML they may be among the rest.
var derivedKinds = map[string]string{
	"/Pod": "pods are made by their workload", "/Endpoints": "made from the Service's selector", "/Event": "a record of the cluster's",
	"apps/ReplicaSet": "made by its Deployment", "apps/ControllerRevision": "made by its workload",
	"discovery.k8s.io/EndpointSlice": "made from the Service's selector", "events.k8s.io/Event": "a record of the cluster's",
	"coordination.k8s.io/Lease": "a lock of a program that runs",
}

// noise says why an object is none that people keep in files; "" where it is one.
func noise(o Object) string {
	id := o.ID()
	labels := mapping(o.Content, "metadata", "labels")
	owners := items(o.Content, "metadata", "ownerReferences")
	key := id.Group + "/" + id.Kind
	switch {
	case key == "/Pod" && len(owners) == 0:
		return "a Pod without a workload; write a Deployment for it if it is to stay"
	case derivedKinds[key] != "":
		return derivedKinds[key]
	case len(owners) > 0:
		return "made by " + text(owners[0], "kind") + " " + text(owners[0], "name") + ", which owns it"
	case dig(o.Content, "metadata", "deletionTimestamp") != nil:
		return "it is being deleted"
	case o.kept != "":
		return "belongs to the " + o.kept + "; it goes with it, `meshstorm canary status` tells more"
	}
	switch key {
	case "/ServiceAccount":
		if id.Name == "default" && len(strs(o.Content, "imagePullSecrets")) == 0 {
			return "every namespace has it"
		}
	case "/Service":
		if id.Name == "kubernetes" && labels["component"] == "apiserver" {
			return "the API server's own"
		}
	case "/ConfigMap":
		return noiseConfigMap(id.Name, labels)
	case "/Secret":
		return secretReason(id.Name, o)
	}
	return ""
}

func noiseConfigMap(name string, labels map[string]any) string {
	switch {
	case name == "kube-root-ca.crt":
		return "every namespace has it"
	case strings.HasPrefix(name, "istio-ca-") || labels["istio.io/config"] == "true":
		return "istiod writes it into every namespace"
	case labels[cluster.InventoryLabel] != nil:
		return "meshstorm's own inventory"
	case labels[topping.ModelLabel] != nil:
		return "the model, which generate writes"
	}
	return ""
}

// secretReason says why a Secret is left out, as all are.
func secretReason(name string, o Object) string {
	switch {
	case strings.HasPrefix(name, "sh.helm.release."):
		return "a record of Helm's"
	case strings.HasPrefix(name, "meshstorm-history-"):
		return "meshstorm's own history"
	case mapping(o.Content, "metadata", "annotations")["kubernetes.io/service-account.name"] != nil || text(o.Content, "type") == "kubernetes.io/service-account-token":
		return "a token of a ServiceAccount, which the cluster makes"
	}
	return "a Secret: its values are not written to files; keep it where you keep secrets, and make sure it is there before you apply"
}

// split takes the noise out of a snapshot.
func (s *Snapshot) split() (kept []Object, out []Outcome) {
	for _, o := range s.Objects {
		why := noise(o)
		if set := s.claimant(o.ID()); why == "" && set != "" {
			why = "made by StatefulSet " + set + " for one of its pods"
		}
		if why != "" {
			out = append(out, leftOut(o, why))
			continue
		}
		kept = append(kept, o)
	}
	return kept, out
}

// claimant is the StatefulSet that a volume claim was made for, by its name:
// TEMPLATE-STATEFULSET-ORDINAL.
func (s *Snapshot) claimant(id manifest.ID) string {
	end := strings.LastIndexByte(id.Name, '-')
	if id.Kind != "PersistentVolumeClaim" || end < 0 || strings.Trim(id.Name[end+1:], "0123456789") != "" {
		return ""
	}
	for _, o := range s.Objects {
		set := o.ID()
		if set.Kind != "StatefulSet" || s.full(set).Namespace != s.full(id).Namespace {
			continue
		}
		for _, claim := range items(o.Content, "spec", "volumeClaimTemplates") {
			if id.Name[:end] == text(claim, "metadata", "name")+"-"+set.Name {
				return set.Name
			}
		}
	}
	return ""
}

// full is an object's ID with the snapshot's namespace where it has none.
func (s *Snapshot) full(id manifest.ID) manifest.ID {
	if id.Namespace == "" {
		id.Namespace = s.Namespace
	}
	return id
}

func compareIDs(a, b manifest.ID) int {
	return slices.Compare([]string{a.Group, a.Kind, a.Namespace, a.Name}, []string{b.Group, b.Kind, b.Namespace, b.Name})
}
