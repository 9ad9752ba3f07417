package main

import (
	"errors"
	"fmt"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Exit codes of the starter, for scripts.
const (
	exitDone        = 0 // done
	exitFailed      = 1 // a run failed, or the command could not do what was asked
	exitUsage       = 2 // the command was used wrongly: nothing was done
	exitUnreachable = 3 // a system cannot be reached
)

// usageError says what is wrong with how the command was used, before anything was done.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errShown is the error of a command that has already shown what went wrong, as a table or a list: it changes the exit code alone.
type errShown struct{ code int }

func (e errShown) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode is the code for scripts that an error stands for.
func exitCode(err error) int {
	var usage *usageError
	var shown errShown
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &shown):
		return shown.code
	case errors.As(err, &usage):
		return exitUsage
	case fault.Unusable(err):
		return exitUnreachable
	}
	return exitFailed
}
