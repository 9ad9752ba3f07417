// Starter is the operator's command line: it starts, watches and repairs runs of the DAG, sets the
// systems up, and shows the answers.
//
// Exit codes: 0 done, 1 a run failed, 2 the command was used wrongly, 3 a system cannot be reached.
package main

import (
	"context"
	"os"

	"github.com/pinflow/pinflow/internal/observe"
)

func main() {
	ctx, release := observe.ExitWithParent(context.Background())
	code := newApp().Main(ctx, os.Args[1:])
	release()
	os.Exit(code)
}
