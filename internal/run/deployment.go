package run

import (
	"fmt"
	"regexp"
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
	return fmt.Sprintf("%s%d", d.JobRunNamePrefix(dag, date, task), try)
}

// JobRunNamePrefix returns what the names of all Databricks runs of a date's task begin with, and
// those of no other date, task or deployment: none of the parts has a blank.
func (d Deployment) JobRunNamePrefix(dag string, date dates.Date, task string) string {
	return fmt.Sprintf("%s %s %s %s try ", d, dag, date, task)
}

// DateOfJobRun returns the logical date in the name of a Databricks run. ok is false if it is not a
// run of that task in this deployment.
func (d Deployment) DateOfJobRun(name, dag, task string) (date dates.Date, ok bool) {
	fields := strings.Fields(name)
	if len(fields) != 6 {
		return "", false
	}
	date = dates.Date(fields[2])
	return date, strings.HasPrefix(name, d.JobRunNamePrefix(dag, date, task))
}

// TaskOfJobRun returns the task in the name of a Databricks run. ok is false if it is not a run of
// that DAG and date in this deployment.
func (d Deployment) TaskOfJobRun(name, dag string, date dates.Date) (task string, ok bool) {
	fields := strings.Fields(name)
	if len(fields) != 6 {
		return "", false
	}
	task = fields[3]
	return task, strings.HasPrefix(name, d.JobRunNamePrefix(dag, date, task))
}

// ConsumerGroup returns the Kafka consumer group whose offsets show how far topics have landed.
func (d Deployment) ConsumerGroup() string { return string(d) + "-landing" }

// Folder returns the folder of the bucket in which all keys are, with a slash at its end.
func (d Deployment) Folder() string { return string(d) + "/" }
