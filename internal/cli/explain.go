package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/workspace"
)

func newExplain(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "explain KIND/NAME[.FIELD.PATH]",
		Short: "Say why a field of a manifest is there, and what it means",
		Long: `Explain names the model element and the rule or setting that a generated field
comes from, and whether somebody edited it. For fields that meshstorm does not
write, and for KIND[.FIELD.PATH] without a name, it says what the API makes of them.`,
		Example: `  meshstorm explain deploy/order                      # the whole object, rule by rule
  meshstorm explain deploy/order.spec.replicas
  meshstorm explain 'vs/vsvc-order.spec.http[0].match'
  meshstorm explain vs.spec.http.retries              # what a field means`,
		Args:              oneObject,
		ValidArgsFunction: a.objects,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.explain(cmd.Context(), args[0], format) },
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

// oneObject also tells those who write KIND NAME, as kubectl takes it, how it
// is written here.
func oneObject(cmd *cobra.Command, args []string) error {
	if len(args) == 2 && !strings.Contains(args[0]+args[1], "/") {
		return usage("write the object as one word: `%s %s/%s`", cmd.CommandPath(), args[0], args[1])
	}
	if err := oneArg("KIND/NAME[.FIELD.PATH]")(cmd, args); err != nil {
		return err
	}
	if kind, name, ok := strings.Cut(args[0], "/"); ok && (kind == "" || name == "") {
		return usage("%q: expected KIND/NAME[.FIELD.PATH], such as vs/vsvc-order.spec.http", args[0])
	}
	return nil
}

func (a *app) explain(ctx context.Context, query, format string) error {
	if err := output(format, "text", "json"); err != nil {
		return err
	}
	e, err := a.explanation(ctx, query)
	if err != nil {
		return err
	}
	if format == "json" {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	a.writeExplanation(e)
	return nil
}

// explanation needs a workspace only where the question names an object.
func (a *app) explanation(ctx context.Context, query string) (*workspace.Explanation, error) {
	w := &workspace.Workspace{}
	if strings.Contains(query, "/") {
		root, err := a.root(nil)
		if err != nil {
			return nil, err
		}
		if w, err = a.open(ctx, root, nil); err != nil {
			return nil, err
		}
	}
	e, err := w.Explain(query)
	if err != nil {
		return nil, classify(errors.Join(err))
	}
	return e, nil
}

func (a *app) writeExplanation(e *workspace.Explanation) {
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(a.Out, "%-9s %s\n", key, strings.ReplaceAll(value, "\n", "\n          "))
		}
	}
	row("object", strings.TrimSuffix(e.Object.Kind+"/"+e.Object.Name, "/"))
	row("field", e.Field)
	if e.File != "" {
		row("place", fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column))
	}
	switch {
	case e.Value != "":
		row("value", e.Value)
	case e.Field != "" && e.File != "":
		row("value", "(not set in the files)")
	}
	switch {
	case e.Edited && e.Generated == "":
		row("edited", "yes; the last generation did not write it")
	case e.Edited:
		row("edited", "yes; generated was "+e.Generated)
	}
	row("from", e.Source)
	row("why", e.Why)
	if e.Setting != "" {
		row("setting", fmt.Sprintf("%s (%s)", e.Setting, e.Origin))
	}
	if e.Why == "" && e.Value != "" {
		row("why", "not written by meshstorm; it is kept as it is")
	}
	row("type", e.Type)
	row("help", e.Help)
	for _, f := range e.Fields {
		fmt.Fprintln(a.Out)
		fmt.Fprintf(a.Out, "%s: %s\n", f.Field, f.Value)
		row("  why", f.Why)
		if f.Source != e.Source {
			row("  from", f.Source)
		}
		if f.Setting != "" {
			row("  setting", fmt.Sprintf("%s (%s)", f.Setting, f.Origin))
		}
	}
}
