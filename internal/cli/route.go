package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

type routeFlags struct {
	method  string
	headers []string
	from    string
	files   []string
	profile string
	output  string
	random  uint64
}

func newRoute(a *app) *cobra.Command {
	f := &routeFlags{}
	cmd := &cobra.Command{
		Use:   "route [METHOD] URL",
		Short: "Say what the mesh will do with a request, and why",
		Long: `Route turns the manifests into what istiod would send to a proxy, with istiod's own
code, and follows one request through it: which rule takes it and why the others do
not, where it goes and in what shares, what is changed on the way, and what the client
gets where it fails. Nothing runs, and no cluster is asked. Without a method it is
GET; -X, -H and a "Host" header mean what they mean for curl.`,
		Example: `  meshstorm route GET http://shop.example/orders/1              # at the ingress gateway
  meshstorm route POST http://order:8080/orders --from delivery # as a service's sidecar
  meshstorm route GET http://shop.example/ -H 'x-user: tester' -o json
  meshstorm route GET http://shop.example/api -f manifests/     # any YAML
  kubectl get vs,dr,gw,svc,deploy -A -o yaml | meshstorm route GET http://shop.example/ -f -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 || len(args) == 1 && http.MethodGet == strings.ToUpper(args[0]) {
				return &exit{ExitUsage, errNoURL}
			}
			if len(args) == 2 && f.method != "" && args[0] != f.method {
				return usage("the method is %s or %s; name it once, before the URL or with -X", args[0], f.method)
			}
			return nil
		},
		ValidArgsFunction: a.request(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := answer.Request{Method: f.method, URL: args[len(args)-1], From: f.from}
			if len(args) == 2 {
				r.Method = args[0]
			}
			if cmd.Flags().Changed("random") {
				r.Random = &f.random
			}
			return a.route(cmd.Context(), f, r)
		},
	}
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "a request header, 'NAME: VALUE'; may be repeated")
	cmd.Flags().StringVarP(&f.method, "request", "X", "", "the method, for those who are used to curl's -X; default: GET")
	cmd.Flags().StringVar(&f.from, "from", "gateway", "who asks: gateway, gateway:NAME[.NAMESPACE], or the SERVICE[.NAMESPACE] whose sidecar sends it")
	cmd.Flags().StringArrayVarP(&f.files, "filename", "f", nil, "manifests instead of the workspace: YAML files, folders, or - for standard input; may be repeated")
	profileFlag(cmd, &f.profile)
	cmd.Flags().Uint64Var(&f.random, "random", 0, "the random number that weights and fractions draw; default: show the whole split")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	completeFlag(cmd, "from", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.callers(cmd.Context(), f.files), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (a *app) route(ctx context.Context, f *routeFlags, r answer.Request) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	var err error
	if r.Headers, err = headers(f.headers); err != nil {
		return err
	}
	m, err := a.mesh(ctx, nil, f.files, f.profile)
	if err != nil {
		return err
	}
	defer m.Close()
	ans, err := m.Ask(ctx, r)
	if err != nil {
		return classify(err)
	}
	if f.output == "json" {
		err = writeJSON(a, ans)
	} else {
		err = answer.WriteText(a.Out, ans)
	}
	if err != nil {
		return outside(err)
	}
	return m.errPartly()
}

func headers(lines []string) ([]route.Header, error) {
	var all []route.Header
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usage("-H %q: expected 'NAME: VALUE'", line)
		}
		all = append(all, route.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	return all, nil
}

func writeJSON(a *app, value any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
