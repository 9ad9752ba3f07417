package launch

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

const (
	someDeployment = run.Deployment("some")
	date           = dates.Date("2022-10-18")
)

func TestPriority(t *testing.T) {
	t.Run("a_backfill_comes_after_all_others", func(t *testing.T) {
		require.Greater(t, Priority(run.Backfill).PriorityKey, Priority(run.Scheduled).PriorityKey, "a larger key is a lower priority")
		require.Equal(t, Priority(run.Scheduled), Priority(run.Manual))
	})
}

func TestRunOptions(t *testing.T) {
	t.Run("are_those_of_one_date", func(t *testing.T) {
		options := RunOptions(someDeployment, run.Input{DAG: "d", Date: date, Trigger: run.Manual, Tags: []string{"repair"}})
		require.Equal(t, someDeployment.WorkflowID("d", date), options.ID)
		require.Equal(t, someDeployment.TaskQueue(), options.TaskQueue)
		require.True(t, options.WorkflowExecutionErrorWhenAlreadyStarted, "the caller learns that the date is running")
		require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, options.WorkflowIDConflictPolicy)
		require.Equal(t, "d of 2022-10-18 (manual)", options.StaticSummary)
		state, _ := options.TypedSearchAttributes.GetKeyword(search.State)
		require.Equal(t, "running", state)
		at, _ := options.TypedSearchAttributes.GetTime(search.Date)
		require.Equal(t, date.Start(), at)
		tags, _ := options.TypedSearchAttributes.GetKeywordList(search.Tags)
		require.Equal(t, []string{"repair"}, tags)
	})
}

func TestRangeOptions(t *testing.T) {
	t.Run("are_not_those_of_the_run_of_the_same_date", func(t *testing.T) {
		options := RangeOptions(someDeployment, run.RangeInput{DAG: "d", From: date, To: date, Trigger: run.Backfill})
		require.Equal(t, someDeployment.RangeWorkflowID("d", date, date), options.ID)
		require.NotEqual(t, someDeployment.WorkflowID("d", date), options.ID)
		_, dated := options.TypedSearchAttributes.GetTime(search.Date)
		require.False(t, dated, "a search for a date finds its runs alone")
		require.Equal(t, Priority(run.Backfill), options.Priority)
	})
}

func TestDecidedRuns(t *testing.T) {
	// A date may have run between the moment when the ledger was read and the start of its run.
	t.Run("temporal_rejects_a_date_that_has_succeeded_since", func(t *testing.T) {
		failed := &ledger.Entry{Status: run.Status{Date: date, State: run.Failed}}
		success := &ledger.Entry{Status: run.Status{Date: date, State: run.Success}}
		in := run.Input{DAG: "d", Date: date, Trigger: run.Backfill}
		for name, c := range map[string]struct {
			decision ledger.Decision
			want     enumspb.WorkflowIdReusePolicy
		}{
			"has not run":     {ledger.Decide(date, nil, run.ReprocessNone), enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY},
			"has failed":      {ledger.Decide(date, failed, run.ReprocessFailed), enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY},
			"all, has failed": {ledger.Decide(date, failed, run.ReprocessAll), enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE},
			"all, success":    {ledger.Decide(date, success, run.ReprocessAll), enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE},
		} {
			t.Run(name, func(t *testing.T) {
				require.Equal(t, c.want, DecidedRunOptions(someDeployment, in, c.decision).WorkflowIDReusePolicy)
				child := ChildOptions(someDeployment, in, c.decision)
				require.Equal(t, c.want, child.WorkflowIDReusePolicy)
				require.Equal(t, someDeployment.WorkflowID("d", date), child.WorkflowID)
				require.Equal(t, enumspb.PARENT_CLOSE_POLICY_ABANDON, child.ParentClosePolicy, "the run continues when its range ends")
			})
		}
	})
}
