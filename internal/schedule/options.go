package schedule

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// CatchupWindow is how late a firing may happen after an outage of Temporal: less than a day, so
// that the last firing is made up for and older ones remain gaps, which an operator fills.
const CatchupWindow = 24*time.Hour - time.Minute

// Options returns the Schedule of a DAG in a deployment: each firing starts a range of one date, the last that is
// over. The error is that of a specification that cannot be parsed; Spec.Check finds those that
// should not be used.
//
// Temporal gets the specification as a calendar, not as a cron expression: it would keep neither
// the text nor the meaning of an expression, and the Schedule could not be compared exactly. There
// is no jitter, because the boundary between two dates is fixed when the date ends. Firings
// overlap: a date that hangs must not cost the next date its run, and pools keep their writes
// apart.
func Options(d run.Deployment, dag string, spec Spec) (client.ScheduleOptions, error) {
	tab, err := spec.parse()
	if err != nil {
		return client.ScheduleOptions{}, err
	}
	calendar := tab.calendar()
	calendar.Comment = fmt.Sprintf("%s: the logical date is the last day that is over", spec)
	return client.ScheduleOptions{
		ID:   d.ScheduleID(dag),
		Spec: client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{calendar}, TimeZoneName: spec.zone()},
		Action: &client.ScheduleWorkflowAction{
			ID:                    d.ScheduledRangePrefix(dag), // Temporal adds the firing time
			Workflow:              run.RangeWorkflow,
			Args:                  []any{run.RangeInput{DAG: dag, Trigger: run.Scheduled, Reprocess: run.ReprocessFailed}},
			TaskQueue:             d.TaskQueue(),
			TypedSearchAttributes: search.RangeAttributes(dag, run.Scheduled),
			StaticSummary:         fmt.Sprintf("%s of the last day that is over", dag),
			Priority:              launch.Priority(run.Scheduled),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
		CatchupWindow: CatchupWindow,
	}, nil
}
