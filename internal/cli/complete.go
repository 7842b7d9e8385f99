package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
)

// Completion offers what the manifests have. It says nothing about what is
// wrong with them: that would stand in the middle of a command line.

type complete = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// flagValues completes a flag by a fixed list.
func flagValues(cmd *cobra.Command, flag string, values ...string) {
	completeFlag(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

func completeFlag(cmd *cobra.Command, flag string, f complete) {
	_ = cmd.RegisterFlagCompletionFunc(flag, f) // fails only for a flag that is not there
}

// profileFlag adds --profile.
func profileFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "profile", "", "Istio's installation profile to assume; default: istioProfile of the settings, else demo")
	flagValues(cmd, "profile", analyze.Profiles()...)
}

// folders completes one folder.
func folders(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// quietly gathers manifests for completion.
func (a *app) quietly(ctx context.Context, files []string) *check.Input {
	if slices.Contains(files, stdin) { // the shell's, not ours
		return &check.Input{}
	}
	in, err := a.manifests(ctx, nil, files)
	if err != nil {
		return &check.Input{}
	}
	return in
}

// callers are the names that --from takes.
func (a *app) callers(ctx context.Context, files []string) []string {
	in := a.quietly(ctx, files)
	all := []string{"gateway"}
	for _, d := range in.Documents {
		if d.ID.Kind == "Service" && d.ID.Group == "" {
			if name := short(d.ID.Name, d.ID.Namespace, in.Namespace); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// short is NAME, or NAME.NAMESPACE in another namespace than the workspace's.
func short(name, namespace, home string) string {
	if home == "" {
		home = "default"
	}
	if namespace == "" || namespace == home {
		return name
	}
	return name + "." + namespace
}

// urls begins the URLs of the services, for a request from inside the mesh,
// and of the hosts that rules name.
func (a *app) urls(ctx context.Context, files []string) []string {
	in := a.quietly(ctx, files)
	var all []string
	for _, d := range in.Documents {
		var o struct {
			Spec struct {
				Ports []struct{ Port int }
				Hosts []string
			}
		}
		if d.Node == nil || d.Node.Decode(&o) != nil {
			continue
		}
		switch d.ID.Kind {
		case "Service":
			for _, p := range o.Spec.Ports {
				all = append(all, fmt.Sprintf("http://%s:%d/", short(d.ID.Name, d.ID.Namespace, in.Namespace), p.Port))
			}
		case "VirtualService":
			for _, h := range o.Spec.Hosts {
				if strings.Contains(h, ".") && !strings.Contains(h, "*") && !strings.HasSuffix(h, ".cluster.local") {
					all = append(all, "http://"+h+"/")
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// request completes METHOD URL.
func (a *app) request(f *routeFlags) complete {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		only := cobra.ShellCompDirectiveNoFileComp
		switch {
		case len(args) == 0 && f.method == "":
			return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}, only
		case len(args) <= 1:
			return a.urls(cmd.Context(), f.files), only | cobra.ShellCompDirectiveNoSpace
		}
		return nil, only
	}
}

// objects completes KIND/NAME of the workspace's manifests.
func (a *app) objects(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var all []string
	if len(args) == 0 {
		for _, d := range a.quietly(cmd.Context(), nil).Documents {
			if d.ID.Name != "" {
				all = append(all, strings.ToLower(d.ID.Kind)+"/"+d.ID.Name)
			}
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
