// Package printed has the documents that verbs print with -o json where these
// are not a package's own: a version around what another package gives. The JSON
// forms are part of the public interface; docs/schema has their schemas.
package printed

import (
	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
	"github.com/meshstorm/meshstorm/cluster/rollout"
)

// APIVersion is that of all documents.
const APIVersion = "meshstorm.io/v1"

// Canary is a rollout, as `canary status SERVICE` prints it, and the other canary
// verbs at their end.
type Canary struct {
	APIVersion string `json:"apiVersion"` // "meshstorm.io/v1"
	*rollout.Status
}

// Canaries are all rollouts of a namespace, by service.
type Canaries struct {
	APIVersion string            `json:"apiVersion"` // "meshstorm.io/v1"
	Canaries   []*rollout.Status `json:"canaries"`
}

// Proposal is what `canary start --dry-run` would do.
type Proposal struct {
	APIVersion string `json:"apiVersion"` // "meshstorm.io/v1"
	*rollout.Proposal
}

// Shift is what `shift` did, or with --dry-run would do.
type Shift struct {
	APIVersion string            `json:"apiVersion"` // "meshstorm.io/v1"
	Service    string            `json:"service"`
	Shifted    []rollout.Shifted `json:"virtualServices"`
}

// History lists the states of a workspace that were applied, the newest first.
type History struct {
	APIVersion string             `json:"apiVersion"` // "meshstorm.io/v1"
	Workspace  string             `json:"workspace"`
	Namespace  string             `json:"namespace"`
	Revisions  []cluster.Revision `json:"revisions"`
}

// Istio is what of Istio a cluster has, and what is missing for a workspace.
type Istio struct {
	APIVersion string `json:"apiVersion"` // "meshstorm.io/v1"
	*installation.Report
	Missing []installation.Gap `json:"missing"`
}
