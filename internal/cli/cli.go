// Package cli is the command line: one file per verb, each a thin face of the
// packages that do the work. It takes arguments and streams and gives an exit
// code: 0 done, 1 the answer is "no", 2 usage or bad input, 3 an outside thing
// failed, 130 interrupted.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/internal/terminal"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// Exit codes.
const (
	ExitOK          = 0
	ExitNo          = 1
	ExitUsage       = 2
	ExitOutside     = 3
	ExitInterrupted = 130
)

// Streams is what a command reads, writes and knows of its surroundings.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Terminal bool // Out is a terminal
}

// System returns the process's own streams.
func System() Streams {
	info, err := os.Stdout.Stat()
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
}

// color reports whether to colour: only on a terminal that can, and never with
// NO_COLOR (no-color.org).
func (s Streams) color() bool {
	return s.Terminal && s.Getenv("NO_COLOR") == "" && s.Getenv("TERM") != "dumb"
}

// exit is an error that carries its exit code; a nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// no is the answer "no": the command did its work and has said what is wrong.
func no() error { return &exit{code: ExitNo} }

func usage(format string, args ...any) error {
	return &exit{code: ExitUsage, err: fmt.Errorf(format, args...)}
}

func outside(err error) error { return &exit{code: ExitOutside, err: err} }

// app carries what the global flags say.
type app struct {
	Streams
	dir       string // -C
	entered   string // the -C that paths are relative to by now
	logLevel  string
	logFormat string
	log       *slog.Logger
}

// Main runs one command line and returns the exit code.
func Main(args []string, streams Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := &latch{to: streams.Out}
	streams.Out, streams.In = out, patient{ctx, streams.In}
	root := newRoot(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = outside(fmt.Errorf("write the answer: %w", out.err))
	}
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(streams.Err, "meshstorm: interrupted; nothing is half-written")
		return ExitInterrupted
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(streams.Err, "meshstorm: "+strings.ReplaceAll(msg, "\n", "\nmeshstorm: "))
	}
	if coded := (*exit)(nil); errors.As(err, &coded) {
		return coded.code
	}
	return ExitUsage
}

func newRoot(streams Streams) *cobra.Command {
	a := &app{Streams: streams}
	root := &cobra.Command{
		Use:   "meshstorm",
		Short: "From an EventStorming model to a running, tested service mesh",
		Long: `meshstorm reads an EventStorming model as MSA-Ez saves it, derives the Kubernetes
and Istio objects that it stands for, keeps what people change in them, and says
what is wrong before anything is applied.`,
		Example: `  meshstorm new shop --from model.json   # make a workspace of a model
  meshstorm generate shop                # write kubernetes/template/*.yml
  meshstorm check shop                   # what is wrong, and how to mend it
  meshstorm route -C shop GET http://shop.example/orders/1   # what will happen to a request
  meshstorm explain -C shop vsvc/vsvc-order.spec.http`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.setLog() },
		Args:              knownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; see `%s --help`", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.dir, "directory", "C", "", "the workspace, or the folder that paths are relative to; default: the nearest parent folder with a storm.json")
	flags.StringVar(&a.logLevel, "log-level", "warn", "what to log: debug, info, warn or error")
	flags.StringVar(&a.logFormat, "log-format", "text", "how to log, and how to say how far an apply is: text or json")
	flagValues(root, "log-level", "debug", "info", "warn", "error")
	flagValues(root, "log-format", "text", "json")
	completeFlag(root, "directory", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	root.AddCommand(newNew(a), newGenerate(a), newCheck(a), newRoute(a), newTest(a), newCompare(a), newExplain(a),
		newDiff(a), newApply(a), newDelete(a), newHistory(a), newUndo(a),
		newGet(a), newIstio(a), newShift(a), newCanary(a), newImport(a), newStudio(a), newScreenshot(a), newLab(a), newVersion(a))
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = oneShell, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	return root
}

func (a *app) setLog() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usage("--log-level %q: expected debug, info, warn or error", a.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.Err, options))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.Err, options))
	default:
		return usage("--log-format %q: expected text or json", a.logFormat)
	}
	return nil
}

// progress shows on stderr how far an apply is; in the log's own form where that
// is JSON.
func (a *app) progress() *terminal.Progress {
	p := terminal.NewProgress(a.Err, a.Getenv)
	if a.logFormat == "json" {
		p.Terminal, p.JSON = false, true
	}
	return p
}

// root finds the workspace that a command means: its argument, else -C, else
// the folder it runs in.
func (a *app) root(args []string) (string, error) {
	dir := a.dir
	if len(args) > 0 {
		if dir != "" {
			return "", usage("name the workspace once: as an argument or with -C")
		}
		dir = args[0]
	}
	if dir == "" {
		dir = "."
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", usage("%s is no folder; name a workspace, or make one with `meshstorm new %s`", dir, dir)
	}
	root, err := workspace.Find(dir)
	if err != nil {
		return "", &exit{ExitUsage, err}
	}
	return root, nil
}

func (a *app) open(ctx context.Context, root string, toppings []string) (*workspace.Workspace, error) {
	w, err := workspace.Open(ctx, root, workspace.Options{Getenv: a.Getenv, Toppings: toppings})
	if err != nil {
		return nil, classify(err)
	}
	return w, nil
}

// classify gives an error its exit code: what the disk refuses is an outside
// failure, everything else is input.
func classify(err error) error {
	var path *os.PathError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, manifest.ErrLocked):
		return outside(err)
	case errors.As(err, &path) && !errors.Is(err, os.ErrNotExist):
		return outside(err)
	}
	if coded := (*exit)(nil); errors.As(err, &coded) {
		return err
	}
	return &exit{ExitUsage, err}
}

// output checks the value of -o.
func output(value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return usage("-o %q: expected %s", value, strings.Join(allowed, ", "))
}
