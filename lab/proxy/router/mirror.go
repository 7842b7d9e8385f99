package router

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/route"
)

// mirror sends copies of the request and forgets them: what becomes of a copy
// never changes what the client sees. A copy has the route's own timeout, or
// 15 s where that is none, so that it ends.
func (x *exchange) mirror(all []route.Mirror) {
	for i := range all {
		m := &all[i]
		if m.Share < 1 && float64(x.r.o.Random()%1_000_000) >= m.Share*1_000_000 {
			continue
		}
		c, ok := x.r.o.Clusters.Get(m.Cluster)
		if !ok {
			continue
		}
		h := make(http.Header, len(m.RequestHeaders))
		replaceHeaders(h, m.RequestHeaders)
		delete(h, "Expect")
		out := &http.Request{
			Method: x.req.Method, URL: &url.URL{Opaque: m.Path}, Host: m.Authority, Header: h,
			Proto: x.req.Proto, ProtoMajor: x.req.ProtoMajor, ProtoMinor: x.req.ProtoMinor,
		}
		if x.upload != nil {
			out.Body, out.ContentLength = x.upload.reader(), x.req.ContentLength
			if out.ContentLength == 0 {
				out.ContentLength = -1
			}
		}
		limit := x.plan.timeout
		if limit <= 0 {
			limit = defaultTimeout
		}
		choice := upstream.Choice{HighPriority: x.plan.high, OriginalDestination: x.rec.Downstream.Local}
		ctx := context.WithoutCancel(x.req.Context())
		go copyTo(ctx, c, choice, out, limit)
	}
}

func copyTo(ctx context.Context, c *upstream.Cluster, choice upstream.Choice, out *http.Request, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if out.Body != nil {
		defer func() { _ = out.Body.Close() }()
	}
	host, err := c.Pick(choice)
	if err != nil {
		return
	}
	resp, err := c.Do(ctx, host, out)
	if err != nil {
		host.Result(0, err)
		return
	}
	host.Result(resp.StatusCode, nil)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}
