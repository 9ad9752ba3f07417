package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/schedule"
)

// scheduledStart is the search attribute in which a Schedule leaves its firing time. It is the nominal time: a firing that comes late,
// after an outage, carries the time at which it should have come.
var scheduledStart = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// scheduledDate is the logical date of the firing that started this workflow; ok is false if no Schedule did.
func scheduledDate(ctx workflow.Context) (date dates.Date, ok bool) {
	fired, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledStart)
	if !ok {
		return "", false
	}
	return schedule.LogicalDate(fired), true
}

// wrongInput makes an error that no retry mends.
func invalidInput(err error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), failure.InvalidInput, nil)
}
