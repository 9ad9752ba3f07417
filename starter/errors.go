package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/aws/smithy-go"

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

// unreachableError says which system cannot be reached, and what to do next.
type unreachableError struct {
	system string // as in "Temporal at 127.0.0.1:7233"
	next   string // what to do, as in "is the stack up? start it with `make stack`, or set TEMPORAL_ADDRESS"
	err    error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("cannot reach %s: %s\n(%v)", e.system, e.next, cause(e.err))
}

func (e *unreachableError) Unwrap() error { return e.err }

// cause is the part of an error that says what went wrong, without the layers that say who was told so.
func cause(err error) error {
	var network *net.OpError
	var answer smithy.APIError
	var operation *smithy.OperationError
	switch {
	case errors.As(err, &network):
		return network
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &operation):
		return operation.Err
	}
	return err
}

// errShown is the error of a command that has already shown what went wrong, as a table or a list: it changes the exit code alone.
type errShown struct{ code int }

func (e errShown) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode is the code for scripts that an error stands for.
func exitCode(err error) int {
	var usage *usageError
	var unreachable *unreachableError
	var shown errShown
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &shown):
		return shown.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unreachable), fault.Unusable(err), errors.As(err, new(*noWorkerError)):
		return exitUnreachable
	}
	return exitFailed
}
