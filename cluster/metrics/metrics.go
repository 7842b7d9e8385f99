// Package metrics measures what a service's tracks really answer: how many
// requests, how many of them failed, and how long they took. It asks Prometheus,
// or where there is none the proxies' own counters, through the API server. What
// could not be measured is never reported as healthy.
package metrics

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable says that the source could not be asked.
var ErrUnavailable = errors.New("metrics cannot be had")

// Target is a service whose tracks are compared.
type Target struct {
	Namespace string
	Service   string // the Service's name
	// Workloads are the Deployments that are told apart, e.g. "order" and
	// "order-canary".
	Workloads []string
}

// Traffic is what one workload answered in a span of time.
type Traffic struct {
	Requests float64 `json:"requests"`
	Errors   float64 `json:"errors"`   // answers 5xx, and requests without an answer
	P95      float64 `json:"p95"`      // milliseconds; NaN where there were no requests (omitted in JSON by the callers)
	Duration float64 `json:"duration"` // seconds that were measured
}

// ErrorRate is the share of errors, 0–1; 0 without requests.
func (t Traffic) ErrorRate() float64 {
	if t.Requests == 0 {
		return 0
	}
	return t.Errors / t.Requests
}

// Mark is a point from which to measure, as JSON text: kept in a rollout's
// state, so that a later process measures the time between. It stays small
// (below 4 KiB for two workloads of 20 pods).
type Mark string

// Source measures.
type Source interface {
	// Name says what is asked, for messages: "Prometheus at …" or "the proxies'
	// own counters".
	Name() string
	// Mark notes the present.
	Mark(ctx context.Context, t Target) (Mark, error)
	// Since measures from a mark until now, by workload. A workload without any
	// counter is missing from the map: unknown, not idle. Counters that began
	// anew (a restarted pod) count from zero. Errors wrap ErrUnavailable.
	Since(ctx context.Context, t Target, from Mark) (map[string]Traffic, error)
	// Recent measures the last span, for tables; a source that has no history
	// gives what it counted since its proxies started.
	Recent(ctx context.Context, t Target, span time.Duration) (map[string]Traffic, error)
}
