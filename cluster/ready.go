package cluster

import (
	"context"
	"errors"
	"time"
)

// ErrNotReady says that objects did not become ready in time.
var ErrNotReady = errors.New("not everything became ready")

// Readiness is how far an object is.
type Readiness struct {
	Object  ID     `json:"object"`
	Ready   bool   `json:"ready"`
	Failed  bool   `json:"failed,omitempty"` // it will not become ready by waiting
	Message string `json:"message"`          // "2 of 3 pods ready; order-77: image cannot be pulled"
}

// WaitReady waits until every object is as it is meant to be: kstatus' "Current",
// and for Deployments and StatefulSets the pods of this generation. changed,
// which may be nil, hears each change. When timeout is over, or one has failed
// for good, the error wraps ErrNotReady and the result says what each waits for,
// pods' own reasons included.
func (c *Client) WaitReady(ctx context.Context, ids []ID, timeout time.Duration, changed func(Readiness)) ([]Readiness, error) {
	panic("not written yet")
}
