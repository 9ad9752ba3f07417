package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// errorLine is an error as -o json prints it, in one line on standard error. It is the last line there:
// remarks about the work can come before it.
type errorLine struct {
	Error    string `json:"error"`
	ExitCode int    `json:"exitCode"`
	// Hint is what the reader can do, if that is known apart from the error.
	Hint string `json:"hint,omitempty"`
}

// partError is the error of a command that has printed what is known, but not all.
type partError struct{ lost error }

func (e *partError) Error() string { return fmt.Sprintf("not everything is known: %v", e.lost) }

// Unwrap returns why something is missing, and the exit code.
func (e *partError) Unwrap() []error { return []error{e.lost, exit.Shown(exit.Unreachable)} }

// report prints an error, and where to read on if the command was used wrongly.
func (a *app) report(command *cobra.Command, err error, asJSON bool) {
	var part *partError
	switch {
	case err == nil || errors.As(err, new(exit.Shown)) && !errors.As(err, &part):
	case asJSON:
		a.reportJSON(command, err)
	case errors.As(err, new(*exit.UsageError)):
		a.Log("starter: %v\nSee `%s --help`.", err, command.CommandPath())
	default:
		a.Log("starter: %v", err)
	}
}

func (a *app) reportJSON(command *cobra.Command, err error) {
	f := errorLine{Error: err.Error(), ExitCode: exit.Code(err)}
	var (
		classified *fault.Error
		blocked    *history.BlockedError
	)
	switch {
	case errors.As(err, new(*exit.UsageError)):
		f.Hint = fmt.Sprintf("see `%s --help`", command.CommandPath())
	case errors.As(err, &blocked):
		f.Hint = blocked.WayOut
	case errors.As(err, &classified):
		f.Hint = classified.Next
	}
	encoder := json.NewEncoder(a.Err)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(f) // nobody could be told
}

// asksForJSON reports whether the command line asks for JSON: also one that could not be parsed up to
// its -o.
func asksForJSON(output string, args []string) bool {
	if output != "" {
		return output == formJSON
	}
	line := " " + strings.Join(args, " ") + " "
	return slices.ContainsFunc([]string{" -o json ", " -ojson ", " -o=json ", " --output json ", " --output=json "}, func(flag string) bool {
		return strings.Contains(line, flag)
	})
}
