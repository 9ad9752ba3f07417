package run

import (
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// WorkflowID returns the workflow id of a date's runs. Scheduled runs, manual runs and backfills
// share it, so that Temporal itself rejects a second run of a date while one is running.
func WorkflowID(dag string, date dates.Date) string { return fmt.Sprintf("%s-%s", dag, date) }

// RangeWorkflowID returns the workflow id of a backfill: one span of dates has one backfill at a
// time.
func RangeWorkflowID(dag string, from, to dates.Date) string {
	return fmt.Sprintf("%s-backfill-%s-%s", dag, from, to)
}

// PoolWorkflowID returns the workflow id of a pool. A namespace has one workflow for each pool.
func PoolWorkflowID(pool string) string { return "pool-" + pool }

// ScheduleID returns the id of a DAG's Schedule.
func ScheduleID(dag string) string { return dag }

// ScheduledRangePrefix returns the workflow id in the action of a DAG's Schedule. Temporal appends
// the firing time to it.
func ScheduledRangePrefix(dag string) string { return dag + "-scheduled" }

// ScheduledRangeID returns the workflow id of the range that a firing starts.
func ScheduledRangeID(dag string, fired time.Time) string {
	return ScheduledRangePrefix(dag) + "-" + fired.UTC().Truncate(time.Second).Format(time.RFC3339)
}
