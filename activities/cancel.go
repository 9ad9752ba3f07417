package activities

import (
	"context"
	"fmt"
)

// CancelNotebook cancels a run and waits until it has ended. A run that has ended already is left as it is. The workflow asks for it
// when a try is cancelled: WaitNotebook cancels its run too, but not if no worker was up when the order came.
func (n *Notebooks) CancelNotebook(ctx context.Context, in NotebookRun) error {
	run, err := n.cancelRun(ctx, in.RunID)
	if err != nil {
		return databricksError(ctx, fmt.Sprintf("cancel run %d (%s)", in.RunID, in.Link), err)
	}
	if run == nil {
		return fmt.Errorf("run %d was cancelled but has not ended yet; it is asked again: %s", in.RunID, in.Link)
	}
	return nil
}
