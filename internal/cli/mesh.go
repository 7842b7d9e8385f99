package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/simulate"
	"github.com/meshstorm/meshstorm/workspace"
)

// mesh is a simulated mesh and what it was made of.
type mesh struct {
	*simulate.Mesh
	in *check.Input
	// faulty is true where a part of the manifests could not be used; the
	// answers hold for the rest, and the exit code says so.
	faulty bool
}

// mesh makes the mesh of a workspace, or of the manifests that files name, and
// says on stderr what of them cannot be used.
func (a *app) mesh(ctx context.Context, dir []string, files []string, profile string) (*mesh, error) {
	in, err := a.manifests(ctx, dir, files)
	if err != nil {
		return nil, err
	}
	return a.simulate(ctx, in, profile)
}

// manifests gathers a workspace, or the YAML of files and folders.
func (a *app) manifests(ctx context.Context, dir []string, files []string) (*check.Input, error) {
	if len(files) == 0 {
		in, err := a.checkInput(ctx, dir)
		if errors.Is(err, workspace.ErrNone) {
			return nil, usage("%w; -f FILE names manifests without a workspace", err)
		}
		return in, err
	}
	if len(dir) > 0 {
		return nil, usage("name a workspace or manifests with -f, not both")
	}
	if err := a.enter(); err != nil {
		return nil, err
	}
	if len(files) == 1 && workspace.Is(files[0]) {
		return a.checkInput(ctx, files)
	}
	return a.filesInput(files)
}

func (a *app) simulate(ctx context.Context, in *check.Input, profile string) (*mesh, error) {
	profile, err := assumedProfile(profile, in)
	if err != nil {
		return nil, err
	}
	m := &mesh{in: in}
	for _, err := range in.Errors {
		m.faulty = true
		fmt.Fprintln(a.Err, "meshstorm: "+strings.ReplaceAll(err.Error(), "\n", "\nmeshstorm: "))
	}
	for _, d := range in.Documents {
		if d.ID.Kind == "" && d.Node != nil {
			m.faulty = true
			fmt.Fprintf(a.Err, "meshstorm: %s:%d: no Kubernetes object: apiVersion or kind is missing\n", d.Path, d.Line)
		}
	}
	control, err := istio.New(ctx, in.Documents, istio.Options{Namespace: in.Namespace, Profile: profile})
	if err != nil {
		return nil, classify(err)
	}
	m.Mesh = simulate.New(control)
	for _, p := range control.Problems() {
		m.faulty = m.faulty || !p.Note
		fmt.Fprintln(a.Err, "meshstorm: "+p.Message)
	}
	return m, nil
}

// errPartly is the exit code of a run whose input was partly unusable; what
// was wrong has been said.
func (m *mesh) errPartly() error {
	if m.faulty {
		return &exit{code: ExitUsage}
	}
	return nil
}

var errNoURL = errors.New("expected METHOD URL, such as `meshstorm route GET http://shop.example/orders`, or a URL alone for GET")
