// Package router is the HTTP side of one connection manager: its filters in
// their order (peer metadata, CORS, faults, gRPC statistics, the router) and,
// for a request, the route that project package route decides, with everything
// that Envoy's router does then: header changes, redirects, direct responses,
// timeouts, retries, mirrors, upgrades, and Envoy's own answers when there is
// nothing to send.
package router

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/route"
)

// Options are what a router shares with the rest of its proxy. Random defaults
// to math/rand/v2, Now to time.Now, Log to nothing; without Telemetry nothing is
// logged or counted.
type Options struct {
	Clusters  *upstream.Clusters
	Telemetry *telemetry.Telemetry
	Random    func() uint64
	Now       func() time.Time
	Log       *slog.Logger
	// Cluster and Node are what add_user_agent tells of this proxy
	// (x-envoy-downstream-service-cluster and -node): the node's cluster and id.
	Cluster, Node string
}

// Router serves the requests of one HTTP connection manager. It is safe for
// concurrent use.
type Router struct {
	o      Options
	m      *manager
	chain  []httpFilter
	log    *telemetry.AccessLog
	stats  []*telemetry.Stats
	counts bool // gRPC messages are counted (envoy.filters.http.grpc_stats)
	table  atomic.Pointer[table]
}

// New compiles a connection manager. The error names every fault and is meant as
// the reason of a NACK. Routes come with SetRoutes: those that are part of the
// manager itself (route_config) are compiled and taken here.
func New(hcm *hcmv3.HttpConnectionManager, o Options) (*Router, error) {
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Router{o: o}
	var faults []error
	var err error
	if r.m, err = newManager(hcm, o); err != nil {
		faults = append(faults, err)
	}
	if err := r.filters(hcm); err != nil {
		faults = append(faults, err)
	}
	if o.Telemetry != nil {
		if r.log, err = o.Telemetry.AccessLogs(hcm.GetAccessLog()); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if rc := hcm.GetRouteConfig(); rc != nil {
		c, err := route.Compile(rc)
		if err != nil {
			return nil, fmt.Errorf("route_config: %w", err)
		}
		r.SetRoutes(c)
	}
	return r, nil
}

// SetRoutes takes a route configuration for all further requests. Nil takes the
// routes away: each request is answered with 404.
func (r *Router) SetRoutes(c *route.Config) {
	if c == nil {
		r.table.Store(nil)
		return
	}
	r.table.Store(r.newTable(c))
}

// ServeHTTP serves one request. It panics with http.ErrAbortHandler where the
// response breaks off after it began, or the client has gone.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange{r: r, w: w, req: req, in: req.Header}
	x.rec.Downstream = flow.From(req.Context())
	x.rec.Start = r.o.Now()
	x.rec.GRPCStatus = -1
	x.serve()
	x.finish()
}
