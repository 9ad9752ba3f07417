// Package cli is what all commands have in common: subcommands, output formats, and what they need
// before they run. It knows no DAG and asks no system.
package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/exit"
)

// Annotations of commands.
const (
	// NoSettings marks commands that need no settings, so that broken settings do not stop them.
	NoSettings = "no-settings"
	// AllDAGs marks commands that are not about one DAG. They reject --dag unless the value is OrOne.
	AllDAGs = "all-dags"
	OrOne   = "or-one"
	// forms lists the output formats of a command, separated by blanks; the first is the default.
	forms = "forms"
)

// Annotate sets an annotation of a command and returns the command.
func Annotate(c *cobra.Command, name, value string) *cobra.Command {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[name] = value
	return c
}

// Annotated reports whether the command, or one above it, has the annotation.
func Annotated(c *cobra.Command, annotation string) bool {
	for at := c; at != nil; at = at.Parent() {
		if at.Annotations[annotation] != "" {
			return true
		}
	}
	return false
}

// Prints declares the output formats of a command; the first is the default.
func Prints(c *cobra.Command, all ...string) *cobra.Command {
	return Annotate(c, forms, strings.Join(all, " "))
}

// Forms returns the output formats of a command. A command without data has none.
func Forms(c *cobra.Command) []string { return strings.Fields(c.Annotations[forms]) }

// AsksFor reports whether a command line asks for an output format: also one that could not be parsed
// up to its -o. Parsed is the value of -o, if it was.
func AsksFor(form, parsed string, args []string) bool {
	if parsed != "" {
		return parsed == form
	}
	line := " " + strings.Join(args, " ") + " "
	return slices.ContainsFunc([]string{" -o ", " -o", " -o=", " --output ", " --output="}, func(flag string) bool {
		return strings.Contains(line, flag+form+" ")
	})
}

// Group returns a command that only holds others.
func Group(use, short, id string, commands ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: use, Short: short, GroupID: id, Args: SubcommandArgs, RunE: MissingSubcommand}
	parent.AddCommand(commands...)
	return parent
}

// SubcommandArgs rejects what is not a subcommand, with the nearest names that are.
func SubcommandArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // edits between a name and a typo
	message := fmt.Sprintf("unknown command %q for `%s`", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, ", ") + "?"
	}
	return errors.New(message)
}

// MissingSubcommand shows the subcommands. It is not a success: nothing was asked for.
func MissingSubcommand(c *cobra.Command, _ []string) error {
	if err := c.Help(); err != nil {
		return err
	}
	return exit.Shown(exit.Usage)
}

// CompletionNeedsShell makes `completion` without a known shell an error; cobra only prints the
// help.
func CompletionNeedsShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = SubcommandArgs, MissingSubcommand
		}
	}
}

// BuiltIn reports whether the command is one of cobra's own.
func BuiltIn(c *cobra.Command) bool {
	for at := c; at != nil; at = at.Parent() {
		switch at.Name() {
		case "completion", "help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return true
		}
	}
	return false
}
