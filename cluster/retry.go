package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Back-off of requests that the server could not take for a moment.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
	// patience is how long one request is sent again while nobody answers: an
	// API server that restarts takes some tens of seconds.
	patience = 90 * time.Second
	// webhookPatience is the same for an admission webhook that does not answer.
	webhookPatience = 15 * time.Second
)

// retry calls do until it succeeds, fails for a reason that stays, or ctx or
// the patience ends.
func retry(ctx context.Context, do func() error) error {
	began, pause := time.Now(), firstPause
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		limit := transient(err)
		if limit == 0 || time.Since(began)+pause > limit {
			return err
		}
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
			pause = min(time.Duration(seconds)*time.Second, longPause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, longPause)
	}
}

// transient says how long an error is worth trying again; 0 for not at all.
func transient(err error) time.Duration {
	var network net.Error
	var way *url.Error
	switch {
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err), apierrors.IsTimeout(err):
		return patience
	case apierrors.IsInternalError(err):
		if strings.Contains(err.Error(), "failed calling webhook") {
			return webhookPatience
		}
		return patience / 3
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return patience
	case errors.As(err, &network) && network.Timeout() && !errors.Is(err, context.DeadlineExceeded):
		return patience
	case errors.As(err, &way) && !strings.Contains(err.Error(), "x509:") && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded),
		strings.Contains(err.Error(), "Please retry."): // client-go's word for an answer that broke off
		return patience // HTTP/2 has many words for a connection that was cut
	}
	return 0
}
