// Package discovery is istiod's program: pilot-discovery as Istio builds it, in
// the place that its pod gives it. It runs in a process of its own, since
// Istio's packages read the environment when the program starts.
package discovery

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"istio.io/istio/pilot/cmd/pilot-discovery/app"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// Run is istiod in the pod. args are the container's, "discovery --domain …".
func Run(s *pod.Spec, args []string) error {
	root, err := os.MkdirTemp("", "istiod-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	if err := lay(root, s.Mounts); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	on := func(flag string, port int) string { return fmt.Sprintf("--%s=%s", flag, s.Address(port)) }
	args = append(args, on("httpAddr", 8080), on("httpsAddr", 15017), on("grpcAddr", 15010), on("secureGRPCAddr", 15012),
		on("monitoringAddr", 15014), "--ctrlz_address="+s.Net.Bind(s.IP).String())
	if kubeconfig := os.Getenv("KUBECONFIG"); kubeconfig != "" {
		args = append(args, "--kubeconfig="+kubeconfig)
	}
	command := app.NewRootCommand()
	command.SetArgs(args)
	return command.Execute()
}

// lay puts the pod's volumes where pilot-discovery looks: it names them
// relative to its working directory (./etc/istio/config/mesh).
func lay(root string, mounts []pod.Mount) error {
	for _, m := range mounts {
		at := filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(m.Path, "/")))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return err
		}
		if err := os.Symlink(m.Host, at); err != nil {
			return fmt.Errorf("lay out %s: %w", m.Path, err)
		}
	}
	return nil
}
