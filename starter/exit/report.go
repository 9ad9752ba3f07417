package exit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Line is an error as -o json prints it, in one line on standard error. It is the last line there:
// remarks about the work can come before it.
type Line struct {
	Error    string `json:"error"`
	ExitCode int    `json:"exitCode"`
	// Hint is what the reader can do, if that is known apart from the error.
	Hint string `json:"hint,omitempty"`
}

// PartError is the error of a command that has printed what is known, but not all.
type PartError struct{ Lost error }

func (e *PartError) Error() string { return fmt.Sprintf("not everything is known: %v", e.Lost) }

// Unwrap returns why something is missing, and the exit code.
func (e *PartError) Unwrap() []error { return []error{e.Lost, Shown(Unreachable)} }

// Hinted is an error that knows what the reader can do.
type Hinted interface {
	error
	Hint() string
}

// ReportJSON writes the error of a command as a Line.
func ReportJSON(to io.Writer, commandPath string, err error) {
	line := Line{Error: err.Error(), ExitCode: Code(err)}
	var (
		classified *fault.Error
		hinted     Hinted
	)
	switch {
	case errors.As(err, new(*UsageError)):
		line.Hint = fmt.Sprintf("see `%s --help`", commandPath)
	case errors.As(err, &hinted):
		line.Hint = hinted.Hint()
	case errors.As(err, &classified):
		line.Hint = classified.Next
	}
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(line) // nobody could be told
}

// ReportText writes the error of a command, and where to read on if it was used wrongly.
func ReportText(to io.Writer, commandPath string, err error) {
	fmt.Fprintf(to, "starter: %v\n", err)
	if errors.As(err, new(*UsageError)) {
		fmt.Fprintf(to, "See `%s --help`.\n", commandPath)
	}
}
