// Command workers is Pinflow's worker: the process that runs its workflows and activities. Any
// number of them can run.
//
// On SIGINT and SIGTERM it shuts down: it takes no more work and waits for running activities, for
// PINFLOW_WORKER_STOP_TIMEOUT at most. A second signal ends it at once. Exit codes: 0 shut down, 1
// failed, 2 invalid settings, 3 a system cannot be reached.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/observe"
)

// Exit codes, for scripts and platforms.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

func main() {
	ctx, release := observe.ExitWithParent(context.Background())
	code := Main(ctx, os.Args[1:], os.Stderr)
	release()
	os.Exit(code)
}

// Main runs the worker until the context ends and returns the exit code. Logs and errors go to
// stderr.
func Main(ctx context.Context, args []string, stderr io.Writer) int {
	err := work(ctx, args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "workers:", err)
	}
	return exitCode(err)
}

// settingsError is an error that the operator fixes in the settings.
type settingsError struct{ err error }

func (e *settingsError) Error() string { return e.err.Error() }

func (e *settingsError) Unwrap() error { return e.err }

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, new(*settingsError)):
		return exitUsage
	case fault.Unusable(err):
		return exitUnreachable
	}
	return exitFailed
}
