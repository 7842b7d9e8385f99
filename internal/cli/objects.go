package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/workspace"
)

// wanted is what a cluster verb works on: a workspace, or files that have none.
type wanted struct {
	workspace *workspace.Workspace // nil for -f
	name      string               // the workspace's; names the inventory
	namespace string               // the settings'; "" where they do not say
	input     *check.Input
	objects   []cluster.Object
}

// wanted reads the objects of a workspace, or with -f of files.
func (a *app) wanted(ctx context.Context, args, files []string) (*wanted, error) {
	if len(files) > 0 {
		return a.wantedFiles(args, files)
	}
	root, err := a.root(args)
	if err != nil {
		return nil, err
	}
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return nil, err
	}
	in, err := w.CheckInput()
	if err != nil {
		return nil, classify(err)
	}
	want := &wanted{workspace: w, name: w.Settings.Workspace, input: in}
	if w.Settings.Origin("namespace") != "default" {
		want.namespace = w.Settings.Namespace
	}
	if want.objects, err = objectsOf(in); err != nil {
		return nil, err
	}
	if len(want.objects) == 0 {
		return nil, usage("%s has no objects yet; `meshstorm generate` writes them", root)
	}
	return want, nil
}

func (a *app) wantedFiles(args, files []string) (*wanted, error) {
	if len(args) > 0 {
		return nil, usage("name a workspace or files with -f, not both")
	}
	if err := a.enter(); err != nil {
		return nil, err
	}
	in, err := a.filesInput(files)
	if err != nil {
		return nil, err
	}
	want := &wanted{name: "files", input: in}
	if want.objects, err = objectsOf(in); err != nil {
		return nil, err
	}
	if len(want.objects) == 0 {
		return nil, usage("%s: no objects", strings.Join(files, ", "))
	}
	return want, nil
}

// objectsOf turns documents into objects; what is no object is bad input.
func objectsOf(in *check.Input) ([]cluster.Object, error) {
	all, err := cluster.Objects(in.Documents)
	if faults := errors.Join(append(in.Errors, err)...); faults != nil {
		return nil, &exit{ExitUsage, faults}
	}
	return all, nil
}

// clusterError gives an error of the cluster packages its exit code.
func clusterError(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, cluster.ErrInput):
		return &exit{ExitUsage, err}
	case errors.Is(err, cluster.ErrRefused), errors.Is(err, cluster.ErrNoRevision):
		return &exit{ExitNo, err}
	}
	if coded := (*exit)(nil); errors.As(err, &coded) {
		return err
	}
	return outside(err)
}
