package observe

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// ExitWithStdin is the environment variable that ties a process to its parent: if it is 1, the
// process ends when its standard input does. The parent has the other end of that pipe, so that the
// child also ends if the parent is killed.
const ExitWithStdin = "PINFLOW_EXIT_WITH_STDIN"

// ExitWithParent returns a context that is cancelled on SIGINT and SIGTERM, and at the end of
// standard input if PINFLOW_EXIT_WITH_STDIN=1; context.Cause returns which. A second signal ends
// the process at once. The returned function removes the signal handler.
func ExitWithParent(parent context.Context) (context.Context, context.CancelFunc) {
	var stdin io.Reader
	if os.Getenv(ExitWithStdin) == "1" {
		stdin = os.Stdin
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return watch(parent, signals, func() { signal.Stop(signals) }, stdin)
}

// watch cancels the context on the first signal or at the end of stdin, and then restores the
// default effect of signals.
func watch(parent context.Context, signals <-chan os.Signal, restore func(), stdin io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	context.AfterFunc(ctx, restore)
	go func() {
		select {
		case sig := <-signals:
			cancel(fmt.Errorf("got signal: %s", sig))
		case <-ctx.Done():
		}
	}()
	if stdin != nil {
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // an error also means that the parent has gone
			cancel(fmt.Errorf("the parent process has ended: standard input is at its end (%s=1)", ExitWithStdin))
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}
