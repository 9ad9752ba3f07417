// Command workers is Pinflow's worker: the process that runs its workflows and activities. Any
// number of them can run.
//
// On SIGINT and SIGTERM it shuts down: it takes no more work and waits for running activities, for
// PINFLOW_WORKER_STOP_TIMEOUT at most. A second signal ends it at once. Exit codes: 0 shut down, 1
// failed, 2 invalid settings, 3 a system cannot be reached. With -health it asks the worker that runs
// with the same settings for its health, and exits with 1 unless it is healthy.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/healthcheck"
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
	do := work
	if slices.Equal(args, []string{"-health"}) {
		do = checkHealth
	}
	err := do(ctx, args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "workers:", err)
	}
	return exitCode(err)
}

// checkHealth asks the worker that runs with these settings for its health, as the health check of its
// container.
func checkHealth(ctx context.Context, _ []string, _ io.Writer) error {
	settings, err := config.Load()
	if err != nil {
		return &settingsError{err}
	}
	return healthcheck.Check(ctx, settings.WorkerAddress, false)
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
