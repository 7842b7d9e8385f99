package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/workspace"
)

func newNew(a *app) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a workspace of a model",
		Long: `New makes a workspace in a folder that does not exist or is empty. The model comes
from a file as MSA-Ez saves it, from standard input (-), from a URL, or from another
workspace, which is copied with its edits. Without --from the model is empty.
Objects drawn on the original's deployment canvas are taken over.`,
		Example: `  meshstorm new shop --from model.json
  meshstorm new mine --from examples/12st-mall
  curl -s https://example.com/model.json | meshstorm new shop --from -`,
		Args: oneArg("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.new(cmd.Context(), args[0], from) },
	}
	cmd.Flags().StringVar(&from, "from", "", "a model file, a workspace, a URL, or - for standard input")
	return cmd
}

func (a *app) new(ctx context.Context, dir, from string) error {
	if err := a.enter(); err != nil {
		return err
	}
	if from != "" && workspace.Is(from) {
		if err := workspace.Fork(ctx, from, dir); err != nil {
			return classify(err)
		}
		fmt.Fprintf(a.Out, "%s is a copy of the workspace %s\nnext: meshstorm generate %s\n", dir, from, shellQuote(dir))
		return nil
	}
	doc, err := a.model(ctx, from)
	if err != nil {
		return err
	}
	w, g, err := workspace.Create(ctx, dir, doc, workspace.Options{Getenv: a.Getenv})
	if err != nil {
		return classify(err)
	}
	a.reportNew(w, g, dir)
	return nil
}

func (a *app) reportNew(w *workspace.Workspace, g *workspace.Generation, dir string) {
	a.reportProblems(w.Intent)
	var names []string
	for _, s := range w.Intent.Services {
		names = append(names, s.Name)
	}
	switch n := len(names); {
	case n == 0:
		fmt.Fprintf(a.Out, "%s: a workspace with an empty model\n", dir)
	case n <= 12:
		fmt.Fprintf(a.Out, "%s: %s (%s)\n", dir, plural(n, "bounded context"), strings.Join(names, ", "))
	default:
		fmt.Fprintf(a.Out, "%s: %s (%s, …)\n", dir, plural(n, "bounded context"), strings.Join(names[:12], ", "))
	}
	if g != nil {
		a.reportGeneration(g, false)
	}
	if fatal := w.Intent.Fatal(); len(fatal) > 0 {
		fmt.Fprintf(a.Err, "generate will refuse this model until its names are mended:\n  %s\n", strings.ReplaceAll(fixes(fatal), "\n", "\n  "))
	}
	fmt.Fprintf(a.Out, "next: meshstorm generate %s\n", shellQuote(dir))
}

func fixes(problems []deploy.Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Fix)
	}
	return strings.Join(all, "\n")
}

// model reads the model that --from names; none is an empty one.
func (a *app) model(ctx context.Context, from string) (*msaez.Document, error) {
	switch {
	case from == "":
		return msaez.New(""), nil
	case from == "-":
		doc, err := workspace.ReadModel(a.In, "standard input")
		return doc, classify(err)
	case strings.HasPrefix(from, "http://"), strings.HasPrefix(from, "https://"):
		return a.download(ctx, from)
	}
	file, err := os.Open(from)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, usage("--from %s: no such file; name a model file (JSON), a workspace, a URL, or -", from)
		}
		return nil, outside(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, usage("--from %s: the folder holds no %s, so it is no workspace; name the model file in it", from, workspace.ModelFile)
	}
	doc, err := workspace.ReadModel(file, from)
	return doc, classify(err)
}

// downloadTimeout bounds a download that hangs; a model of the largest size
// comes over a slow line in that time.
const downloadTimeout = 2 * time.Minute

func (a *app) download(ctx context.Context, from string) (*msaez.Document, error) {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return nil, usage("--from: %q is no URL", redact(from))
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, usage("--from: %v", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, outside(fmt.Errorf("download %s: %w", redact(from), errors.Unwrap(err)))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
		return nil, outside(fmt.Errorf("download %s: the server answered %s; save the model to a file and name that", redact(from), resp.Status))
	}
	doc, err := workspace.ReadModel(resp.Body, redact(from))
	return doc, classify(err)
}

// redact leaves out what may be secret in a URL: user, password and query.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// shellQuote makes a word that a POSIX shell reads back as it is.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+:@%,=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
