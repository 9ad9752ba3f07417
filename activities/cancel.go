package activities

import (
	"context"
	"fmt"
)

// CancelNotebook cancels a Databricks run and waits until it has ended. A run that has already
// ended is left as it is. The workflow executes it when a try is cancelled: WaitNotebook cancels
// its run, too, but not if no worker was running at the time.
func (n *Notebooks) CancelNotebook(ctx context.Context, in NotebookRun) error {
	run, err := n.cancelRun(ctx, in.RunID)
	if err != nil {
		return databricksError(ctx, fmt.Sprintf("cancel run %d (%s)", in.RunID, in.Link), err)
	}
	if run == nil {
		return fmt.Errorf("run %d was cancelled but has not ended yet; retrying: %s", in.RunID, in.Link)
	}
	return nil
}
