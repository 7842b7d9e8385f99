package standin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// A member of a group has spoken with the broker, so a pod that never dials it
// is none.
func TestAPausedPodNeverDialsTheBrokerToConsume(t *testing.T) {
	for value, dials := range map[string]bool{"paused": false, "": true, "off": true} {
		t.Run("MESHSTORM_EVENTS="+value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				env := func(name string) string { return map[string]string{EventsVariable: value}[name] }
				s := newService(&pod.Spec{Name: "order-canary", Namespace: "shop"}, env, slog.New(slog.DiscardHandler))
				var dialled atomic.Bool
				s.dial = func(context.Context, string, string) (net.Conn, error) {
					dialled.Store(true)
					return nil, errors.New("no broker here")
				}
				s.take(&domain{service: "order", workspace: "shop", policies: map[string][]*policy{"Paid": {{}}}})
				done := make(chan error, 1)
				go func() { done <- s.consume(ctx) }()
				synctest.Wait()
				if dialled.Load() != dials {
					t.Errorf("dialled: %t, expected %t", dialled.Load(), dials)
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("the end of the pod is no fault: %v", err)
				}
			})
		})
	}
}
