package activities

import (
	"context"
	"errors"

	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// activeRuns returns the one-time runs that have not ended. Each page is a call of its own, with
// its time limit and heartbeat: a busy workspace has many pages.
func (n *Notebooks) activeRuns(ctx context.Context) (active []jobs.BaseRun, err error) {
	all := n.Jobs.ActiveRuns(ctx)
	for {
		var run jobs.BaseRun
		err := n.call(ctx, func(ctx context.Context) (err error) {
			run, err = all.Next(ctx) // a request if the page has no more runs
			return err
		})
		if errors.Is(err, listing.ErrNoMoreItems) {
			return active, nil
		}
		if err != nil {
			return nil, databricksError(ctx, "list active runs", err)
		}
		active = append(active, run)
	}
}
