package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/studio/graph"
	"github.com/meshstorm/meshstorm/studio/picture"
	"github.com/meshstorm/meshstorm/workspace"
)

type screenshotFlags struct {
	out   string
	theme string
	lang  string
	scale float64
	model bool
}

func newScreenshot(a *app) *cobra.Command {
	f := &screenshotFlags{}
	cmd := &cobra.Command{
		Use:   "screenshot [DIR] --out FILE",
		Short: "Draw a workspace's deployment, or its model, as SVG or PNG",
		Long: `Screenshot draws what the studio's deploy screen shows at first, without a browser: gateways, routes with their
weights, subsets, services and workloads, at the places that people gave them there. The same files give the
same picture, byte for byte. An SVG has the graph itself in its metadata, as JSON. With --model it draws the
EventStorming board instead.`,
		Example: `  meshstorm screenshot --out docs/deploy.svg
  meshstorm screenshot shop --out deploy.png --theme dark --scale 2
  meshstorm screenshot --model --out docs/model.svg
  meshstorm screenshot --out - > deploy.svg`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.screenshot(cmd.Context(), f, args) },
	}
	cmd.Flags().StringVar(&f.out, "out", "", "file to write, *.svg or *.png; - for SVG on standard output")
	cmd.Flags().StringVar(&f.theme, "theme", "light", "light or dark")
	cmd.Flags().StringVar(&f.lang, "lang", "", "en or ko, of the title and of the stickers' kinds (default: the locale's)")
	cmd.Flags().Float64Var(&f.scale, "scale", 2, "of a PNG: pixels for each pixel of the screen")
	cmd.Flags().BoolVar(&f.model, "model", false, "draw the model's board instead of the deployment")
	return cmd
}

func (a *app) screenshot(ctx context.Context, f *screenshotFlags, args []string) error {
	kind := strings.ToLower(filepath.Ext(f.out))
	switch {
	case f.out == "":
		return usage("--out: name a file that ends with .svg or .png, or - for SVG on standard output")
	case f.out == "-":
		kind = ".svg"
	case kind != ".svg" && kind != ".png":
		return usage("--out %s: expected a name that ends with .svg or .png", f.out)
	case f.theme != "light" && f.theme != "dark":
		return usage("--theme %s: expected light or dark", f.theme)
	case f.lang != "" && f.lang != "en" && f.lang != "ko":
		return usage("--lang %s: expected en or ko", f.lang)
	case f.scale < 0.1 || f.scale > 10:
		return usage("--scale %g: expected 0.1 to 10", f.scale)
	}
	root, err := a.root(args)
	if err != nil {
		return err
	}
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return err
	}
	o := picture.Options{Name: w.Settings.Workspace, Dark: f.theme == "dark", Korean: cmp.Or(f.lang, language(a.Getenv)) == "ko"}
	d := picture.Board(w.Document.Model, o)
	if !f.model {
		if d, err = a.deployment(w, root, o); err != nil {
			return err
		}
	}
	data, err := d.SVG()
	if kind == ".png" {
		var missing bool
		if data, missing, err = d.PNG(f.scale); missing {
			fmt.Fprintln(a.Err, "some letters are missing in the picture: no font with them was found; install one with Hangul (Debian: fonts-nanum), or write an SVG")
		}
	}
	if err != nil {
		return outside(err)
	}
	if f.out == "-" {
		_, err = a.Out.Write(data)
		return err
	}
	if err := manifest.WriteFile(f.out, data, 0o644); err != nil {
		return outside(err)
	}
	return nil
}

// deployment draws what a workspace's files deploy.
func (a *app) deployment(w *workspace.Workspace, root string, o picture.Options) (*picture.Drawing, error) {
	in, err := w.CheckInput()
	if err != nil {
		return nil, classify(err)
	}
	for _, e := range in.Errors {
		fmt.Fprintln(a.Err, "left out:", e)
	}
	places, err := placesOf(root)
	if err != nil {
		return nil, outside(err)
	}
	g := graph.Of(in, nil)
	return picture.Deployment(&g, places, o), nil
}

// placesOf reads where people put the objects; without a file nowhere.
func placesOf(root string) (map[string]canvas.Box, error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(workspace.LayoutFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var l canvas.Layout
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove the file to have objects laid out anew", workspace.LayoutFile, err)
	}
	return l.Objects, nil
}
