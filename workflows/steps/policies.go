// Package steps is how workflow code runs an activity: the names of the activities, their timeouts
// and retries, the priority of their run, and the try that they work for.
package steps

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
)

// Names of the activities as the worker registers them: names of methods in package activities.
const (
	PlanLanding    = "PlanLanding"
	LandPartitions = "LandPartitions"
	WriteManifest  = "WriteManifest"
	StartNotebook  = "StartNotebook"
	WaitNotebook   = "WaitNotebook"
	CancelNotebook = "CancelNotebook"
	ReadLedger     = "ReadLedger"
	WriteLedger    = "WriteLedger"
	SendToPools    = "SendToPools"
	RunInPool      = "RunInPool"
	AnswerRequest  = "AnswerRequest"
	AnswerRequests = "AnswerRequests"
	FindClosed     = "FindClosed"
	FindRequests   = "FindRequests"
	AwaitRun       = "AwaitRun"
	CheckPast      = "CheckPast"
	CountRows      = "CountRows"
	WriteReport    = "WriteReport"
)

// backoff is the pause between the attempts of an activity. It stops growing at 30 s, so that work
// resumes soon after a system is back.
var backoff = temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second}

// longBackoff is backoff for work that is retried for as long as the run lives and is not urgent.
var longBackoff = temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}

// notebookHeartbeat is how soon Temporal misses a worker that died with a notebook's activity; the
// slot is held until then. The activities heartbeat after each call, which takes 20 s at most, and
// every 10 s between calls.
const notebookHeartbeat = 45 * time.Second

// The policies of all activities. Timeouts are set nowhere else.
var (
	// PlanPolicy is for a few requests to Kafka and S3. After half an hour of trouble the try
	// fails. The heartbeats show that the worker lives, so that the plan of one that was killed
	// starts again at once and not after a minute.
	PlanPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 30 * time.Minute,
		HeartbeatTimeout:       5 * landing.PlanHeartbeat,
		RetryPolicy:            &backoff,
	}
	// ManifestPolicy writes a manifest if quickPolicy failed.
	ManifestPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 30 * time.Minute,
		RetryPolicy:            &backoff,
	}
	// LandPolicy lands partitions. The activity heartbeats with every request. An attempt
	// continues after the objects that have landed, so that even a partition that takes days lands
	// in the end.
	LandPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 6 * time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &backoff,
	}
	// StartPolicy submits a Databricks run, after it has cancelled one that a terminated workflow
	// left behind, which takes minutes. Attempts share an idempotency token. Cancelling waits for
	// the current attempt, because it may have started a run that must be cancelled, too.
	StartPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    15 * time.Minute,
		ScheduleToCloseTimeout: time.Hour,
		HeartbeatTimeout:       notebookHeartbeat,
		WaitForCancellation:    true,
		RetryPolicy:            &backoff,
	}
	// WaitPolicy waits for a Databricks run, however long it takes: after a day the next attempt
	// continues. Cancelling does not wait for the activity; CancelPolicy follows at once.
	WaitPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    notebookHeartbeat,
		RetryPolicy:         &backoff,
	}
	// CancelPolicy cancels the Databricks run of a cancelled task. If that fails for an hour, the
	// next try of the task finds the run and cancels it.
	CancelPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    5 * time.Minute,
		ScheduleToCloseTimeout: time.Hour,
		HeartbeatTimeout:       notebookHeartbeat,
		RetryPolicy:            &backoff,
	}
	// LedgerPolicy reads or writes the ledger if quickPolicy failed. An entry survives a day of
	// trouble with S3.
	LedgerPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            &longBackoff,
	}
	// PoolsPolicy sends a message between a run and the Pools workflow if quickPolicy failed.
	PoolsPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: time.Hour,
		RetryPolicy:            &backoff,
	}
	// AnswerPolicy answers a request if quickPolicy failed: for a day, because a run that gets no
	// answer waits.
	AnswerPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            &longBackoff,
	}
	// AnswersPolicy answers some requests of a group, with pauses between them.
	AnswersPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            &longBackoff,
	}
	// PoolPolicy is the work of a task in its pool, however long it waits and takes. Its end comes
	// from the Pools workflow, so that no worker has to prove that it lives. Cancelling waits for
	// that end, too.
	PoolPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 10 * 365 * 24 * time.Hour,
		WaitForCancellation: true,
		RetryPolicy:         &backoff,
	}
	// FindPolicy queries a page of open runs, for as long as it takes: no work starts before.
	FindPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &backoff,
	}
	// AwaitPolicy waits for a run that is not a child of the range, however long it takes.
	AwaitPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    6 * activities.RunHeartbeat,
		RetryPolicy:         &longBackoff,
	}
	// PastPolicy checks the date before, for as long as the run lives.
	PastPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &backoff,
	}
	// CountPolicy counts rows for a task with expectations. A stopped SQL warehouse takes minutes
	// to start: attempts that time out on it start it all the same.
	CountPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 15 * time.Minute,
		RetryPolicy:            &backoff,
	}
	// InformPolicy counts rows that only inform; it gives up early.
	InformPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: time.Minute,
		RetryPolicy:            &backoff,
	}
	// ReportPolicy writes the report of a run. The run waits for it, so it gives up when a stopped SQL
	// warehouse should have started.
	ReportPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    2 * time.Minute,
		ScheduleToCloseTimeout: 10 * time.Minute,
		RetryPolicy:            &backoff,
	}
	// quickPolicy runs one small request as a local activity, which is one event instead of six. It
	// must end well within the workflow task timeout of 10 s, so it gives up early. ExecuteQuick
	// then runs a regular activity, whose error the Web UI shows.
	quickPolicy = workflow.LocalActivityOptions{
		StartToCloseTimeout:    3 * time.Second,
		ScheduleToCloseTimeout: 5 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: 3},
	}
)

type priorityKey struct{}

// WithPriority returns a context whose activities have the priority of the run that they work for.
// Otherwise they have that of the workflow: in the Pools workflow, those of a backfill would come
// before those of the daily run as often as after them.
func WithPriority(ctx workflow.Context, priority int) workflow.Context {
	return workflow.WithValue(ctx, priorityKey{}, priority)
}

// WithPolicy returns a context in which activities run under the policy. The Web UI shows them with
// the summary.
func WithPolicy(ctx workflow.Context, policy workflow.ActivityOptions, summary string) workflow.Context {
	policy.Summary = summary
	policy.Priority.PriorityKey, _ = ctx.Value(priorityKey{}).(int)
	return workflow.WithActivityOptions(ctx, policy)
}

// ExecuteQuick runs an activity that is one small request: as a local activity, and if that fails
// as a regular one under the policy.
func ExecuteQuick(ctx workflow.Context, policy workflow.ActivityOptions, summary, name string, in, out any) error {
	options := quickPolicy
	options.Summary = summary
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), name, in).Get(ctx, out)
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	return workflow.ExecuteActivity(WithPolicy(ctx, policy, summary), name, in).Get(ctx, out)
}

// Sleep waits on a timer that the Web UI shows with the summary. It returns an error as soon as the
// context is cancelled.
func Sleep(ctx workflow.Context, d time.Duration, summary string) error {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}
