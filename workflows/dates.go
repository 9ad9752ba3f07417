package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// scheduledStart is the search attribute in which a Schedule leaves its firing time. It is the nominal time: a firing that comes late,
// after an outage, carries the time at which it should have come.
var scheduledStart = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// LogicalDate is the date that a firing of a Schedule is for. A date is run when it is over: the logical date is one interval before
// the firing.
func LogicalDate(fired time.Time) dates.Date { return dates.Of(fired.Add(-dates.Interval)) }

// scheduledDate is the logical date of the firing that started this workflow; ok is false if no Schedule did.
func scheduledDate(ctx workflow.Context) (date dates.Date, ok bool) {
	fired, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledStart)
	if !ok {
		return "", false
	}
	return LogicalDate(fired), true
}

// checkDate says what is wrong with a date that is to be run now.
func checkDate(name string, date dates.Date, now time.Time) error {
	if _, err := dates.Parse(string(date)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if date.Start().After(now) {
		return fmt.Errorf("%s: %s is in the future: its data does not exist yet; it can be run from %s UTC on",
			name, date, date.Start().Format(time.DateTime))
	}
	return nil
}

// wrongInput makes an error that no retry mends.
func wrongInput(err error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), activities.ErrorInput, nil)
}
