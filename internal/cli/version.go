package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/workspace"
)

// Version is set by release builds (-ldflags -X); others say which commit they
// were built from, as far as Go knows.
var Version = ""

// istioModule is the version of Istio whose code meshstorm judges with: the
// release-1.31 branch, eight days after 1.31.0-rc.0.
const istioVersion = "1.31 (release branch of 2026-08-27)"

type versionInfo struct {
	APIVersion string `json:"apiVersion"`
	Version    string `json:"version"`
	Istio      string `json:"istio"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
}

func newVersion(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := output(format, "text", "json"); err != nil {
				return err
			}
			v := versionInfo{workspace.APIVersion, version(), istioVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if format == "json" {
				enc := json.NewEncoder(a.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(v)
			}
			fmt.Fprintf(a.Out, "meshstorm %s\nistio     %s\ngo        %s %s\n", v.Version, v.Istio, v.Go, v.Platform)
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
