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

// Schedule is the Schedule of a daily DAG: every day at 00:00 UTC it starts a range of one date, the day that has just ended.
//
// UTC, as a zone with summer time fires zero or two times on two days of the year. No jitter: the boundary between two dates is asked
// for at midnight. Firings do not wait for each other: a date that hangs must not cost the next one its run, and pools keep their
// writes apart.
func Schedule(dag string) client.ScheduleOptions {
	in := RangeInput{DAG: dag, Trigger: Scheduled, Reprocess: ReprocessFailed}
	return client.ScheduleOptions{
		ID: ScheduleID(dag),
		Spec: client.ScheduleSpec{
			Calendars: []client.ScheduleCalendarSpec{{
				Hour:    []client.ScheduleRange{{Start: 0}},
				Minute:  []client.ScheduleRange{{Start: 0}},
				Second:  []client.ScheduleRange{{Start: 0}},
				Comment: "every day, when the logical date is over",
			}},
			TimeZoneName: "UTC",
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    dag + "-scheduled", // Temporal adds the firing time
			Workflow:              RangeWorkflow,
			Args:                  []any{in},
			TaskQueue:             TaskQueue,
			TypedSearchAttributes: rangeAttributes(dag, Scheduled),
			StaticSummary:         fmt.Sprintf("%s of the day that has ended", dag),
			Priority:              priority(Scheduled),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
		CatchupWindow: CatchupWindow,
	}
}
