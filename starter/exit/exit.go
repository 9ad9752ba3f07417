// Package exit holds the exit codes of the starter, and the errors that stand for them.
package exit

import (
	"errors"
	"fmt"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Exit codes, for scripts.
const (
	// Done is success.
	Done = 0
	// Failed is a run that failed, or a command that could not do what was asked.
	Failed = 1
	// Usage is a command that was used wrongly and did nothing.
	Usage = 2
	// Unreachable is a system that cannot be reached, or that rejects the caller.
	Unreachable = 3
)

// UsageError is an error in how a command was used, found before anything was done.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Shown is the error of a command that has already printed what went wrong. It only sets the exit
// code.
type Shown int

func (e Shown) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Code returns the exit code for an error.
func Code(err error) int {
	var shown Shown
	switch {
	case err == nil:
		return Done
	case errors.As(err, &shown):
		return int(shown)
	case errors.As(err, new(*UsageError)):
		return Usage
	case fault.Unusable(err):
		return Unreachable
	}
	return Failed
}
