// Package process ties the stack's processes together: none of them outlives the one that started it, however that one ends.
package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// ExitWithStdin names the variable of the environment that ties a process to its parent: if it is 1, the process ends when its standard
// input ends. The parent holds the other end of that pipe, so the process also ends if its parent is killed without a chance to say so.
const ExitWithStdin = "PINFLOW_EXIT_WITH_STDIN"

// Context returns a context that is cancelled on SIGINT and SIGTERM and, if PINFLOW_EXIT_WITH_STDIN=1, at the end of standard input.
// context.Cause says which. A second signal ends the process at once. The returned function releases the handler.
func Context(parent context.Context) (context.Context, context.CancelFunc) {
	var stdin io.Reader
	if os.Getenv(ExitWithStdin) == "1" {
		stdin = os.Stdin
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return watch(parent, signals, func() { signal.Stop(signals) }, stdin)
}

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
			cancel(fmt.Errorf("the parent process has ended (%s=1)", ExitWithStdin))
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}
