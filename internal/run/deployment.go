package run

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Deployment is the name of one installation of Pinflow, as in "pinflow" or "pinflow-dev". It begins
// every name that Pinflow gives in a system that several deployments may share, so that two of them
// in one Temporal namespace, Databricks workspace and bucket never touch each other's runs.
//
// In ids, dots separate the parts. No deployment, DAG or pool has a dot in its name, so that ids of
// different things are never equal.
type Deployment string

// DefaultDeployment is the deployment of settings that name none.
const DefaultDeployment Deployment = "pinflow"

// maxDeployment is the length of the longest name: it leaves room for the rest of a schema's or a
// consumer group's name.
const maxDeployment = 40

var deploymentName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Check returns an error if the name cannot be part of names in all systems.
func (d Deployment) Check() error {
	if len(d) > maxDeployment || !deploymentName.MatchString(string(d)) {
		return fmt.Errorf("want lower-case letters, digits and hyphens, a letter first, %d characters at most", maxDeployment)
	}
	return nil
}

// TaskQueue returns the task queue of all workflows and activities. Workflow code learns its
// deployment from it.
func (d Deployment) TaskQueue() string { return string(d) }

// WorkflowID returns the workflow id of a date's runs. Scheduled runs, manual runs and backfills
// share it, so that Temporal itself rejects a second run of a date while one is running.
func (d Deployment) WorkflowID(dag string, date dates.Date) string {
	return fmt.Sprintf("%s.%s.%s", d, dag, date)
}

// RangeWorkflowID returns the workflow id of a backfill: one span of dates has one backfill at a
// time.
func (d Deployment) RangeWorkflowID(dag string, from, to dates.Date) string {
	return fmt.Sprintf("%s.%s.backfill.%s.%s", d, dag, from, to)
}

// PoolsID returns the workflow id of the Pools workflow.
func (d Deployment) PoolsID() string { return fmt.Sprintf("%s.pools", d) }

// ScheduleID returns the id of a DAG's Schedule.
func (d Deployment) ScheduleID(dag string) string { return fmt.Sprintf("%s.%s", d, dag) }

// ScheduledRangePrefix returns the workflow id in the action of a DAG's Schedule. Temporal appends
// the firing time to it.
func (d Deployment) ScheduledRangePrefix(dag string) string {
	return fmt.Sprintf("%s.%s.scheduled", d, dag)
}

// ScheduledRangeID returns the workflow id of the range that a firing starts.
func (d Deployment) ScheduledRangeID(dag string, fired time.Time) string {
	return d.ScheduledRangePrefix(dag) + "-" + fired.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// JobRunName returns the name of the Databricks run of one try of a task.
func (d Deployment) JobRunName(dag string, date dates.Date, task string, try int) string {
	return d.GroupJobRunName(dag, []dates.Date{date}, task, try)
}

// GroupJobRunName returns the name of a Databricks run that does one task for all of the dates: the
// first and the last are in it.
func (d Deployment) GroupJobRunName(dag string, days []dates.Date, task string, try int) string {
	span := DateSpan{From: slices.Min(days), To: slices.Max(days)}
	return fmt.Sprintf("%s %s %s %s try %d", d, dag, span, task, try)
}

// DateSpan is the first and the last of the dates of a Databricks run.
type DateSpan struct{ From, To dates.Date }

// String returns the date, or the first and the last as in 2022-10-01..2022-10-18.
func (s DateSpan) String() string {
	if s.From == s.To {
		return string(s.From)
	}
	return string(s.From) + ".." + string(s.To)
}

// Overlap reports whether one of the dates lies in the span.
func (s DateSpan) Overlap(days []dates.Date) bool {
	return slices.ContainsFunc(days, func(date dates.Date) bool { return s.From <= date && date <= s.To })
}

// DatesOfJobRun returns the logical dates in the name of a Databricks run. ok is false if it is not
// a run of that task in this deployment.
func (d Deployment) DatesOfJobRun(name, dag, task string) (span DateSpan, ok bool) {
	span, of, ok := d.parseJobRun(name, dag)
	return span, ok && of == task
}

// TaskOfJobRun returns the task in the name of a Databricks run. ok is false if it is not a run of
// that DAG and of that date alone in this deployment.
func (d Deployment) TaskOfJobRun(name, dag string, date dates.Date) (task string, ok bool) {
	span, task, ok := d.parseJobRun(name, dag)
	return task, ok && span == DateSpan{From: date, To: date}
}

// parseJobRun returns what is in the name of a Databricks run. None of the parts has a blank.
func (d Deployment) parseJobRun(name, dag string) (span DateSpan, task string, ok bool) {
	fields := strings.Fields(name)
	if len(fields) != 6 || fields[0] != string(d) || fields[1] != dag || fields[4] != "try" {
		return DateSpan{}, "", false
	}
	from, to, several := strings.Cut(fields[2], "..")
	if !several {
		to = from
	}
	return DateSpan{From: dates.Date(from), To: dates.Date(to)}, fields[3], true
}

// ConsumerGroup returns the Kafka consumer group whose offsets show how far topics have landed.
func (d Deployment) ConsumerGroup() string { return string(d) + "-landing" }

// Folder returns the folder of the bucket in which all keys are, with a slash at its end.
func (d Deployment) Folder() string { return string(d) + "/" }
