package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Times of leases (coordination.k8s.io/v1): a holder renews every RenewEvery,
// and one that has not for LeaseFor is taken to be dead.
const (
	RenewEvery = 10 * time.Second
	LeaseFor   = 30 * time.Second

	leasePoll = time.Second // while another one holds it
)

// HeldError says that somebody else works on it.
type HeldError struct {
	Lease   string
	Holder  string // USER@HOST, and the process
	Since   time.Time
	Renewed time.Time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is at work here since %s (lease %s)", e.Holder, e.Since.Local().Format(time.TimeOnly), e.Lease)
}

// ErrLost says that another process took the Lease over.
var ErrLost = errors.New("the lease was lost")

// Hold is a Lease that this process has.
type Hold struct {
	client          *Client
	namespace, name string
	holder          string
	cancel          context.CancelCauseFunc
	done            chan struct{} // closed when renewing ended
}

// Take takes the Lease NAMESPACE/NAME and renews it until Release. Where
// somebody alive has it, it waits as long as wait says, and then the error is a
// *HeldError. onWait, which may be nil, hears once who is waited for. The
// context that it gives ends when the Lease was lost, with the cause ErrLost.
func (c *Client) Take(ctx context.Context, namespace, name string, wait time.Duration, onWait func(*HeldError)) (context.Context, *Hold, error) {
	h := &Hold{client: c, namespace: namespace, name: name, holder: identity(), done: make(chan struct{})}
	for until := time.Now().Add(wait); ; {
		err := h.try(ctx)
		held := (*HeldError)(nil)
		switch {
		case err == nil:
			within, cancel := context.WithCancelCause(ctx)
			h.cancel = cancel
			go h.renew(within)
			return within, h, nil
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			continue // somebody was faster: look who
		case !errors.As(err, &held) || time.Now().After(until):
			return nil, nil, err
		}
		if onWait != nil {
			onWait(held)
			onWait = nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(leasePoll):
		}
	}
}

// identity tells one process from another.
func identity() string {
	who, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return fmt.Sprintf("%s@%s (process %d, %x)", who, host, os.Getpid(), time.Now().UnixNano()&0xffffff)
}

// try takes the Lease if nobody alive has it.
func (h *Hold) try(ctx context.Context) error {
	leases := h.client.Kube.CoordinationV1().Leases(h.namespace)
	now := metav1.NowMicro()
	seconds := int32(LeaseFor / time.Second)
	var held *coordinationv1.Lease
	err := retry(ctx, func() (err error) {
		held, err = leases.Get(ctx, h.name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: h.name, Namespace: h.namespace},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &h.holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
		}, metav1.CreateOptions{FieldManager: Manager})
		return Explain(err)
	}
	if err != nil {
		return Explain(err)
	}
	if other := holder(held); other != nil && other.Holder != h.holder {
		return other
	}
	held.Spec = coordinationv1.LeaseSpec{HolderIdentity: &h.holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}
	_, err = leases.Update(ctx, held, metav1.UpdateOptions{FieldManager: Manager})
	return Explain(err)
}

// holder is who has a Lease that is not over.
func holder(l *coordinationv1.Lease) *HeldError {
	if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil {
		return nil
	}
	length := LeaseFor
	if l.Spec.LeaseDurationSeconds != nil {
		length = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	if time.Since(l.Spec.RenewTime.Time) > length {
		return nil
	}
	e := &HeldError{Lease: l.Namespace + "/" + l.Name, Holder: *l.Spec.HolderIdentity, Renewed: l.Spec.RenewTime.Time}
	if l.Spec.AcquireTime != nil {
		e.Since = l.Spec.AcquireTime.Time
	}
	return e
}

func (h *Hold) renew(ctx context.Context) {
	defer close(h.done)
	tick := time.NewTicker(RenewEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := h.renewOnce(ctx)
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, ErrLost) || time.Since(last) > LeaseFor:
			h.cancel(fmt.Errorf("%w: %s/%s: %w", ErrLost, h.namespace, h.name, err))
			return
		}
	}
}

func (h *Hold) renewOnce(ctx context.Context) error {
	leases := h.client.Kube.CoordinationV1().Leases(h.namespace)
	held, err := leases.Get(ctx, h.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if held.Spec.HolderIdentity == nil || *held.Spec.HolderIdentity != h.holder {
		return ErrLost
	}
	now := metav1.NowMicro()
	held.Spec.RenewTime = &now
	_, err = leases.Update(ctx, held, metav1.UpdateOptions{FieldManager: Manager})
	return err
}

// Release gives the Lease back. The time of its last renewal stays readable.
func (h *Hold) Release() { h.end(false) }

// Remove gives the Lease back and deletes it, for there is nothing left that it
// could guard. Who may not delete it leaves it behind, free.
func (h *Hold) Remove() { h.end(true) }

func (h *Hold) end(remove bool) {
	h.cancel(nil)
	<-h.done
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	leases := h.client.Kube.CoordinationV1().Leases(h.namespace)
	held, err := leases.Get(ctx, h.name, metav1.GetOptions{})
	if err != nil || held.Spec.HolderIdentity == nil || *held.Spec.HolderIdentity != h.holder {
		return
	}
	if remove {
		same := metav1.Preconditions{UID: &held.UID, ResourceVersion: &held.ResourceVersion}
		if leases.Delete(ctx, h.name, metav1.DeleteOptions{Preconditions: &same}) == nil {
			return
		}
	}
	now, none := metav1.NowMicro(), ""
	held.Spec.HolderIdentity, held.Spec.RenewTime = &none, &now
	// Left behind it would be over in LeaseFor.
	_, _ = leases.Update(ctx, held, metav1.UpdateOptions{FieldManager: Manager})
}

// Holder tells who has a Lease that is not over; nil for nobody. The second
// value is when the last holder renewed it; zero if there was none.
func (c *Client) Holder(ctx context.Context, namespace, name string) (*HeldError, time.Time, error) {
	held, err := c.Kube.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, Explain(err)
	}
	var renewed time.Time
	if held.Spec.RenewTime != nil {
		renewed = held.Spec.RenewTime.Time
	}
	return holder(held), renewed, nil
}
