package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/internal/desktop"
	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/simulate"
	"github.com/meshstorm/meshstorm/simulate/answer"
	"github.com/meshstorm/meshstorm/studio"
	"github.com/meshstorm/meshstorm/workspace"
)

// minPassword keeps a studio that others can reach from a guessed password.
const minPassword = 12

type studioFlags struct {
	addr         string
	printURL     bool
	open         bool
	openSaid     bool // --open was given, as true or false
	allowRemote  bool
	passwordFile string
	cert, key    string
	prometheus   string
}

func newStudio(a *app) *cobra.Command {
	f := &studioFlags{}
	cmd := &cobra.Command{
		Use:   "studio [DIR]",
		Short: "Edit models and meshes in a browser",
		Long: `Studio serves a page for the workspaces in a folder, or for one workspace and those beside it: the model,
the generated files, and the mesh as a graph. Files stay the truth: what an editor or git changes shows at once.
It answers on this machine only. The URL that it prints opens the page once, within 60 s; --print-url asks the
running studio for a fresh one. Started at a terminal of a desktop it opens the page there by itself; --open=false
or BROWSER=none leaves that to you.`,
		Example: `  meshstorm studio                    # the workspace around the current folder, or the folder itself
  meshstorm studio examples/12st-mall
  meshstorm studio --print-url        # a fresh URL of the studio that runs
  meshstorm studio --addr 0.0.0.0:8443 --allow-remote --password-file pw --tls-cert c.pem --tls-key k.pem`,
		Args:              atMostOneArg("DIR"),
		ValidArgsFunction: folders,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.openSaid = cmd.Flags().Changed("open")
			return a.studio(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8080", "where to listen; a port that is in use gives way to the next free one")
	flags.BoolVar(&f.printURL, "print-url", false, "print a fresh one-time URL of the studio that runs, and end")
	flags.BoolVar(&f.open, "open", false, "open the page in the desktop's browser too (default: at a terminal of a desktop, without --print-url)")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "let --addr be more than this machine; needs --password-file, --tls-cert and --tls-key")
	flags.StringVar(&f.passwordFile, "password-file", "", "a file with the password that opens a session besides one-time URLs")
	flags.StringVar(&f.cert, "tls-cert", "", "the certificate, PEM; its names are those the studio answers to")
	flags.StringVar(&f.prometheus, "prometheus", "", "address of a Prometheus that scrapes Istio's proxies, for the traffic screen (default: one that is found in the cluster, else the proxies' own counters)")
	flags.StringVar(&f.key, "tls-key", "", "the certificate's key, PEM")
	return cmd
}

func (a *app) studio(ctx context.Context, f *studioFlags, args []string) error {
	root, page, named, err := a.studioFolder(args)
	if err != nil {
		return err
	}
	control, err := studio.ControlFolder(a.Getenv)
	if err != nil {
		return outside(err)
	}
	if f.printURL {
		return a.printURL(ctx, f, control, root, page, named)
	}
	if _, err := studio.Ask(ctx, control, root, page); err == nil {
		fmt.Fprintf(a.Err, "the studio for %s runs; this opens it, once and within 60 s:\n", root)
		return a.printURL(ctx, f, control, root, page, true)
	}
	o, certificate, err := a.studioOptions(f, root)
	if err != nil {
		return err
	}
	l, err := studio.Listen(f.addr)
	if err != nil {
		return outside(err)
	}
	defer l.Close()
	return a.serveStudio(ctx, f, o, l, certificate, control, page)
}

// studioFolder is the folder of workspaces, and the page to open: the
// workspace's, where one is meant. named tells whether the person named it.
func (a *app) studioFolder(args []string) (root, page string, named bool, err error) {
	dir := a.dir
	if len(args) > 0 {
		if dir != "" {
			return "", "", false, usage("name the folder once: as an argument or with -C")
		}
		dir = args[0]
	}
	named = dir != ""
	if !named {
		dir = "."
		if inside, err := workspace.Find(dir); err == nil {
			dir = inside
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", "", false, usage("%s is no folder; name a workspace, or a folder for workspaces", dir)
	}
	if root, err = filepath.Abs(dir); err != nil {
		return "", "", false, outside(err)
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	page = "/"
	if workspace.Is(root) {
		page = "/w/" + filepath.Base(root) + "/model"
		root = filepath.Dir(root)
	}
	return root, page, named, nil
}

func (a *app) printURL(ctx context.Context, f *studioFlags, control, root, page string, named bool) error {
	r, err := studio.Ask(ctx, control, root, page)
	if err != nil && !named {
		root, page = "", "/" // wherever it was started
		r, err = studio.Ask(ctx, control, root, page)
	}
	if err != nil {
		return &exit{ExitNo, err}
	}
	fmt.Fprintln(a.Out, r.URL)
	a.openPage(f, studio.LeadFile(control, r.Root), func() string {
		if r, err := studio.Ask(ctx, control, root, page); err == nil {
			return r.URL
		}
		return ""
	})
	return nil
}

// openPage opens the page in the desktop's browser, where that is wanted, with
// a URL of its own: the printed one stays good for another browser.
func (a *app) openPage(f *studioFlags, file string, url func() string) {
	wanted := f.open
	if !f.openSaid {
		wanted = !f.printURL && a.asks() && desktop.Here(a.Getenv)
	}
	if !wanted {
		return
	}
	if err := desktop.Open(a.Getenv, file, url()); err != nil {
		fmt.Fprintf(a.Err, "the page was not opened by itself (%v); open the URL\n", err)
	}
}

// studioOptions checks what a studio may be reached from, and gives it the
// parts that link Istio.
func (a *app) studioOptions(f *studioFlags, root string) (studio.Options, *tls.Certificate, error) {
	o := studio.Options{
		Root: root, Version: version(), Language: language(a.Getenv), Getenv: a.Getenv, Log: a.log,
		Rules: rules, Ask: askRoute, Fetch: a.download, LabProgram: findLab,
	}
	if f.prometheus != "" {
		o.Prometheus, o.PrometheusToken = f.prometheus, a.Getenv(metrics.TokenVariable)
		if _, err := metrics.Prometheus(o.Prometheus, o.PrometheusToken, nil); err != nil {
			return o, nil, usage("--prometheus: %v", err)
		}
	}
	if self, err := os.Executable(); err == nil {
		o.Program = self
	}
	if f.passwordFile != "" {
		data, err := os.ReadFile(f.passwordFile)
		if err != nil {
			return o, nil, usage("--password-file: %v", err)
		}
		if o.Password = strings.TrimRight(string(data), "\r\n"); len(o.Password) < minPassword {
			return o, nil, usage("--password-file %s: expected a password of at least %d characters", f.passwordFile, minPassword)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return o, nil, usage("--tls-cert and --tls-key go together")
	}
	if !studio.Loopback(f.addr) && (!f.allowRemote || o.Password == "" || f.cert == "") {
		return o, nil, usage("--addr %s can be reached from other machines; that needs --allow-remote with --password-file, --tls-cert and --tls-key", f.addr)
	}
	if f.cert == "" {
		return o, nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return o, nil, usage("--tls-cert %s: %v", f.cert, err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return o, nil, usage("--tls-cert %s: %v", f.cert, err)
	}
	o.TLS, o.Hosts = true, func(host string) bool { return leaf.VerifyHostname(host) == nil }
	return o, &certificate, nil
}

func (a *app) serveStudio(ctx context.Context, f *studioFlags, o studio.Options, l net.Listener, certificate *tls.Certificate, control, page string) error {
	asked := f.addr
	base := "http://" + l.Addr().String()
	if certificate != nil {
		base = "https://" + net.JoinHostPort(certifiedName(certificate, l.Addr()), portOf(l.Addr()))
	}
	if studio.Loopback(asked) {
		o.Addresses = studio.Addresses(l)
	}
	s, err := studio.New(o)
	if err != nil {
		return classify(err)
	}
	defer s.Close()
	if err := s.Control(ctx, control, base); err != nil {
		return outside(err)
	}
	_, wanted, _ := net.SplitHostPort(asked)
	if port := portOf(l.Addr()); port != wanted && wanted != "0" {
		fmt.Fprintf(a.Err, "port %s is in use, so this is port %s\n", wanted, port)
	}
	fmt.Fprintf(a.Err, "the studio serves the workspaces in %s until it is interrupted; this opens it, once and within 60 s\n"+
		"(`meshstorm studio --print-url` prints a fresh one):\n", o.Root)
	fmt.Fprintln(a.Out, s.OneTimeURL(base, page))
	a.openPage(f, studio.LeadFile(control, o.Root), func() string { return s.OneTimeURL(base, page) })
	if err := s.Serve(ctx, l, certificate); err != nil && ctx.Err() == nil {
		return outside(err)
	}
	return nil
}

func portOf(a net.Addr) string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return port
}

// certifiedName is the host to show in URLs: one that browsers accept the
// certificate for.
func certifiedName(c *tls.Certificate, at net.Addr) string {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err == nil && len(leaf.DNSNames) > 0 {
		return leaf.DNSNames[0]
	}
	if err == nil && len(leaf.IPAddresses) > 0 {
		return leaf.IPAddresses[0].String()
	}
	host, _, _ := net.SplitHostPort(at.String())
	return host
}

// rules are those of `meshstorm check`.
func rules(in *check.Input) ([]check.Rule, error) {
	profile, err := assumedProfile("", in)
	if err != nil {
		return nil, err
	}
	return slices.Concat(check.Rules(), analyze.Rules(analyze.Options{Profile: profile})), nil
}

// askRoute answers as `meshstorm route` does.
func askRoute(ctx context.Context, in *check.Input, r answer.Request) (*answer.Answer, error) {
	profile, err := assumedProfile("", in)
	if err != nil {
		return nil, err
	}
	control, err := istio.New(ctx, in.Documents, istio.Options{Namespace: in.Namespace, Profile: profile})
	if err != nil {
		return nil, err
	}
	m := simulate.New(control)
	defer m.Close()
	return m.Ask(ctx, r)
}

// language is what the locale asks for, by the rules of POSIX; "" for neither
// of ours.
func language(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if code, _, _ := strings.Cut(strings.ToLower(v), "_"); code == "ko" || code == "en" {
				return code
			}
			return ""
		}
	}
	return ""
}
