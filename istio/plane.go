package istio

import (
	"context"
	"fmt"
	"runtime"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/kube/krt"
	"istio.io/istio/pkg/log"
)

// plane is istiod's state after it has read everything. Its watchers are
// stopped by then, so it is only read from.
type plane struct {
	env       *model.Environment
	push      *model.PushContext
	generator *core.ConfigGeneratorImpl
	registry  *registry
}

// buildPlane runs istiod's code over the world until it has settled.
func buildPlane(ctx context.Context, w *world) (p *plane, err error) {
	defer recovered(&err, "build Istio's view of the manifests")
	stop := make(chan struct{})
	defer close(stop)

	mesh := w.readMeshConfig()
	env := model.NewEnvironment()
	env.Cache = model.DisabledCache{}
	env.EndpointIndex = model.NewEndpointIndex(env.Cache)
	env.DomainSuffix = w.opts.ClusterDomain
	env.Watcher = meshwatcher.ConfigAdapter(krt.NewStatic(&meshwatcher.MeshConfigResource{MeshConfig: mesh}, true, krt.WithStop(stop)))
	env.NetworksWatcher = meshwatcher.NewFixedNetworksWatcher(nil)
	env.NetworkManager = &model.NetworkManager{}
	r := w.buildRegistry(env.EndpointIndex, mesh.TrustDomain)
	env.ServiceDiscovery = r
	env.Init()

	configs := w.configs
	if err := addEntries(ctx, w, env, r, stop); err != nil {
		return nil, err
	}
	var gateways model.GatewayController
	if w.usesGatewayAPI {
		c, translated, err := translateGatewayAPI(ctx, w, env, stop)
		if err != nil {
			return nil, err
		}
		gateways, configs = c, append(append(configs[:0:0], configs...), translated...)
	}
	push, err := settle(ctx, env, newStore(stop, configs), stop)
	if err != nil {
		return nil, err
	}
	push.GatewayAPIController = gateways
	env.SetPushContext(push)
	return &plane{env: env, push: push, generator: core.NewConfigGenerator(env.Cache), registry: r}, nil
}

// settle reads a store into a push context, which is all that translation
// reads from.
func settle(ctx context.Context, env *model.Environment, s *store, stop chan struct{}) (*model.PushContext, error) {
	env.ConfigStore = s
	env.VirtualServiceController = model.NewVirtualServiceController(s, model.VSControllerOptions{}, env.Watcher)
	go env.VirtualServiceController.Run(stop)
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		close(done)
	}()
	if !env.VirtualServiceController.Collection().WaitUntilSynced(done) {
		return nil, fmt.Errorf("read manifests: %w", context.Cause(ctx))
	}
	push := model.NewPushContext()
	push.InitContext(env, nil, nil)
	return push, nil
}

// silence keeps Istio's packages from writing to stdout, which belongs to the
// results. It is a setting of the process; there is none smaller.
func silence() {
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel)
	}
}

// recovered turns a panic of Istio's code into an error that says what was
// being done.
func recovered(err *error, doing string) {
	if p := recover(); p != nil {
		at := ""
		var pcs [24]uintptr
		frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
		for {
			f, more := frames.Next()
			if name := f.Function; len(name) > 9 && name[:9] == "istio.io/" {
				at = " in " + name
				break
			}
			if !more {
				break
			}
		}
		*err = fmt.Errorf("%s: Istio's code failed with an internal error%s: %v", doing, at, p)
	}
}
