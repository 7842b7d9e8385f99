package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// The argument checks of cobra, with this program's exit code and words.

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func atMostOneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("%s takes one %s at most, but got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s takes one %s, but got %d; see `%s --help`", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// knownCommand names the verb that was probably meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := "see `meshstorm --help`"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("there is no command %q; %s", args[0], hint)
}

// oneShell refuses a shell that there is no script for.
func oneShell(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s %q: expected bash, zsh, fish or powershell", cmd.CommandPath(), args[0])
	}
	return nil
}
