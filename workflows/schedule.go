package workflows

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// CatchupWindow is how late a firing may come after an outage of Temporal: less than a day, so that the last one is made up and older
// ones stay gaps. What is older is for an operator to fill, never silently.
const CatchupWindow = 24*time.Hour - time.Minute

// Schedule is the Schedule of a daily DAG: whenever the specification fires it starts a range of one date, the day that has ended last.
// It fails if the specification cannot be read; ScheduleSpec.Check says whether it is also a good one.
//
// The specification goes to Temporal as a calendar, not as a cron expression: Temporal would keep neither its text nor its meaning, and a
// comparison with what is there could not be exact. No jitter: the boundary between two dates is asked for when the date ends. Firings do
// not wait for each other: a date that hangs must not cost the next one its run, and pools keep their writes apart.
func Schedule(dag string, spec ScheduleSpec) (client.ScheduleOptions, error) {
	tab, err := spec.parse()
	if err != nil {
		return client.ScheduleOptions{}, err
	}
	calendar := tab.calendar()
	calendar.Comment = fmt.Sprintf("%s: the logical date is the day that has ended last", spec)
	return client.ScheduleOptions{
		ID:   ScheduleID(dag),
		Spec: client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{calendar}, TimeZoneName: spec.zone()},
		Action: &client.ScheduleWorkflowAction{
			ID:                    scheduledPrefix(dag), // Temporal adds the firing time
			Workflow:              RangeWorkflow,
			Args:                  []any{RangeInput{DAG: dag, Trigger: Scheduled, Reprocess: ReprocessFailed}},
			TaskQueue:             TaskQueue,
			TypedSearchAttributes: rangeAttributes(dag, Scheduled),
			StaticSummary:         fmt.Sprintf("%s of the day that has ended", dag),
			Priority:              priority(Scheduled),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
		CatchupWindow: CatchupWindow,
	}, nil
}

func scheduledPrefix(dag string) string { return dag + "-scheduled" }

// ScheduledRangeID is the workflow id of the range that a firing starts: Temporal adds the firing time to the action's id.
func ScheduledRangeID(dag string, fired time.Time) string {
	return scheduledPrefix(dag) + "-" + fired.UTC().Truncate(time.Second).Format(time.RFC3339)
}
