package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// Names of the activities, as the worker registers them: the method names of the structs in package activities.
const (
	planLanding    = "PlanLanding"
	landPartition  = "LandPartition"
	writeManifest  = "WriteManifest"
	startNotebook  = "StartNotebook"
	waitNotebook   = "WaitNotebook"
	cancelNotebook = "CancelNotebook"
	readLedger     = "ReadLedger"
	writeLedger    = "WriteLedger"
	reserveSlots   = "AnnounceSlots"
	requestSlot    = "RequestSlot"
	releaseSlot    = "ReleaseSlot"
	findGone       = "FindGone"
	awaitRun       = "AwaitRun"
	checkPast      = "CheckPast"
	countRows      = "CountRows"
)

// backoff spaces the attempts of one activity. It stops growing early: a service that is back should not wait for us.
var backoff = temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second}

// patient is backoff for work that is repeated for as long as the run lives, and has time.
var patient = temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}

// notebookHeartbeat is how soon a worker that died with a notebook's activity is missed: the slot of its pool is held until then. The
// activities heartbeat after each call, which takes 20 s at most, and every 10 s between calls.
const notebookHeartbeat = 45 * time.Second

// The policies of all activities. Nobody else writes a timeout.
var (
	// planPolicy asks Kafka and S3 some questions: a minute is ample for one attempt, and after half an hour of trouble the try has failed.
	planPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 30 * time.Minute,
		RetryPolicy:            &backoff,
	}
	// landPolicy streams a partition. It heartbeats with every request, so a dead worker is noticed in a minute; the next attempt goes on
	// behind the objects that have landed, so even a partition that needs days gets through attempt by attempt.
	landPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 6 * time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &backoff,
	}
	// startPolicy submits a Databricks run, after it has cancelled one that a terminated workflow left, which takes minutes at most and
	// heartbeats. Attempts share an idempotency token and rejoin the same run. Cancelling waits for an attempt that is on its way, as
	// it may have made a run that must be cancelled, too.
	startPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    15 * time.Minute,
		ScheduleToCloseTimeout: time.Hour,
		HeartbeatTimeout:       notebookHeartbeat,
		WaitForCancellation:    true,
		RetryPolicy:            &backoff,
	}
	// waitPolicy waits for a Databricks run for as long as it takes: an attempt that ends after a day is followed by one that looks on.
	// It heartbeats after every poll, and every 10 s between polls. Cancelling does not wait for it: cancelPolicy follows at once.
	waitPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    notebookHeartbeat,
		RetryPolicy:         &backoff,
	}
	// cancelPolicy cancels a Databricks run of a cancelled task. A run that cannot be cancelled for an hour is left to the next try, which looks for it.
	cancelPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    5 * time.Minute,
		ScheduleToCloseTimeout: time.Hour,
		HeartbeatTimeout:       notebookHeartbeat,
		RetryPolicy:            &backoff,
	}
	// ledgerPolicy writes or reads the ledger when the first moments of trying (see briefPolicy) were not enough. A day of trouble with S3 does not lose the entry.
	ledgerPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            &patient,
	}
	// slotPolicy talks to a pool when the first moments of trying were not enough.
	slotPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: time.Hour,
		RetryPolicy:            &backoff,
	}
	// awaitPolicy waits for a run that is not our child, for as long as it takes, as waitPolicy does.
	awaitPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    6 * activities.RunHeartbeat,
		RetryPolicy:         &patient,
	}
	// pastPolicy looks again and again at the date before, for as long as the run lives.
	pastPolicy = workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &backoff,
	}
	// countPolicy counts rows that a task has expectations of. A SQL warehouse that has been stopped needs minutes to start; an attempt
	// that gave up on it finds it started.
	countPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    time.Minute,
		ScheduleToCloseTimeout: 15 * time.Minute,
		RetryPolicy:            &backoff,
	}
	// figuresPolicy counts rows for information alone: once, soon or not at all.
	figuresPolicy = workflow.ActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: time.Minute,
		RetryPolicy:            &backoff,
	}
	// briefPolicy is one small request inside the workflow task: one event instead of six. It must end long before the workflow task's own
	// timeout of 10 s, so it gives up early; brief then repeats it as an activity of its own, which the Web UI shows with its error.
	briefPolicy = workflow.LocalActivityOptions{
		StartToCloseTimeout:    3 * time.Second,
		ScheduleToCloseTimeout: 5 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: 3},
	}
)

// under returns a context in which activities run under the policy, and are shown with the summary.
func withPolicy(ctx workflow.Context, policy workflow.ActivityOptions, summary string) workflow.Context {
	policy.Summary = summary
	return workflow.WithActivityOptions(ctx, policy)
}

// brief runs an activity that is one small request: inside the workflow task, and if that does not succeed, visibly under the policy.
func executeQuick(ctx workflow.Context, policy workflow.ActivityOptions, summary, name string, in, out any) error {
	options := briefPolicy
	options.Summary = summary
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), name, in).Get(ctx, out)
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	return workflow.ExecuteActivity(withPolicy(ctx, policy, summary), name, in).Get(ctx, out)
}

// pause waits, and says in the Web UI what for. Like workflow.Sleep it returns at once, with an error, when the context is cancelled.
func pause(ctx workflow.Context, d time.Duration, summary string) error {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}
