package observe

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// ExitWithStdin names the variable of the environment that ties a process to its parent: if it is 1, the process ends when its standard
// input ends. The parent holds the other end of that pipe, so the child also ends if the parent is killed without a chance to say so.
const ExitWithStdin = "PINFLOW_EXIT_WITH_STDIN"

// ExitWithParent returns a context that is cancelled on SIGINT and SIGTERM, and, if PINFLOW_EXIT_WITH_STDIN=1, at the end of standard input.
// context.Cause says which. A second signal ends the process at once, as if it had no handler. The returned function releases the handler.
func ExitWithParent(parent context.Context) (context.Context, context.CancelFunc) {
	var stdin io.Reader
	if os.Getenv(ExitWithStdin) == "1" {
		stdin = os.Stdin
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return watch(parent, signals, func() { signal.Stop(signals) }, stdin)
}

// watch cancels the context on the first signal or at the end of stdin, and then calls restore: from then on signals have their default effect.
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
			_, _ = io.Copy(io.Discard, stdin) // an input that cannot be read has no writer either
			cancel(fmt.Errorf("the parent process has ended: standard input is at its end (%s=1)", ExitWithStdin))
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}
