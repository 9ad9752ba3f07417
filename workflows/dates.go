package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/schedule"
)

// scheduledStart is the search attribute that a Schedule sets to the nominal firing time: a firing
// that happens late, after an outage, has the time at which it was due.
var scheduledStart = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// scheduledDate returns the logical date of the firing that started this workflow. ok is false if
// no Schedule started it.
func scheduledDate(ctx workflow.Context) (date dates.Date, ok bool) {
	fired, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledStart)
	if !ok {
		return "", false
	}
	return schedule.LogicalDate(fired), true
}

// invalidInput returns the error of input that no retry can fix.
func invalidInput(err error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), failure.InvalidInput, nil)
}
